"""Reads recorded indicators for replay: from Avro object container files, JSON lines, or a range of a topic.

Records that cannot be read or belong to another State are counted and reported with their location and reason; reading
continues with the next record. Records of containers and topics are checked as the gate checks them, and can be read in
columnar form. Lines of JSON are validated field by field, which is many times slower.
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
from sharing.ids import make_content_id
from sharing.interop.format_detection import LINE_BYTES_MAX
from sharing.interop.publishing_profile import merge_fields
from sharing.interop.strict_json import StrictJsonParser
from sharing.kafka.topic_range import TopicRange
from sharing.model.indicator_record import WireRecord
from sharing.replay.admission import AdmissionStats
from sharing.replay.avro_containers import CONTAINER_MAGIC, ContainerBlock, DamagedContainerError, read_blocks
from sharing.replay.sealed_records import SealedRecords
from sharing.serialization.codec import get_codec, read_schema_text
from sharing.serialization.indicator_encoder import parse_indicator

ProgressCallback = Callable[[int], object]
"""Called with the progress: bytes of the files, or offsets of the topic."""

_BATCH_RECORDS = 5_000
_PROGRESS_LINES = 1_000
_BOM = b"\xef\xbb\xbf"


LocatedRecord = tuple[str, WireRecord | InputError]
"""The location of a record, and the record or why it cannot be read."""


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """Recorded indicators in order. They can be read in columnar form or record by record.

    Attributes:
        source: The file or topic.
        size: Number of records; 0 if they can only be read record by record.
        read_columns: Reads the clearly valid records in columnar form, as of a time in UTC milliseconds.
        iter_records: Yields the records in order, before admission (`AdmissionStats.admit`).
    """

    source: str
    size: int
    read_columns: Callable[[IndicatorReader, int], Iterable[ColumnBatch]]
    iter_records: Callable[[], Iterator[LocatedRecord]]


def read_recorded_files(
    paths: Iterable[Path], state: str, report_progress: ProgressCallback
) -> Iterator[RecordedBatch]:
    """Yield the indicators in files. The format of each file is detected from its first bytes.

    Args:
        paths: The files.
        state: The providing State of indicators in JSON lines that name none.
        report_progress: Called with the number of bytes read from all files.

    Raises:
        InputError: A file cannot be opened, or contains other records than indicators.
    """
    done = 0
    for path in paths:
        before = done

        def report_position(position: int, before: int = before) -> None:
            report_progress(before + position)

        with _open(path) as file:
            done += os.fstat(file.fileno()).st_size
            is_container = _read_start(path, file) == CONTAINER_MAGIC
            file.seek(0)
            read_batches = _read_container if is_container else _read_lines
            yield from read_batches(file, str(path), state, report_position)
        report_progress(done)


def admit_records(batches: Iterable[RecordedBatch], admission: AdmissionStats) -> Iterator[WireRecord]:
    """Yield the records that are admitted; the others are counted as rejected."""
    for batch in batches:
        for location, result in batch.iter_records():
            record = admission.admit_or_count(batch.source, location, result)
            if record is not None:
                yield record


def measure_files(paths: Iterable[Path]) -> int:
    """Return the total size of some files in bytes.

    Raises:
        InputError: A file cannot be opened.
    """
    total = 0
    for path in paths:
        with _open(path) as file:
            total += os.fstat(file.fileno()).st_size
    return total


def read_topic_range(
    topic: TopicRange, name: str, report_progress: ProgressCallback, sealed: SealedRecords
) -> Iterator[RecordedBatch]:
    """Yield the indicators in a range of a topic.

    Args:
        topic: The range.
        name: The topic's name.
        report_progress: Called with the number of offsets read.
        sealed: Opens its sealed records.

    Raises:
        InfrastructureError: The broker denies access or does not respond for a minute.
    """
    decoder = BulkDecoder(get_codec("indicator"), read_schema_text("indicator"))
    done = 0
    for messages in topic.read_batches():
        yield _make_message_batch(messages, name, decoder, sealed)
        done += len(messages)
        report_progress(done)


def _make_message_batch(
    messages: Sequence[Message], name: str, decoder: BulkDecoder, sealed: SealedRecords
) -> RecordedBatch:
    keys = [message.key() for message in messages]
    values, refused = sealed.open_values([message.value() for message in messages], keys)

    def read_columns(reader: IndicatorReader, now_ms: int) -> Iterable[ColumnBatch]:
        return reader.read_batch(values, keys, now_ms)

    def iter_records() -> Iterator[LocatedRecord]:
        for position, (message, key, record) in enumerate(zip(messages, keys, decoder.decode(values), strict=True)):
            location = f"{message.partition()}@{message.offset()}"
            if position in refused:
                yield location, InputError(refused[position])
            elif not isinstance(record, DecodeError) and key != record["id"].encode():
                yield location, InputError("id: must equal the record key")
            else:
                yield location, record

    return RecordedBatch(name, len(messages), read_columns, iter_records)


def _open(path: Path) -> IO[bytes]:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a regular file; name files of recorded indicators")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: the path contains a NUL character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path}: cannot be read ({reason}); check the path and your permissions") from None


def _read_start(path: Path, file: IO[bytes]) -> bytes:
    """Return the first bytes of a file, as many as tell a container."""
    try:
        return file.read(len(CONTAINER_MAGIC))
    except OSError as error:  # a file of the kernel, or a bad disk
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and your permissions") from None


def _read_container(file: IO[bytes], name: str, _: str, report_progress: ProgressCallback) -> Iterator[RecordedBatch]:
    """Yield batches of some thousands of records. Damage is reported after the records before it, and ends reading."""
    progress = _ContainerProgress(name)
    blocks: list[ContainerBlock] = []
    try:
        for block in read_blocks(file, name):
            blocks.append(block)
            if sum(read.record_count for read in blocks) >= _BATCH_RECORDS:
                yield progress.make_batch(blocks)
                if progress.is_damaged:
                    return
                report_progress(file.tell())
                blocks = []
    except DamagedContainerError as error:
        yield progress.make_batch(blocks)
        if not progress.is_damaged:
            yield progress.make_batch([], error)
    else:
        yield progress.make_batch(blocks)


@dataclass(slots=True)
class _ContainerProgress:
    """The progress of reading a container.

    Attributes:
        done: Number of records in the batches made so far.
        is_damaged: Whether damage was found, so that reading ends.
    """

    name: str
    done: int = 0
    is_damaged: bool = False

    def make_batch(
        self, blocks: Sequence[ContainerBlock], damage: DamagedContainerError | None = None
    ) -> RecordedBatch:
        """Return the next blocks as a batch.

        Args:
            blocks: The next blocks.
            damage: The damage that follows them, if any.
        """
        first, self.done = self.done, self.done + sum(block.record_count for block in blocks)
        current = [block.current_schema_block for block in blocks if block.current_schema_block is not None]

        def read_columns(reader: IndicatorReader, now_ms: int) -> Iterable[ColumnBatch]:
            return reader.read_blocks(current, now_ms) if current else ()

        return RecordedBatch(
            self.name, self.done - first, read_columns, lambda: self._iter_records(blocks, first, damage)
        )

    def _iter_records(
        self, blocks: Sequence[ContainerBlock], first: int, damage: DamagedContainerError | None
    ) -> Iterator[LocatedRecord]:
        number = first
        try:
            for block in blocks:
                for record in block.iter_records():
                    number += 1
                    yield f"record {number}", record
            if damage is not None:
                raise damage
        except DamagedContainerError as error:
            self.is_damaged = True
            reason = f"the rest of the file is damaged ({error}); record it again"
            yield f"after record {number}", InputError(reason)


def _read_lines(file: IO[bytes], name: str, state: str, report_progress: ProgressCallback) -> Iterator[RecordedBatch]:
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
