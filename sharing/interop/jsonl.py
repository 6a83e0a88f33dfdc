"""JSON lines: one indicator per line, in the JSON form. The fields of a line take precedence over the profile.

A line without an id gets one that is derived from the whole line, so the same line always has the same id.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sharing.errors import InputError
from sharing.interop.format_detection import LINE_BYTES_MAX, is_indicator_candidate, iterate_lines
from sharing.interop.import_results import (
    ConflictingItemError,
    InputLocation,
    UnpublishedCause,
    build_indicator,
    make_unpublished,
)
from sharing.interop.publishing_profile import merge_fields
from sharing.interop.strict_json import NotJsonError, StrictJsonParser
from sharing.model.vocabulary import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.interop.format_detection import InputData
    from sharing.interop.import_context import ImportContext
    from sharing.interop.import_results import DuplicateFilter, ParsedEntry
    from sharing.interop.strict_json import ParsedJson

_LINES_PER_PROGRESS_REPORT = 500


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
    parser = StrictJsonParser()
    first_error = ""
    has_candidate = False
    for line in iterate_lines(data):
        location = InputLocation(file, str(line.number))
        try:
            parsed = _parse_line(parser, line.text)
            has_candidate = has_candidate or is_indicator_candidate(parsed.value)
            yield _import_object(_require_object(parsed), location, context, duplicates)
        except ConflictingItemError:
            raise
        except InputError as error:
            first_error = first_error or f"line {line.number} {error}"
            cause = UnpublishedCause.MALFORMED if isinstance(error, NotJsonError) else UnpublishedCause.INVALID
            yield make_unpublished(location, cause, str(error))
        if line.number % _LINES_PER_PROGRESS_REPORT == 0:
            context.report_progress(file, line.end / len(data))
    if not has_candidate:
        reason = f" ({first_error})" if first_error else ""
        raise InputError(
            f"{file}: no line is an indicator{reason}; write one JSON object per line, with `type` and `value`"
        )


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


def _import_object(
    value: dict[str, Any], location: InputLocation, context: ImportContext, duplicates: DuplicateFilter
) -> ParsedEntry:
    type_name = value.get("type")
    has_id = value.get("id") is not None
    fields = merge_fields(context.get_initial_fields(type_name if isinstance(type_name, str) else ""), value)
    if not has_id:
        fields["id"] = context.make_id(("line", json.dumps(value, sort_keys=True)))
    indicator = build_indicator(fields)
    if not has_id and (indicator.action is not Action.PUBLISH or indicator.version > 1):
        raise InputError("id: is missing; a later version or a withdrawal must have the id of the indicator it changes")
    if indicator.source.state != context.publisher.state:
        reason = "source.state is not the publishing State (--state); publish the line with --state set to that State"
        return make_unpublished(location, UnpublishedCause.OTHER_STATE, reason)
    return duplicates.check(location, indicator, by_value=not has_id and not context.are_lines_distinct)
