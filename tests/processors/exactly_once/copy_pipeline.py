"""An input topic, an output topic, and what was left on them by who goes from one to the other."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from processors.exactly_once.config import LoopConfig
from sharing.testing.broker import admin

if TYPE_CHECKING:
    from collections.abc import Callable

    from sharing.testing.broker import Broker

T = TypeVar("T")

PARTITIONS = 3
LIMIT_S = 150.0
SHOWN_S = 90.0
"""A commit shows a moment after its answer; behind what a killed worker left open, when the broker has aborted that."""


@dataclass
class CopyPipeline:
    """An input topic, an output topic, and who goes from one to the other."""

    broker: Broker
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    sent: int = 0
    keys: int | None = None  # how many there are, and the workers count them in a ledger; None: as many as records
    lasting: bool = False  # whether their ledgers outlive them

    def __post_init__(self) -> None:
        self.broker.create_topics([self.source, self.target], partitions=PARTITIONS)

    @property
    def source(self) -> str:
        return f"in-{self.mark}"

    @property
    def target(self) -> str:
        return f"out-{self.mark}"

    @property
    def group(self) -> str:
        return f"group-{self.mark}"

    @property
    def ledger(self) -> str:
        return f"ledger-{self.mark}"

    def add_ledger(self) -> None:
        """Make the topic of the workers' state; without a reserve of time, so that its records are compacted at all."""
        config = {"cleanup.policy": "compact", "segment.bytes": "1048576"}
        admin.create_topics(self.broker.bootstrap, [self.ledger], PARTITIONS, config)

    def route(self, worker: str = "0", **options: Any) -> LoopConfig:
        names = {"group": self.group, "instance": worker, "transactional_id": f"{self.group}-{worker}"}
        return LoopConfig(**{"bootstrap": self.broker.bootstrap, "topics": [self.source], **names, **options})

    def send(self, count: int, value: Callable[[int], bytes] = lambda number: b"value %d" % number) -> None:
        """Send records, keyed by their number; wait until they are there."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "partitioner": "murmur2_random"})
        for number in range(self.sent, self.sent + count):
            key = number if self.keys is None else number % self.keys
            producer.produce(self.source, value(number), b"%d" % key)
        assert producer.flush(LIMIT_S) == 0
        self.sent += count

    def copies(self) -> list[tuple[int, bytes, bytes]]:
        """Return (partition, key, place) of all committed outputs, in the order of each partition."""
        found = self.committed_records(self.target)
        return [(number, key, dict(headers)["place"]) for number, key, _, headers in found]

    def copied_once(self) -> list[tuple[int, bytes, bytes]]:
        """Return all committed outputs: one of every record, none of them twice."""
        copies = _await_shown(self.copies, lambda shown: len(shown) >= self.sent)
        distinct = len({place for _, _, place in copies})
        assert (len(copies), distinct) == (self.sent, self.sent), f"{len(copies)} copies, {distinct} distinct"
        return copies

    def committed_records(self, topic: str) -> list[tuple[int, bytes, bytes | None, Any]]:
        """Return (partition, key, value, headers) of all that is committed, in the order of each partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": "reader",
                "log_level": 0,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        found, ends, deadline = [], set[int](), time.monotonic() + LIMIT_S
        while len(ends) < PARTITIONS:
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            for message in consumer.consume(1_000, 0.2):
                partition, error = message.partition(), message.error()
                assert partition is not None
                if error is None:
                    found.append((partition, message.key() or b"", message.value(), message.headers()))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends.add(partition)
        consumer.close()
        return found

    def committed(self, *, settled: bool = False) -> int:
        """Return the sum of the group's committed offsets: how many records are acknowledged.

        Args:
            settled: Nobody works any more, and the count must be exact. Else it may be of a moment ago: who reads
                committed records only is told nothing while a transaction holds new offsets (KIP-447).
        """
        names = {"bootstrap.servers": self.broker.bootstrap, "group.id": self.group, "log_level": 0}
        consumer = Consumer({**names, "isolation.level": "read_committed" if settled else "read_uncommitted"})
        partitions = [TopicPartition(self.source, partition) for partition in range(PARTITIONS)]
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                offsets = [partition.offset for partition in consumer.committed(partitions, LIMIT_S)]
                break
            except KafkaException:  # a coordinator that has just started does not know its groups yet
                assert time.monotonic() < deadline, "the group's coordinator does not answer"
        consumer.close()
        return sum(offset for offset in offsets if offset > 0)

    def settle(self, worker: str = "0") -> int:
        """Abort what a killed worker left open, as its restart would; return how many records are acknowledged."""
        names = {"bootstrap.servers": self.broker.bootstrap, "transactional.id": f"{self.group}-{worker}"}
        Producer(names).init_transactions(LIMIT_S)
        return self.committed()

    def check(self) -> None:
        """Every record sent was copied exactly once, to its own partition, in its order."""
        copies = self.copied_once()
        assert sorted(int(key) for _, key, _ in copies) == list(range(self.sent))
        for partition in range(PARTITIONS):
            places = [place.split(b":") for number, _, place in copies if number == partition]
            assert [int(source) for source, _ in places] == [partition] * len(places)
            assert [int(offset) for _, offset in places] == sorted(int(offset) for _, offset in places)

    def check_counts(self) -> None:
        """Each key was counted without a gap and without a repetition, and the ledger says how far."""
        assert self.keys is not None
        self.copied_once()
        counted: dict[bytes, list[int]] = {}
        for _, key, value, _ in self.committed_records(self.target):
            counted.setdefault(key, []).append(int(value or b"0"))
        assert sum(map(len, counted.values())) == self.sent
        for counts in counted.values():
            assert counts == list(range(1, len(counts) + 1))
        totals = {key: len(counts) for key, counts in counted.items()}
        assert _await_shown(self._totals, totals.__eq__) == totals

    def _totals(self) -> dict[bytes, int]:
        return {key: int(value or b"0") for _, key, value, _ in self.committed_records(self.ledger)}


def _await_shown(look: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """Look until there is enough, or the time is up; return what was seen last."""
    deadline = time.monotonic() + SHOWN_S
    while not enough(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen
