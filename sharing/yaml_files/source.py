"""Reads YAML files and keeps the line of each key, so that an error can name file, line and key.

PyYAML parses the text. This module turns what it finds into plain data with the line of each key, and refuses
duplicate keys and aliases. Scalars follow YAML's core types; dates become `datetime.date`. Callers choose the class of
the errors.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import ComposerError

from sharing.errors import FileErrorFactory, SharingError, input_file_error
from sharing.model.validation_errors import describe_error, select_first_error

_MAX_DEPTH = 32
_MAX_CHARACTERS = 2_000_000
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

KeyPath = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Plain data with the position of each part.

    Attributes:
        source: Name of the file.
        data: Mappings, lists and scalars.
        lines: Line (from 1) of each key and list item, by its path.
        make_error: Makes the errors about this document.
    """

    source: str
    data: Any
    lines: Mapping[KeyPath, int]
    make_error: FileErrorFactory = input_file_error

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a path, or of its nearest ancestor that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, message: str, path: KeyPath = ()) -> SharingError:
        """Return an error that names file, line and key."""
        key = ".".join(str(part) for part in path)
        return self.make_error(message, source=self.source, line=self.line_of(path), key=key)


def _list_scalars(
    *kinds: tuple[Iterable[str], str, Callable[[str], Any]],
) -> dict[str, tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]]:
    """Return the pattern and the function of each kind of plain scalar, by the first characters that it may have."""
    return {
        first: tuple((re.compile(pattern), read) for characters, pattern, read in kinds if first in characters)
        for first in {character for characters, _, _ in kinds for character in characters}
    }


_SCALARS: Final[Mapping[str, tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]]] = _list_scalars(
    ("tf", r"true|false", "true".__eq__),
    (("n", "~", ""), r"null|~|", lambda _: None),
    # A longer run of digits is an identifier, such as a telephone number: text.
    ("-+0123456789", r"[-+]?(?:0|[1-9][0-9]{0,17})", int),
    ("-+0123456789", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+", float),
    ("0123456789", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", lambda text: dt.date(*map(int, text.split("-")))),
)
"""What plain scalars mean, by their first character: YAML 1.1 without its traps.

Only true and false are booleans (NO is Norway), and there are no sexagesimals.
"""


def read_yaml(
    text: str,
    source: str,
    *,
    make_error: FileErrorFactory = input_file_error,
    text_paths: Collection[KeyPath] = (),
) -> YamlDocument:
    """Read one YAML document.

    Args:
        text: The document.
        source: Its name, for errors.
        make_error: Makes the error to raise, here and for later errors in the document.
        text_paths: Paths of scalars that are text even if they look like a number or a date.

    Raises:
        SharingError: As `make_error` makes it: the text is not YAML, has a duplicate key or an alias, or nests too
            deep.
    """
    if len(text) > _MAX_CHARACTERS:
        raise make_error(f"is longer than {_MAX_CHARACTERS} characters", source=source)
    try:
        builder = _TreeBuilder(_Loader(text), source, make_error, text_paths)
        return YamlDocument(source, builder.build_document(), builder.lines, make_error)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        raise make_error(f"is not YAML: {problem}", source=source, line=mark.line + 1 if mark else 0) from None
    except yaml.reader.ReaderError as error:
        line = text.encode(errors="replace").count(b"\n", 0, error.position) + 1
        reason = f"a character that it does not allow, U+{error.character:04X}"
        raise make_error(f"is not YAML: {reason}", source=source, line=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise make_error(f"is not YAML: {error}", source=source) from None


class _TreeBuilder:
    """Turns what the parser finds into plain data, and records the line of each part.

    From events, not from the tree of nodes that PyYAML would compose first: that takes five times as long.
    """

    def __init__(self, loader: Any, source: str, make_error: FileErrorFactory, text_paths: Collection[KeyPath]) -> None:
        self._loader = loader
        self._next_event: Callable[[], Any] = loader.get_event
        self._source = source
        self._make_error = make_error
        self._text_paths = frozenset(text_paths)
        self._anchors: dict[str, Any] = {}
        self.lines: dict[KeyPath, int] = {}

    def build_document(self) -> Any:
        self._next_event()  # the start of the stream
        start = self._next_event()
        if isinstance(start, yaml.StreamEndEvent):
            raise self._make_error("is empty", source=self._source)
        data = self._build_value(self._next_event(), ())
        self._next_event()  # the end of the document
        other = self._next_event()
        if not isinstance(other, yaml.StreamEndEvent):
            context, problem = "expected a single document in the stream", "but found another document"
            raise ComposerError(context, start.start_mark, problem, other.start_mark)
        return data

    def _build_value(self, event: Any, path: KeyPath) -> Any:
        self.lines.setdefault(path, event.start_mark.line + 1)
        if len(path) > _MAX_DEPTH:
            raise self._error("is nested too deeply", event.start_mark)  # without the path, which is just as deep
        if isinstance(event, yaml.AliasEvent):
            raise self._make_alias_error(event, path)
        if event.anchor is not None:
            self._note_anchor(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._read_scalar(event, path)
        following = self._next_event
        if isinstance(event, yaml.SequenceStartEvent):
            entries: list[Any] = []
            while not isinstance(event := following(), yaml.SequenceEndEvent):
                entries.append(self._build_value(event, (*path, len(entries))))
            return entries
        data: dict[str, Any] = {}
        while not isinstance(event := following(), yaml.MappingEndEvent):
            key = self._read_key(event, path)
            key_path = (*path, key)
            if key in data:
                raise self._error("is a duplicate key; keep one", event.start_mark, key_path)
            self.lines[key_path] = event.start_mark.line + 1
            data[key] = self._build_value(following(), key_path)
        return data

    def _read_scalar(self, event: Any, path: KeyPath) -> Any:
        text: str = event.value
        if path in self._text_paths:
            return text
        try:
            if event.tag is not None and event.tag != "!":
                node = yaml.ScalarNode(event.tag, text, event.start_mark, event.end_mark, style=event.style)
                return self._loader.construct_object(node)
            if event.implicit[0]:
                for pattern, read in _SCALARS.get(text[:1], ()):
                    if pattern.fullmatch(text):
                        return read(text)
        except ValueError as error:
            raise self._error(str(error), event.start_mark, path) from None
        return text

    def _read_key(self, event: Any, path: KeyPath) -> str:
        if isinstance(event, yaml.AliasEvent):
            raise self._make_alias_error(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error("a key must be plain text", event.start_mark, path)
        if event.anchor is not None:
            self._note_anchor(event)
        return str(event.value)

    def _note_anchor(self, event: Any) -> None:
        if event.anchor in self._anchors:
            raise ComposerError(
                "found duplicate anchor; first occurrence", self._anchors[event.anchor], "second occurrence",
                event.start_mark,
            )  # fmt: skip
        self._anchors[event.anchor] = event.start_mark

    def _make_alias_error(self, event: Any, path: KeyPath) -> Exception:
        """Return the error of an alias: on the line of what it repeats."""
        mark = self._anchors.get(event.anchor)
        if mark is None:
            return ComposerError(None, None, "found undefined alias", event.start_mark)
        return self._error("an alias (*name) is not allowed; write the value out", mark, path)

    def _error(self, message: str, mark: Any, path: KeyPath = ()) -> SharingError:
        key = ".".join(map(str, path))
        return self._make_error(message, source=self._source, line=mark.line + 1, key=key)


def validate_document(document: YamlDocument, model: type[Model]) -> Model:
    """Return the document as a model.

    Raises:
        SharingError: As the document makes it: the first thing that is wrong, with file, line, key and the nearest
            known name.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        first_error = select_first_error(error)
        _, sentence = describe_error(first_error, model)
        raise document.error(sentence, tuple(first_error["loc"])) from None
