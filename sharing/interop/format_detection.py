"""Detects the format of a file from its content, and explains in one sentence why a file cannot be read."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, assert_never

from sharing.errors import InputError
from sharing.interop.import_context import FileFormat
from sharing.interop.strict_json import NotJsonError, ParsedJson, StrictJsonParser
from sharing.model.values import VALUE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_BYTES_MAX = 1024 * 1024
"""A longer line of a JSON lines file is not parsed but listed as unpublished: an indicator is a few hundred bytes."""

_CHUNK = 1024 * 1024
_UTF16_AND_UTF32_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")
_SUPPORTED = "this version reads JSON lines and MISP events"
_ONE_PER_LINE = "write one indicator per line, as in `jq -c . FILE`"


class TextLine(NamedTuple):
    """A line that is not blank: its number (from 1), its bytes, and the offset in the file at which it ends."""

    number: int
    text: bytes
    end: int


class DetectedFormat(NamedTuple):
    """The format of a file. `document` is the parsed MISP file, or None for JSON lines."""

    format: Literal[FileFormat.JSONL, FileFormat.MISP]
    document: Any = None


def iterate_lines(data: bytes) -> Iterator[TextLine]:
    """Yield the lines that are not blank, without a byte order mark. Only LF ends a line."""
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    number = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        number += 1
        text = data[start:end].strip(b" \t\r")
        if text:
            yield TextLine(number, text, end)
        start = end + 1


def check_is_text(data: bytes, file: str) -> None:
    """Check that a file is UTF-8 text, in chunks rather than all at once.

    Raises:
        InputError: The file is empty, compressed, binary, or in another encoding. The message says what to do.
    """
    if data.startswith(_COMPRESSED):
        raise InputError(f"{file}: is compressed; unpack it first")
    if data.startswith(_UTF16_AND_UTF32_MARKS) or _alternates_with_nul(data):
        raise InputError(f"{file}: is UTF-16 or UTF-32 text; convert it to UTF-8, as in `iconv -f UTF-16 -t UTF-8`")
    if b"\0" in data:
        raise InputError(f"{file}: is binary, not text; {_SUPPORTED}")
    _check_utf8(data, file)
    if next(iterate_lines(data), None) is None:
        raise InputError(f"{file}: is empty; {_SUPPORTED}")


def _check_utf8(data: bytes, file: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK]
        try:
            decoder.decode(chunk, final=start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            carried = len(error.object) - len(chunk)  # the first bytes of a character that began in the last chunk
            line = data.count(b"\n", 0, start - carried + error.start) + 1
            message = f"{file}: is not UTF-8 text (line {line}); convert it to UTF-8"
            raise InputError(message, location=str(line)) from None


def _alternates_with_nul(data: bytes) -> bool:
    """Return whether every second of the first bytes is NUL, as in UTF-16 without a byte order mark."""
    return any(data[:64:2]) != any(data[1:64:2]) and len(data) > 1


def detect_format(data: bytes, file: str, requested: FileFormat) -> DetectedFormat:
    """Return the format of a file.

    Args:
        data: Content of the file: UTF-8 text that is not empty.
        file: Name of the file, for errors.
        requested: The format that the user named, or AUTO.

    Raises:
        InputError: The file is neither JSON lines nor MISP, or not in the format that the user named.
    """
    match requested:
        case FileFormat.STIX:
            raise _make_stix_error(file)
        case FileFormat.JSONL:
            return DetectedFormat(FileFormat.JSONL)
        case FileFormat.MISP:
            return _detect_misp(_parse_document(StrictJsonParser(), data, file), file)
        case FileFormat.AUTO:
            return _detect_any_format(data, file)
        case _ as unreachable:
            assert_never(unreachable)


def is_indicator_candidate(value: Any) -> bool:
    """Return whether a JSON value is meant as an indicator: it has a value, or a known type."""
    return isinstance(value, dict) and (
        "value" in value or (isinstance(value.get("type"), str) and value["type"] in VALUE_TYPES)
    )


def _detect_any_format(data: bytes, file: str) -> DetectedFormat:
    parser = StrictJsonParser()
    lines = iterate_lines(data)
    first_line, is_single_line = next(lines), next(lines, None) is None
    if is_single_line:
        return _detect_single_document(_parse_document(parser, data, file), file, is_single_line=True)
    first = _try_parse_line(parser, first_line.text)
    if first is not None and isinstance(first.value, dict):
        if _is_stix(first.value):
            raise _make_stix_error(file)
        if _is_misp(first.value):
            raise InputError(
                f"{file}: has more content after its MISP event; write one event per file, or a JSON list of events"
            )
        return DetectedFormat(FileFormat.JSONL)
    try:
        return _detect_single_document(_parse_document(parser, data, file), file, is_single_line=False)
    except NotJsonError:
        if _holds_mostly_indicators(parser, data):
            return DetectedFormat(FileFormat.JSONL)
        raise


def _parse_document(parser: StrictJsonParser, data: bytes, file: str) -> ParsedJson:
    try:
        return parser.parse(data.decode("utf-8-sig"))
    except NotJsonError as error:
        raise NotJsonError(f"{file}: {error}; {_SUPPORTED}", line=error.line) from None


def _try_parse_line(parser: StrictJsonParser, text: bytes) -> ParsedJson | None:
    if len(text) > LINE_BYTES_MAX:
        return None
    try:
        return parser.parse(text.decode())
    except NotJsonError:
        return None


def _holds_mostly_indicators(parser: StrictJsonParser, data: bytes) -> bool:
    """Return whether at least half of the lines are meant as indicators: JSON lines, some of which are broken."""
    parsed_lines = (_try_parse_line(parser, line.text) for line in iterate_lines(data))
    candidates = [parsed is not None and is_indicator_candidate(parsed.value) for parsed in parsed_lines]
    return 2 * sum(candidates) >= len(candidates)


def _detect_single_document(parsed: ParsedJson, file: str, *, is_single_line: bool) -> DetectedFormat:
    """Return the format of a file that is one JSON document."""
    value = parsed.value
    if is_indicator_candidate(value):
        if is_single_line:
            return DetectedFormat(FileFormat.JSONL)
        raise InputError(f"{file}: is one indicator over several lines; {_ONE_PER_LINE}")
    if isinstance(value, list) and any(is_indicator_candidate(item) for item in value):
        raise InputError(
            f"{file}: is a JSON list of indicators; write one indicator per line, as in `jq -c '.[]' FILE`"
        )
    return _detect_misp(parsed, file)


def _detect_misp(parsed: ParsedJson, file: str) -> DetectedFormat:
    if _is_stix(parsed.value):
        raise _make_stix_error(file)
    if not _is_misp(parsed.value):
        raise InputError(f"{file}: is JSON, but contains neither a MISP event nor indicators; {_SUPPORTED}")
    if parsed.fault:
        raise InputError(f"{file}: {parsed.fault}; correct it, nothing in the file was read")
    return DetectedFormat(FileFormat.MISP, parsed.value)


def _is_misp(value: Any) -> bool:
    """Return whether a JSON value has the shape of one of MISP's containers, or is a bare event."""
    if isinstance(value, list):
        return any(isinstance(item, dict) and _is_misp(item) for item in value)
    return (
        isinstance(value, dict)
        and not is_indicator_candidate(value)
        and (
            isinstance(value.get("Event"), dict)
            or isinstance(value.get("response"), list | dict)
            or isinstance(value.get("Attribute"), list)
            or isinstance(value.get("Object"), list)
        )
    )


def _is_stix(value: Any) -> bool:
    return isinstance(value, dict) and (
        "spec_version" in value or (value.get("type") == "bundle" and str(value.get("id", "")).startswith("bundle--"))
    )


def _make_stix_error(file: str) -> InputError:
    return InputError(f"{file}: is STIX; {_SUPPORTED}, so convert it to one of them")
