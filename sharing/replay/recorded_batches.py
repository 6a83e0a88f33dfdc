"""Recorded indicators, to be decided on again: of Avro object container files, of JSON lines, of a topic's range.

What cannot be read, or is not that State's, is counted and told with its place and reason; the rest is read on.
Containers and topics are checked as the gate checks them, and can be read by columns; only a line of JSON is validated
field by field, which costs many times as much.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from confluent_kafka import Message

from sharing.columnar.decoding import BulkDecoder
from sharing.columnar.indicators import ColumnBatch, IndicatorReader
from sharing.errors import DecodeError, InputError
from sharing.ids import content_id
from sharing.interop.formats import LINE_BYTES_MAX
from sharing.interop.json_text import StrictParser
from sharing.interop.profile import merge
from sharing.interop.reading import build
from sharing.kafka.topic_range import TopicRange
from sharing.model.record import WireRecord
from sharing.replay.admission import AdmissionStats
from sharing.replay.containers import MAGIC, ContainerBlock, DamagedError, read_blocks
from sharing.serialization.codec import codec_of, schema_text
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

ProgressCallback = Callable[[int], object]
"""Told how far it is: bytes of the files, or offsets of the topic."""

_RECORDS_A_BATCH = 5_000
_LINES_A_REPORT = 1_000
_BOM = b"\xef\xbb\xbf"


PlacedRecord = tuple[str, WireRecord | InputError]
"""A record, or why it cannot be read, with its place."""


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """Recorded indicators in their order, to be read in one way or the other.

    Attributes:
        source: The file or topic.
        size: How many there are; 0 where they are read one by one only.
        parts: By columns: of what is plainly in order, and with places from 0 on. The instant is in UTC milliseconds.
        records: One by one. What is asked of an indicator by itself is not yet looked at (`Intake.admit`).
    """

    source: str
    size: int
    parts: Callable[[IndicatorReader, int], Iterable[ColumnBatch]]
    records: Callable[[], Iterator[PlacedRecord]]


def read_files(paths: Iterable[Path], state: str, report: ProgressCallback) -> Iterator[RecordedBatch]:
    """Yield the indicators in files; which format each has, its first bytes tell.

    Args:
        paths: Of the files.
        state: Whose indicators they are where a line of JSON does not say it.
        report: Told how many bytes of all files are done.

    Raises:
        InputError: A file cannot be opened, or holds records of something else.
    """
    done = 0
    for path in paths:
        before = done

        def tell(position: int, before: int = before) -> None:
            report(before + position)

        with _open(path) as file:
            done += os.fstat(file.fileno()).st_size
            read = _read_container if file.read(len(MAGIC)) == MAGIC else _read_lines
            file.seek(0)
            yield from read(file, str(path), state, tell)
        report(done)


def admit_each(batches: Iterable[RecordedBatch], intake: AdmissionStats) -> Iterator[WireRecord]:
    """Yield the records that may be decided on; the others are counted and told."""
    for batch in batches:
        for place, read in batch.records():
            record = intake.consider(batch.source, place, read)
            if record is not None:
                yield record


def size_of(paths: Iterable[Path]) -> int:
    """Return how many bytes some files have together.

    Raises:
        InputError: One cannot be opened.
    """
    total = 0
    for path in paths:
        with _open(path) as file:
            total += os.fstat(file.fileno()).st_size
    return total


def read_range(
    topic: TopicRange, name: str, report: ProgressCallback, framing: Framing = SINGLE_OBJECT_FRAMING
) -> Iterator[RecordedBatch]:
    """Yield the indicators in a range of a topic.

    Args:
        topic: The range.
        name: The topic's name.
        report: Told how many offsets are done.
        framing: How its records are framed.

    Raises:
        InfrastructureError: The broker refuses, or is silent for a minute.
    """
    decoder = BulkDecoder(codec_of("indicator"), schema_text("indicator"))
    done = 0
    for messages in topic.batches():
        values = [framing.unframe(message.value()) for message in messages]
        yield _batch_of_messages(messages, values, name, decoder)
        done += len(messages)
        report(done)


def _batch_of_messages(
    messages: Sequence[Message], values: Sequence[bytes | None], name: str, decoder: BulkDecoder
) -> RecordedBatch:
    keys = [message.key() for message in messages]

    def parts(reader: IndicatorReader, now_ms: int) -> Iterable[ColumnBatch]:
        return reader.read(values, keys, now_ms)

    def records() -> Iterator[PlacedRecord]:
        for message, key, record in zip(messages, keys, decoder.decode(values), strict=True):
            place = f"{message.partition()}@{message.offset()}"
            if not isinstance(record, DecodeError) and key != record["id"].encode():
                yield place, InputError("id: must be the record's key")
            else:
                yield place, record

    return RecordedBatch(name, len(messages), parts, records)


def _open(path: Path) -> IO[bytes]:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file; name files of recorded indicators")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path}: cannot be read ({reason}); check the path and your permission") from None


def _read_container(file: IO[bytes], name: str, _: str, report: ProgressCallback) -> Iterator[RecordedBatch]:
    """Yield batches of some thousands of records; damage ends them, and is told after what stands before it."""
    reading = _Container(name)
    blocks: list[ContainerBlock] = []
    try:
        for block in read_blocks(file, name):
            blocks.append(block)
            if sum(one.size for one in blocks) >= _RECORDS_A_BATCH:
                yield reading.batch(blocks)
                if reading.is_damaged:
                    return
                report(file.tell())
                blocks = []
    except DamagedError as error:
        yield reading.batch(blocks)
        if not reading.is_damaged:
            yield reading.batch([], error)
    else:
        yield reading.batch(blocks)


@dataclass(slots=True)
class _Container:
    """How far a container was read, in records, and whether it goes on."""

    name: str
    done: int = 0
    is_damaged: bool = False

    def batch(self, blocks: Sequence[ContainerBlock], damage: DamagedError | None = None) -> RecordedBatch:
        """Return some blocks that follow on what was read, and perhaps what ends them."""
        first, self.done = self.done, self.done + sum(block.size for block in blocks)
        current = [block.current for block in blocks if block.current is not None]

        def parts(reader: IndicatorReader, now_ms: int) -> Iterable[ColumnBatch]:
            return reader.read_blocks(current, now_ms) if current else ()

        return RecordedBatch(self.name, self.done - first, parts, lambda: self._records(blocks, first, damage))

    def _records(
        self, blocks: Sequence[ContainerBlock], first: int, damage: DamagedError | None
    ) -> Iterator[PlacedRecord]:
        number = first
        try:
            for block in blocks:
                for record in block.records():
                    number += 1
                    yield f"record {number}", record
            if damage is not None:
                raise damage
        except DamagedError as error:
            self.is_damaged = True
            reason = f"the rest of the file is damaged ({error}); record it anew"
            yield f"after record {number}", InputError(reason)


def _read_lines(file: IO[bytes], name: str, state: str, report: ProgressCallback) -> Iterator[RecordedBatch]:
    """Yield one batch, that is read as it is taken."""
    yield RecordedBatch(name, 0, _no_parts, lambda: _lines(file, name, state, report))


def _no_parts(_: IndicatorReader, __: int) -> Iterable[ColumnBatch]:
    return ()


def _lines(file: IO[bytes], name: str, state: str, report: ProgressCallback) -> Iterator[PlacedRecord]:
    parser = StrictParser()
    unnamed = {"source": {"state": state, "agency": "unnamed"}}
    for number in itertools.count(1):
        line = file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return
        text = line.removeprefix(_BOM if number == 1 else b"").strip()
        try:
            if len(line) > LINE_BYTES_MAX:
                _skip_line(file, line)
                raise InputError(f"is longer than {LINE_BYTES_MAX} bytes; an indicator needs a few hundred")
            read: WireRecord | InputError | None = None
            if text:
                read = _read_line(parser, text, unnamed, f"{Path(name).name}/{number}")
        except InputError as error:
            read = error
        if read is not None:
            yield f"line {number}", read
        if number % _LINES_A_REPORT == 0:
            report(file.tell())


def _skip_line(file: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(LINE_BYTES_MAX)


def _read_line(parser: StrictParser, text: bytes, unnamed: WireRecord, identity: str) -> WireRecord:
    """Return the record of a line; one without an id gets the same one each time, as when it is explained.

    Raises:
        InputError: It is not an acceptable indicator.
    """
    try:
        parsed = parser.parse(text.decode())
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text; convert the file") from None
    if parsed.fault:
        raise InputError(f"{parsed.fault}; correct the line")
    if not isinstance(parsed.value, dict):
        raise InputError("is not a JSON object; write one indicator a line")
    value = merge(unnamed, parsed.value)
    if value.get("id") is None:
        value["id"] = content_id(identity)
    return build(value).to_wire()
