"""A changelog without Kafka for tests of the state store: records, markers, compaction, and recreated topics."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from processors.exactly_once.partition_store import StoreIdentity
from processors.exactly_once.state_store import OffsetRange

HOUR_MS = 60 * 60 * 1000
TOMBSTONE_RETENTION_MS = 24 * HOUR_MS
PARTITIONS = (0, 1)
TOPIC = "state"

Entry = tuple[bytes, bytes | None]


@dataclass
class LoggedRecord:
    """A committed record in the changelog."""

    offset: int
    key: bytes
    value: bytes | None
    at_ms: int


@dataclass
class LoggedPartition:
    """A partition: its committed records and its end. Markers and aborted records take offsets, too."""

    records: list[LoggedRecord] = field(default_factory=list)
    end: int = 0


class FakeChangelog:
    """A compacted topic with the interface of `Changelog`.

    Attributes:
        now_ms: The current time; tests set it.
        records_read: Number of records passed to readers so far.
        die_after: Number of records after which the reader's process dies; None for never.
        topic_id: Id of the topic; a recreated topic has a new one.
        partitions: The partitions of the topic.
    """

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000
        self.records_read = 0
        self.bulk_records = 3
        self.die_after: int | None = None
        self.recreate_topic()

    def recreate_topic(self) -> None:
        """Delete the topic and create it again under the same name."""
        self.topic_id = uuid.uuid4().hex
        self.partitions = {partition: LoggedPartition() for partition in PARTITIONS}

    def write_transaction(self, partition: int, changes: Iterable[Entry], *, committed: bool = True) -> int:
        """Write a transaction and its marker; return the offset after its last record."""
        log = self.partitions[partition]
        for key, value in changes:
            if committed:
                log.records.append(LoggedRecord(log.end, key, value, self.now_ms))
            log.end += 1
        log.end += 1
        return log.end - 1

    def compact(self) -> None:
        """Keep the last record of each key, and tombstones for their retention time."""
        for log in self.partitions.values():
            last = {record.key: record for record in log.records}
            log.records = [
                record
                for record in log.records
                if record is last[record.key]
                and (record.value is not None or self.now_ms - record.at_ms <= TOMBSTONE_RETENTION_MS)
            ]

    def read_state(self, partition: int) -> dict[bytes, bytes]:
        """Return the state that results from all committed records."""
        state: dict[bytes, bytes] = {}
        for record in self.partitions[partition].records:
            if record.value is None:
                state.pop(record.key, None)
            else:
                state[record.key] = record.value
        return state

    def get_store_identities(self, partitions: Iterable[int]) -> Mapping[int, StoreIdentity]:
        return {partition: StoreIdentity("cluster", TOPIC, self.topic_id, partition) for partition in partitions}

    def query_offset_ranges(self, partitions: Iterable[int]) -> Mapping[int, OffsetRange]:
        return {partition: OffsetRange(0, self.partitions[partition].end) for partition in partitions}

    def read_records(
        self, ranges: Mapping[int, OffsetRange], on_records: Callable[[int, list[Entry], int], None]
    ) -> bool:
        for partition, (start, end) in ranges.items():
            records = [record for record in self.partitions[partition].records if start <= record.offset < end]
            for begin in range(0, len(records), self.bulk_records):
                chunk = records[begin : begin + self.bulk_records]
                self.records_read += len(chunk)
                if self.die_after is not None and self.records_read > self.die_after:
                    raise ProcessKilled
                on_records(partition, [(record.key, record.value) for record in chunk], chunk[-1].offset + 1)
            if start < end:
                on_records(partition, [], end)
        return True


class ProcessKilled(Exception):  # noqa: N818 a signal, not an error
    """Stands for SIGKILL."""
