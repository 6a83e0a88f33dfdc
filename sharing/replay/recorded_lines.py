"""Reads recorded indicators from JSON lines. Each is validated field by field, many times slower than a container."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from sharing.columnar.column_batch import ColumnBatch
from sharing.columnar.indicators import IndicatorReader
from sharing.errors import InputError
from sharing.ids import make_content_id
from sharing.interop.format_detection import LINE_BYTES_MAX
from sharing.interop.publishing_profile import merge_fields
from sharing.interop.strict_json import StrictJsonParser
from sharing.model.indicator_record import WireRecord
from sharing.replay.recorded_batch import LocatedRecord, ProgressCallback, RecordedBatch
from sharing.serialization.indicator_encoder import parse_indicator

_PROGRESS_LINES = 1_000
_BOM = b"\xef\xbb\xbf"


def read_lines(file: IO[bytes], name: str, state: str, report_progress: ProgressCallback) -> Iterator[RecordedBatch]:
    """Yield a single batch. The file is read while its records are iterated."""
    yield RecordedBatch(name, 0, _read_no_columns, lambda: _iter_lines(file, name, state, report_progress))


def _read_no_columns(_: IndicatorReader, __: int) -> Iterable[ColumnBatch]:
    return ()


def _iter_lines(file: IO[bytes], name: str, state: str, report_progress: ProgressCallback) -> Iterator[LocatedRecord]:
    parser = StrictJsonParser()
    defaults = {"source": {"state": state, "agency": "unnamed"}}
    for number in itertools.count(1):
        line = file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return
        text = line.removeprefix(_BOM if number == 1 else b"").strip()
        try:
            if len(line) > LINE_BYTES_MAX:
                _skip_rest_of_line(file, line)
                raise InputError(f"is longer than {LINE_BYTES_MAX} bytes; an indicator takes a few hundred")
            result: WireRecord | InputError | None = None
            if text:
                result = _read_line(parser, text, defaults, f"{Path(name).name}/{number}")
        except InputError as error:
            result = error
        if result is not None:
            yield f"line {number}", result
        if number % _PROGRESS_LINES == 0:
            report_progress(file.tell())


def _skip_rest_of_line(file: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(LINE_BYTES_MAX)


def _read_line(parser: StrictJsonParser, text: bytes, defaults: WireRecord, identity: str) -> WireRecord:
    """Return the record of a line. If it has no id, it gets the id that `law explain` derives, the same each time.

    Raises:
        InputError: The line is not a valid indicator.
    """
    try:
        parsed = parser.parse(text.decode())
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text; convert the file") from None
    if parsed.fault:
        raise InputError(f"{parsed.fault}; correct the line")
    if not isinstance(parsed.value, dict):
        raise InputError("is not a JSON object; write one indicator per line")
    value = merge_fields(defaults, parsed.value)
    if value.get("id") is None:
        value["id"] = make_content_id(identity)
    return parse_indicator(value).to_record()
