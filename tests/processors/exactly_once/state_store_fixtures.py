"""A log without Kafka for the tests of the ledger: records, markers, compaction, and topics made anew."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from processors.exactly_once.state_store import StoreIdentity

HOUR_MS = 60 * 60 * 1000
TOMBSTONES_KEPT_MS = 24 * HOUR_MS
PARTITIONS = (0, 1)

Entry = tuple[bytes, bytes | None]


@dataclass
class Written:
    """A record in the log."""

    offset: int
    key: bytes
    value: bytes | None
    at_ms: int


@dataclass
class Part:
    """A partition: committed records, and its end; markers and aborted records take offsets, too."""

    records: list[Written] = field(default_factory=list)
    end: int = 0


class FakeLog:
    """A compacted topic as `Changelog` shows it. What `now_ms` says is the time."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000
        self.reads = 0  # records given out
        self.bulk = 3
        self.break_after: int | None = None  # records, then the reader's process dies
        self.renew()

    def renew(self) -> None:
        """Delete the topic and make it anew under its name."""
        self.topic_id = uuid.uuid4().hex
        self.parts = {partition: Part() for partition in PARTITIONS}

    def write(self, partition: int, changes: Iterable[Entry], *, committed: bool = True) -> int:
        """Write a transaction and its marker; return the offset after its last record."""
        part = self.parts[partition]
        for key, value in changes:
            if committed:
                part.records.append(Written(part.end, key, value, self.now_ms))
            part.end += 1
        part.end += 1
        return part.end - 1

    def compact(self) -> None:
        """Keep the last record of each key, and tombstones for their time."""
        for part in self.parts.values():
            last = {record.key: record for record in part.records}
            part.records = [
                record
                for record in part.records
                if record is last[record.key]
                and (record.value is not None or self.now_ms - record.at_ms <= TOMBSTONES_KEPT_MS)
            ]

    def state(self, partition: int) -> dict[bytes, bytes]:
        """Return what all committed records together say."""
        found: dict[bytes, bytes] = {}
        for record in self.parts[partition].records:
            if record.value is None:
                found.pop(record.key, None)
            else:
                found[record.key] = record.value
        return found

    def identify(self, partitions: Iterable[int]) -> Mapping[int, StoreIdentity]:
        return {partition: StoreIdentity("cluster", "ledger", self.topic_id, partition) for partition in partitions}

    def spans(self, partitions: Iterable[int]) -> Mapping[int, tuple[int, int]]:
        return {partition: (0, self.parts[partition].end) for partition in partitions}

    def read(self, spans: Mapping[int, tuple[int, int]], take: Callable[[int, list[Entry], int], None]) -> bool:
        for partition, (start, end) in spans.items():
            found = [record for record in self.parts[partition].records if start <= record.offset < end]
            for begin in range(0, len(found), self.bulk):
                some = found[begin : begin + self.bulk]
                self.reads += len(some)
                if self.break_after is not None and self.reads > self.break_after:
                    raise ProcessDies
                take(partition, [(record.key, record.value) for record in some], some[-1].offset + 1)
            if start < end:
                take(partition, [], end)
        return True


class ProcessDies(Exception):  # noqa: N818 it is none
    """Stands for SIGKILL."""
