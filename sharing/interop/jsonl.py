"""JSON lines: one indicator per line, in the JSON form. The fields of a line take precedence over the profile.

A line without an id gets one that is derived from the whole line and its count among the equal lines of the file, so
the same file always has the same ids.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from sharing.errors import InputError
from sharing.interop.digest_table import DigestTable, make_digest
from sharing.interop.format_detection import LINE_BYTES_MAX, count_lines, is_indicator_candidate, iterate_lines
from sharing.interop.import_results import ConflictingItemError, InputLocation, UnpublishedCause, make_unpublished
from sharing.interop.line_templates import LineForms, make_identity, read_texts, split_line, to_identity
from sharing.interop.publishing_profile import merge_fields
from sharing.interop.strict_json import NotJsonError, StrictJsonParser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.interop.format_detection import InputData, TextLine
    from sharing.interop.import_context import ImportContext
    from sharing.interop.import_results import DuplicateFilter, ParsedEntry
    from sharing.interop.line_templates import SplitLine
    from sharing.interop.strict_json import ParsedJson
    from sharing.serialization.encoded_indicator import EncodedIndicator

_COUNT: Final = struct.Struct(">Q")
_LINES_PER_PROGRESS_REPORT = 500
_LINE_BYTES_MIN = 28  # type and value


def read_jsonl(
    data: InputData, file: str, context: ImportContext, duplicates: DuplicateFilter
) -> Iterator[ParsedEntry]:
    """Yield an entry for each line that is not blank. The file is never decoded as a whole.

    Args:
        data: Checked UTF-8 text.
        file: Name of the file.
        context: How the file is imported.
        duplicates: The indicators imported so far.

    Raises:
        ConflictingItemError: Two lines have the same id and version, and different contents.
        InputError: At the end, when no line was meant as an indicator. No indicator has been yielded in this case.
    """
    reader = _LineReader(file, context, duplicates)
    duplicates.reserve(min(count_lines(data), len(data) // _LINE_BYTES_MIN))
    first_error = ""
    for line in iterate_lines(data):
        try:
            yield reader.read(line)
        except ConflictingItemError:
            raise
        except InputError as error:
            first_error = first_error or f"line {line.number} {error}"
            cause = UnpublishedCause.MALFORMED if isinstance(error, NotJsonError) else UnpublishedCause.INVALID
            yield make_unpublished(InputLocation(file, str(line.number)), cause, str(error))
        if line.number % _LINES_PER_PROGRESS_REPORT == 0:
            context.report_progress(file, line.end / len(data))
    if not reader.has_candidate:
        reason = f" ({first_error})" if first_error else ""
        raise InputError(
            f"{file}: no line is an indicator{reason}; write one JSON object per line, with `type` and `value`"
        )


class _LineReader:
    """Reads the lines of one file.

    Attributes:
        has_candidate: Whether a line was meant as an indicator.
    """

    def __init__(self, file: str, context: ImportContext, duplicates: DuplicateFilter) -> None:
        self._file = file
        self._context = context
        self._duplicates = duplicates
        self._parser = StrictJsonParser()
        self._forms = LineForms(is_type_shared=not context.profile.by_type)
        self._ids = _LineIds(context, duplicates)
        self.has_candidate = False

    def read(self, line: TextLine) -> ParsedEntry:
        """Return the entry for a line.

        Raises:
            InputError: It cannot be published.
        """
        position = str(line.number)
        split = split_line(line.text) if len(line.text) <= LINE_BYTES_MAX else None
        if split is not None:
            item = self._read_known_form(split)
            if item is not None:
                return self._duplicates.check(InputLocation(self._file, position), item, by_value=False)
        parsed = _parse_line(self._parser, line.text)
        self.has_candidate = self.has_candidate or is_indicator_candidate(parsed.value)
        return self._import_object(_require_object(parsed), InputLocation(self._file, position), split)

    def _read_known_form(self, line: SplitLine) -> EncodedIndicator | None:
        """Return the indicator of a line of a known form; None if the line has to be parsed."""
        form = self._forms.find(line)
        texts = None if form is None else read_texts(form, line)
        if form is None or texts is None:
            return None
        if form.identity is None:
            return form.template.fill(texts)
        # The id is made when the line is valid: lines that are not do not count among equal ones.
        item = form.template.fill({**texts, "id": _NO_ID})
        if item is None:
            return None
        return item.with_id(self._ids.make(make_identity(form, texts)))

    def _import_object(self, value: dict[str, Any], location: InputLocation, split: SplitLine | None) -> ParsedEntry:
        context = self._context
        type_name = value.get("type")
        has_id = value.get("id") is not None
        fields = merge_fields(context.get_initial_fields(type_name if isinstance(type_name, str) else ""), value)
        if not has_id:
            fields["id"] = _NO_ID
        item = context.encoder.encode(fields)
        if not has_id and item.version > 1:  # as each later action has
            raise InputError(
                "id: is missing; a later version or a withdrawal must have the id of the indicator it changes"
            )
        if item.state != context.publisher.state:
            reason = (
                "source.state is not the publishing State (--state); publish the line with --state set to that State"
            )
            return make_unpublished(location, UnpublishedCause.OTHER_STATE, reason)
        if context.own_agency and item.agency != context.own_agency:
            reason = f"source.agency: this publisher publishes for {context.own_agency} only"
            return make_unpublished(location, UnpublishedCause.OTHER_AGENCY, reason)
        template = None if split is None else context.encoder.get_template(fields)
        if split is not None and template is not None:
            self._forms.add(split, fields, template, item)
        if not has_id:
            item = item.with_id(self._ids.make(to_identity(value)))
        return self._duplicates.check(location, item, by_value=False)


class _LineIds:
    """Makes the ids of the lines of one file that have none: from the whole line, and its count among equal lines."""

    def __init__(self, context: ImportContext, duplicates: DuplicateFilter) -> None:
        self._make_id = context.make_id
        self._duplicates = duplicates
        self._first = duplicates.count
        self._repeats = DigestTable(_COUNT.size)  # by id of the first of equal lines, if there are several

    def make(self, identity: str) -> str:
        """Return the id of the next line.

        Args:
            identity: The line as JSON with sorted keys.
        """
        first = self._make_id(("line", identity))
        number = self._duplicates.find(first, 1)
        if number is None:
            return first
        digest = make_digest(first.encode())
        stored = self._repeats.get(digest)
        count = int(number >= self._first) if stored is None else int(_COUNT.unpack(stored)[0])
        self._repeats.replace(digest, _COUNT.pack(count + 1))
        return self._make_id(("line", identity, str(count + 1))) if count else first


_NO_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""Placeholder for the id of a line until it is made."""


def _parse_line(parser: StrictJsonParser, text: bytes) -> ParsedJson:
    if len(text) > LINE_BYTES_MAX:
        raise NotJsonError(f"is longer than {LINE_BYTES_MAX} bytes; an indicator needs a few hundred")
    try:
        return parser.parse(text.decode())
    except NotJsonError as error:
        raise NotJsonError(str(error).replace("line 1, ", "")) from None  # the location has the line number


def _require_object(parsed: ParsedJson) -> dict[str, Any]:
    """Return the JSON object of a line.

    Raises:
        NotJsonError: The line has a fault, or is not an object.
    """
    if parsed.fault:
        raise NotJsonError(f"{parsed.fault}; correct the line")
    if not isinstance(parsed.value, dict):
        raise NotJsonError("is not a JSON object; write one indicator per line")
    return parsed.value
