"""Reads JSON lines that differ from an earlier one only in a few texts, without parsing them again.

An agency's system writes lines of few forms: the same fields in the same order, with the same facts. What differs is
between the quotes of `"value": "…"`, and so on. If all bytes outside these quotes are those of an earlier line, which
was parsed strictly and is valid, then the line is JSON with the same fields: a text between two quotes, without a quote
of its own and with correct escapes, ends nowhere but at its own quote.
"""

from __future__ import annotations

import json
import re
import secrets
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sharing.interop.strict_json import NotJsonError, StrictJsonParser
from sharing.model.bounded_cache import BoundedCache
from sharing.serialization.indicator_encoder import ITEM_FIELDS, SOURCE_FIELDS, split_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sharing.serialization.encoded_indicator import EncodedIndicator
    from sharing.serialization.indicator_encoder import IndicatorTemplate

FORMS_MAX: Final = 4096
FORM_BYTES_MAX: Final = 16_000_000
"""Limits of what is remembered, in forms of lines and in bytes."""

_KEYS: Final = tuple((name, f'"{name}"'.encode(), len(name) + 2) for name in (*ITEM_FIELDS, *SOURCE_FIELDS))
_BACKSLASH: Final = ord("\\")
_match_escaped_text = re.compile(rb'(?:[^"\\]|\\.)*').match
_MARK: Final = secrets.token_hex(16)
_MARKED: Final = re.compile(rf"~(\d+)~{_MARK}~")


class LineForm(NamedTuple):
    """A form of lines.

    Attributes:
        template: The indicators that such lines describe.
        names: Names of the texts that differ, in their order in the line.
        constants: Texts that the publishing profile adds.
        identity: What makes the id of a line without one: the line as JSON with sorted keys, cut where texts differ.
            None if such lines have an id.
        order: Which text is at each cut.
    """

    template: IndicatorTemplate
    names: tuple[str, ...]
    constants: Mapping[str, str]
    identity: tuple[str, ...] | None
    order: tuple[int, ...]


class SplitLine(NamedTuple):
    """A line, cut where texts may differ from those of other lines.

    Attributes:
        key: The rest of the line: what is before, between and after the texts.
        names: Names of the texts.
        texts: The texts as they stand between the quotes.
    """

    key: tuple[bytes, ...]
    names: tuple[str, ...]
    texts: list[bytes]


def split_line(line: bytes) -> SplitLine | None:
    """Cut a line where its texts may differ from those of other lines; None if that is not clear."""
    cuts = []
    find = line.find
    for name, key, length in _KEYS:
        start = find(key)
        if start < 0:
            continue
        start += length
        opening = line[start : start + 3]
        if opening == b': "':
            start += 3
        elif opening.startswith(b':"'):
            start += 2
        else:
            continue
        end = find(b'"', start)
        if line[end - 1] == _BACKSLASH:
            match = _match_escaped_text(line, start)
            end = -1 if match is None else match.end()
        if end < 0:
            return None
        cuts.append((start, end, name))
    cuts.sort()
    place = 0
    rest, names, texts = [], [], []
    for start, end, name in cuts:
        if start < place:
            return None
        rest.append(line[place:start])
        names.append(name)
        texts.append(line[start:end])
        place = end
    rest.append(line[place:])
    return SplitLine(tuple(rest), tuple(names), texts)


class LineForms:
    """Remembers the forms of lines. Only one thread at a time may use an object.

    Args:
        is_type_shared: Whether lines of different types may share a form: not if a profile has facts by type.
    """

    def __init__(self, *, is_type_shared: bool) -> None:
        self._is_type_shared = is_type_shared
        self._parser = StrictJsonParser()
        self._forms: BoundedCache[tuple[bytes, ...], LineForm] = BoundedCache(
            FORMS_MAX, FORM_BYTES_MAX, lambda key, form: 2 * sum(map(len, key)) + form.template.weight
        )

    def find(self, line: SplitLine) -> LineForm | None:
        """Return the form of a line, if an earlier line had it."""
        return self._forms.get(self._make_key(line))

    def add(
        self, line: SplitLine, fields: Mapping[str, Any], template: IndicatorTemplate, item: EncodedIndicator
    ) -> None:
        """Remember the form of a valid line, unless it cannot be determined what its texts are.

        Args:
            line: The line.
            fields: The fields of its indicator, with those of the profile and the id.
            template: The template of its indicator.
            item: Its indicator.
        """
        form = self._find_form(line, fields, template)
        if form is None:
            return
        texts = read_texts(form, line)
        # What is remembered must give what was parsed.
        if texts is not None and template.fill({"id": item.id, **texts}) == item:
            self._forms.put(self._make_key(line), form)

    def _make_key(self, line: SplitLine) -> tuple[bytes, ...]:
        if self._is_type_shared or "type" not in line.names:
            return line.key
        return (*line.key, line.texts[line.names.index("type")])

    def _find_form(self, line: SplitLine, fields: Mapping[str, Any], template: IndicatorTemplate) -> LineForm | None:
        names = line.names
        marked = _mark_texts(line)
        try:
            parsed = self._parser.parse(marked.decode())
        except (NotJsonError, UnicodeDecodeError):
            return None
        _, texts = split_fields(fields)
        if parsed.fault or len(set(names)) != len(names) or not _stands_where_expected(parsed.value, names):
            return None
        constants = {name: text for name, text in texts.items() if name not in names and name != "id"}
        if not set(names) - {"id"} <= texts.keys():
            return None
        if "id" in names:
            return LineForm(template, names, constants, None, ())
        if parsed.value.get("id") is not None:  # an id with another spelling, which is not cut out
            return None
        pieces = _MARKED.split(to_identity(parsed.value))
        return LineForm(template, names, constants, tuple(pieces[::2]), tuple(map(int, pieces[1::2])))


def read_texts(form: LineForm, line: SplitLine) -> dict[str, str] | None:
    """Return the texts of a line of a form, by name of their field; None if one of them needs a closer look."""
    texts = dict(form.constants)
    for name, data in zip(form.names, line.texts, strict=True):
        text = data.decode()
        if "\\" in text:
            try:
                text = json.loads(f'"{text}"')
                text.encode()
            except ValueError:  # a wrong escape, half of a surrogate pair, or a control character
                return None
        elif not text.isprintable():  # a control character is no JSON; the others are merely rare
            return None
        texts[name] = text
    return texts


def to_identity(value: Mapping[str, Any]) -> str:
    """Return what identifies a line without an id: the line as JSON with sorted keys."""
    return json.dumps(value, sort_keys=True)


def make_identity(form: LineForm, texts: Mapping[str, str]) -> str:
    """Return what `to_identity` returns for a line of a form without an id."""
    pieces = form.identity or ("",)
    names = form.names
    parts = [pieces[0]]
    for piece, position in zip(pieces[1:], form.order, strict=True):
        parts += (encode_basestring_ascii(texts[names[position]])[1:-1], piece)
    return "".join(parts)


def _mark_texts(line: SplitLine) -> bytes:
    """Return the line with a mark in place of each text."""
    parts = [line.key[0]]
    for number, rest in enumerate(line.key[1:]):
        parts += (_make_mark(number).encode(), rest)
    return b"".join(parts)


def _make_mark(number: int) -> str:
    return f"~{number}~{_MARK}~"


def _stands_where_expected(value: Any, names: Sequence[str]) -> bool:
    """Return whether each mark is the field that its name says."""
    for number, name in enumerate(names):
        holder = value.get("source") if isinstance(value, dict) and name in SOURCE_FIELDS else value
        if not isinstance(holder, dict) or holder.get(name) != _make_mark(number):
            return False
    return True
