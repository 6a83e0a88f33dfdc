"""JSON lines: one indicator a line, with the field names of the contract. What a line says wins over the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sharing.errors import InputError
from sharing.interop.formats import LINE_BYTES_MAX, is_candidate, lines
from sharing.interop.json_text import NotJsonError, StrictParser
from sharing.interop.profile import merge
from sharing.interop.reading import Cause, InputLocation, build, unpublished
from sharing.model.vocabulary import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.interop.json_text import Parsed
    from sharing.interop.reading import IdRegister, ImportContext, ParsedEntry

_LINES_A_REPORT = 500


def read_lines(data: bytes, file: str, intake: ImportContext, register: IdRegister) -> Iterator[ParsedEntry]:
    """Yield an entry for every line that is not blank; the file is never decoded as a whole.

    Args:
        data: Checked UTF-8 text.
        file: Its name.
        intake: How it is read.
        register: What the run has read before.

    Raises:
        InputError: At the end, when no line at all meant to be an indicator; no indicator was yielded then.
    """
    parser = StrictParser()
    first_reason = ""
    any_candidate = False
    for line in lines(data):
        where = InputLocation(file, str(line.number))
        try:
            parsed = _parse(parser, line.text)
            any_candidate = any_candidate or is_candidate(parsed.value)
            yield _admit(_sound(parsed), where, intake, register)
        except InputError as error:
            first_reason = first_reason or f"line {line.number} {error}"
            cause = Cause.MALFORMED if isinstance(error, NotJsonError) else Cause.INVALID
            yield unpublished(where, cause, str(error))
        if line.number % _LINES_A_REPORT == 0:
            intake.report(file, line.end / len(data))
    if not any_candidate:
        because = f" ({first_reason})" if first_reason else ""
        raise InputError(
            f"{file}: no line of it is an indicator{because}; write one JSON object a line, with `type` and `value`"
        )


def _parse(parser: StrictParser, text: bytes) -> Parsed:
    if len(text) > LINE_BYTES_MAX:
        raise NotJsonError(f"is longer than {LINE_BYTES_MAX} bytes; an indicator needs a few hundred")
    try:
        return parser.parse(text.decode())
    except NotJsonError as error:
        raise NotJsonError(str(error).replace("line 1, ", "")) from None  # the place says the line


def _sound(parsed: Parsed) -> dict[str, Any]:
    """Return the object of a line.

    Raises:
        NotJsonError: It has a fault, or is no object.
    """
    if parsed.fault:
        raise NotJsonError(f"{parsed.fault}; correct the line")
    if not isinstance(parsed.value, dict):
        raise NotJsonError("is not a JSON object; write one indicator a line")
    return parsed.value


def _admit(value: dict[str, Any], where: InputLocation, intake: ImportContext, register: IdRegister) -> ParsedEntry:
    type_name = value.get("type")
    own_id = value.get("id") is not None
    fields = merge(intake.facts(type_name if isinstance(type_name, str) else ""), value)
    if not own_id:
        fields["id"] = intake.make_id()
    indicator = build(fields)
    if not own_id and (indicator.action is not Action.PUBLISH or indicator.version > 1):
        raise InputError("id: is missing; a later version, or a withdrawal, names the item that it concerns")
    if indicator.source.state != intake.source.state:
        reason = "source.state is not the State that publishes (--state); publish it for the State that holds it"
        return unpublished(where, Cause.OTHER_STATE, reason)
    return register.admit(where, indicator, by_value=not own_id)
