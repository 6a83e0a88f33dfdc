"""Which format a file has, by its content; and what it is that cannot be read, in one sentence."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.json_text import NotJsonError, Parsed, StrictParser
from sharing.interop.reading import FileFormat
from sharing.model.values import VALUE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_BYTES_MAX = 1024 * 1024
"""A longer line of JSON lines is listed, not parsed: an indicator is a few hundred bytes."""

_CHUNK = 1024 * 1024
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")
_READABLE = "this version reads JSON lines and MISP events"
_INDENTED = "write one indicator a line, as in `jq -c . FILE`"


class Line(NamedTuple):
    """One line that is not blank: its number from 1, its bytes, and where it ends in the file."""

    number: int
    text: bytes
    end: int


class Content(NamedTuple):
    """What a file turned out to be; `document` is the parsed MISP file, and None for JSON lines."""

    format: FileFormat
    document: Any = None


def lines(data: bytes) -> Iterator[Line]:
    """Yield the lines that are not blank, without a byte order mark. Only LF ends a line."""
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    number = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        number += 1
        text = data[start:end].strip(b" \t\r")
        if text:
            yield Line(number, text, end)
        start = end + 1


def check_text(data: bytes, file: str) -> None:
    """Check that a file is UTF-8 text, without decoding the whole of it at once.

    Raises:
        InputError: It is empty, compressed, binary, or in another encoding; the message says what to do.
    """
    if data.startswith(_COMPRESSED):
        raise InputError(f"{file}: is compressed; unpack it first")
    if data.startswith(_WIDE_MARKS) or _alternates_with_nul(data):
        raise InputError(f"{file}: is UTF-16 or UTF-32 text; convert it to UTF-8, as in `iconv -f UTF-16 -t UTF-8`")
    if b"\0" in data:
        raise InputError(f"{file}: is binary, not text; {_READABLE}")
    _check_utf8(data, file)
    if next(lines(data), None) is None:
        raise InputError(f"{file}: is empty; {_READABLE}")


def _check_utf8(data: bytes, file: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK]
        try:
            decoder.decode(chunk, final=start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            carried = len(error.object) - len(chunk)  # the first bytes of a character, from the chunk before
            line = data.count(b"\n", 0, start - carried + error.start) + 1
            raise InputError(f"{file}: is not UTF-8 text (line {line}); convert it to UTF-8", place=str(line)) from None


def _alternates_with_nul(data: bytes) -> bool:
    """Return whether every other of the first bytes is NUL, as in UTF-16 without a mark."""
    return any(data[:64:2]) != any(data[1:64:2]) and len(data) > 1


def recognise(data: bytes, file: str, wanted: FileFormat) -> Content:
    """Return what a checked file holds.

    Args:
        data: Its bytes, UTF-8 text that is not empty.
        file: Its name, for errors.
        wanted: The format that the user named, or AUTO.

    Raises:
        InputError: It is neither JSON lines nor MISP, or not what the user named.
    """
    if wanted is FileFormat.STIX:
        raise _stix(file)
    if wanted is FileFormat.JSONL:
        return Content(FileFormat.JSONL)
    parser = StrictParser()
    if wanted is FileFormat.MISP:
        return _misp(_parse(parser, data, file), file)
    found = lines(data)
    first, single = next(found), next(found, None) is None
    if single:
        return _document(_parse(parser, data, file), file, single_line=True)
    start = _try(parser, first.text)
    if start is not None and isinstance(start.value, dict):
        if _is_stix(start.value):
            raise _stix(file)
        if _is_misp(start.value):
            raise InputError(f"{file}: holds more after its MISP event; put one in a file, or all into a JSON list")
        return Content(FileFormat.JSONL)
    try:
        return _document(_parse(parser, data, file), file, single_line=False)
    except NotJsonError:
        if _mostly_indicators(parser, data):
            return Content(FileFormat.JSONL)
        raise


def is_candidate(value: Any) -> bool:
    """Return whether a JSON value means to be an indicator: it has a value, or a type that is known."""
    return isinstance(value, dict) and (
        "value" in value or (isinstance(value.get("type"), str) and value["type"] in VALUE_TYPES)
    )


def _parse(parser: StrictParser, data: bytes, file: str) -> Parsed:
    try:
        return parser.parse(data.decode("utf-8-sig"))
    except NotJsonError as error:
        raise NotJsonError(f"{file}: {error}; {_READABLE}", line=error.line) from None


def _try(parser: StrictParser, text: bytes) -> Parsed | None:
    if len(text) > LINE_BYTES_MAX:
        return None
    try:
        return parser.parse(text.decode())
    except NotJsonError:
        return None


def _mostly_indicators(parser: StrictParser, data: bytes) -> bool:
    """Return whether at least half of the lines mean to be indicators: JSON lines of which some are broken."""
    found = (_try(parser, line.text) for line in lines(data))
    means = [one is not None and is_candidate(one.value) for one in found]
    return 2 * sum(means) >= len(means)


def _document(parsed: Parsed, file: str, *, single_line: bool) -> Content:
    """Return what a file of one JSON document holds."""
    value = parsed.value
    if is_candidate(value):
        if single_line:
            return Content(FileFormat.JSONL)
        raise InputError(f"{file}: is one indicator over several lines; {_INDENTED}")
    if isinstance(value, list) and any(is_candidate(item) for item in value):
        raise InputError(f"{file}: is a JSON list of indicators; write one a line, as in `jq -c '.[]' FILE`")
    return _misp(parsed, file)


def _misp(parsed: Parsed, file: str) -> Content:
    if _is_stix(parsed.value):
        raise _stix(file)
    if not _is_misp(parsed.value):
        raise InputError(f"{file}: is JSON, but holds neither a MISP event nor indicators; {_READABLE}")
    if parsed.fault:
        raise InputError(f"{file}: {parsed.fault}; correct it, nothing of the file is read")
    return Content(FileFormat.MISP, parsed.value)


def _is_misp(value: Any) -> bool:
    """Return whether a JSON value has the shape of MISP's containers, or is a bare event."""
    if isinstance(value, list):
        return any(isinstance(item, dict) and _is_misp(item) for item in value)
    return (
        isinstance(value, dict)
        and not is_candidate(value)
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


def _stix(file: str) -> InputError:
    return InputError(f"{file}: is STIX; {_READABLE}, so convert it to one of them")
