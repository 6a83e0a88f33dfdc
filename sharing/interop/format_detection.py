"""Detects the format of a file from its content, and explains in one sentence why a file cannot be read."""

from __future__ import annotations

import codecs
import hashlib
import mmap
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, assert_never

from sharing.errors import InputError
from sharing.interop.import_context import FILE_BYTES_MAX, FileFormat
from sharing.interop.stix.bundle import is_stix
from sharing.interop.strict_json import NotJsonError, ParsedJson, StrictJsonParser
from sharing.model.values import VALUE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_BYTES_MAX = 1024 * 1024
"""A longer line of a JSON lines file is not parsed but listed as unpublished: an indicator is a few hundred bytes."""

_CHUNK = 1024 * 1024
_RELEASED_BYTES = 8 * 1024 * 1024
_MARK_BYTES = 16

InputData = bytes | mmap.mmap
"""The content of a file: a long one is mapped into memory, from a copy that nobody else can change."""

_UTF16_AND_UTF32_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")
_SUPPORTED = "this version reads JSON lines, MISP events and STIX bundles"
_NAMES = {FileFormat.MISP: "MISP", FileFormat.STIX: "STIX"}
_ONE_PER_LINE = "write one indicator per line, as in `jq -c . FILE`"


class TextLine(NamedTuple):
    """A line that is not blank: its number (from 1), its bytes, and the offset in the file at which it ends."""

    number: int
    text: bytes
    end: int


class DetectedFormat(NamedTuple):
    """The format of a file. `document` is the parsed MISP or STIX file, or None for JSON lines."""

    format: Literal[FileFormat.JSONL, FileFormat.MISP, FileFormat.STIX]
    document: Any = None


def iterate_lines(data: InputData) -> Iterator[TextLine]:
    """Yield the lines that are not blank, without a byte order mark. Only LF ends a line."""
    start = len(codecs.BOM_UTF8) if data[: len(codecs.BOM_UTF8)] == codecs.BOM_UTF8 else 0
    number = 0
    released = 0
    while start < len(data):
        if start - released > _RELEASED_BYTES:
            released = start
            _release_memory(data)
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        number += 1
        text = data[start:end].strip(b" \t\r")
        if text:
            yield TextLine(number, text, end)
        start = end + 1


def count_lines(data: InputData) -> int:
    """Return about how many lines a file has."""
    return 1 + sum(chunk.count(b"\n") for chunk in _iterate_chunks(data))


def compute_sha256(data: InputData) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    for chunk in _iterate_chunks(data):
        digest.update(chunk)
    return digest.hexdigest()


def _release_memory(data: InputData) -> None:
    """Let the memory of a mapped file be used for something else: what is read again comes from the file."""
    if isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)


def check_is_text(data: InputData, file: str) -> None:
    """Check that a file is UTF-8 text, in chunks rather than all at once.

    Raises:
        InputError: The file is empty, compressed, binary, or in another encoding. The message says what to do.
    """
    start = data[:_MARK_BYTES]
    if start.startswith(_COMPRESSED):
        raise InputError(f"{file}: is compressed; unpack it first")
    if start.startswith(_UTF16_AND_UTF32_MARKS) or _alternates_with_nul(data):
        raise InputError(f"{file}: is UTF-16 or UTF-32 text; convert it to UTF-8, as in `iconv -f UTF-16 -t UTF-8`")
    if any(b"\0" in chunk for chunk in _iterate_chunks(data)):
        raise InputError(f"{file}: is binary, not text; {_SUPPORTED}")
    _check_utf8(data, file)
    if next(iterate_lines(data), None) is None:
        raise InputError(f"{file}: is empty; {_SUPPORTED}")


def _iterate_chunks(data: InputData) -> Iterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
        _release_memory(data)


def _check_utf8(data: InputData, file: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 0
    for start, chunk in zip(range(0, len(data), _CHUNK), _iterate_chunks(data), strict=True):
        try:
            decoder.decode(chunk, final=start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            carried = len(error.object) - len(chunk)  # the first bytes of a character that began in the last chunk
            before = chunk[: max(0, error.start - carried)]
            line = lines + before.count(b"\n") + 1
            message = f"{file}: is not UTF-8 text (line {line}); convert it to UTF-8"
            raise InputError(message, location=str(line)) from None
        lines += chunk.count(b"\n")


def _alternates_with_nul(data: InputData) -> bool:
    """Return whether every second of the first bytes is NUL, as in UTF-16 without a byte order mark."""
    return any(data[:64:2]) != any(data[1:64:2]) and len(data) > 1


def detect_format(data: InputData, file: str, requested: FileFormat) -> DetectedFormat:
    """Return the format of a file.

    Args:
        data: Content of the file: UTF-8 text that is not empty.
        file: Name of the file, for errors.
        requested: The format that the user named, or AUTO.

    Raises:
        InputError: The file is neither JSON lines nor MISP nor STIX, or not in the format that the user named.
    """
    match requested:
        case FileFormat.JSONL:
            return DetectedFormat(FileFormat.JSONL)
        case FileFormat.MISP | FileFormat.STIX:
            parsed = _parse_document(StrictJsonParser(), data, file)
            detected = _detect_document(parsed, file)
            if detected.format is not requested:
                raise InputError(f"{file}: is {_NAMES[detected.format]}, not {_NAMES[requested]}; leave --format out")
            return detected
        case FileFormat.AUTO:
            return _detect_any_format(data, file)
        case _ as unreachable:
            assert_never(unreachable)


def is_indicator_candidate(value: Any) -> bool:
    """Return whether a JSON value is meant as an indicator: it has a value, or a known type."""
    return isinstance(value, dict) and (
        "value" in value or (isinstance(value.get("type"), str) and value["type"] in VALUE_TYPES)
    )


def _detect_any_format(data: InputData, file: str) -> DetectedFormat:
    parser = StrictJsonParser()
    lines = iterate_lines(data)
    first_line, is_single_line = next(lines), next(lines, None) is None
    if is_single_line:
        return _detect_single_document(_parse_document(parser, data, file), file, is_single_line=True)
    first = _try_parse_line(parser, first_line.text)
    if first is not None and isinstance(first.value, dict):
        if is_stix(first.value):
            raise InputError(
                f"{file}: has one STIX object per line; make one list of them, as in `jq -s . FILE`, or export a bundle"
            )
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


def _parse_document(parser: StrictJsonParser, data: InputData, file: str) -> ParsedJson:
    if len(data) > FILE_BYTES_MAX:
        raise InputError(
            f"{file}: is one JSON document of {len(data)} bytes, more than the limit of {FILE_BYTES_MAX}; split it, or "
            f"{_ONE_PER_LINE}"
        )
    try:
        return parser.parse(data[:].decode("utf-8-sig"))
    except NotJsonError as error:
        raise NotJsonError(f"{file}: {error}; {_SUPPORTED}", line=error.line) from None


def _try_parse_line(parser: StrictJsonParser, text: bytes) -> ParsedJson | None:
    if len(text) > LINE_BYTES_MAX:
        return None
    try:
        return parser.parse(text.decode())
    except NotJsonError:
        return None


def _holds_mostly_indicators(parser: StrictJsonParser, data: InputData) -> bool:
    """Return whether at least half of the lines are meant as indicators: JSON lines, some of which are broken."""
    parsed_lines = (_try_parse_line(parser, line.text) for line in iterate_lines(data))
    candidates = [parsed is not None and is_indicator_candidate(parsed.value) for parsed in parsed_lines]
    return 2 * sum(candidates) >= len(candidates)


def _detect_single_document(parsed: ParsedJson, file: str, *, is_single_line: bool) -> DetectedFormat:
    """Return the format of a file that is one JSON document."""
    value = parsed.value
    if is_stix(value):
        return _detect_document(parsed, file)
    if is_indicator_candidate(value):
        if is_single_line:
            return DetectedFormat(FileFormat.JSONL)
        raise InputError(f"{file}: is one indicator over several lines; {_ONE_PER_LINE}")
    if isinstance(value, list) and any(is_indicator_candidate(item) for item in value):
        raise InputError(
            f"{file}: is a JSON list of indicators; write one indicator per line, as in `jq -c '.[]' FILE`"
        )
    return _detect_document(parsed, file)


def _detect_document(parsed: ParsedJson, file: str) -> DetectedFormat:
    has_stix = is_stix(parsed.value)
    if not has_stix and not _is_misp(parsed.value):
        raise InputError(
            f"{file}: is JSON, but contains neither a MISP event nor a STIX object nor indicators; {_SUPPORTED}"
        )
    if parsed.fault:
        raise InputError(f"{file}: {parsed.fault}; correct it, nothing in the file was read")
    return DetectedFormat(FileFormat.STIX if has_stix else FileFormat.MISP, parsed.value)


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
