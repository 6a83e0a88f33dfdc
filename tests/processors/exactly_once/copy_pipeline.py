"""A pipeline from an input topic to an output topic, and checks that workers copied each record exactly once."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from processors.exactly_once.log_positions import is_log_position
from processors.exactly_once.loop_config import LoopConfig
from sharing.kafka.clients import consume_available
from sharing.testing.broker import admin
from tests.support.stable_ends import StableEnds

if TYPE_CHECKING:
    from collections.abc import Callable

    from sharing.testing.broker import Broker

T = TypeVar("T")

PARTITIONS = 3
TIMEOUT_S = 150.0
VISIBLE_TIMEOUT_S = 150.0
"""A commit becomes visible a moment after its response; behind a killed worker's open transaction, once the broker has
aborted that."""


def make_loop_config(**options: Any) -> LoopConfig:
    """Return a loop config with the limits for tests, unless the options set others."""
    limits = {
        "batch_records_max": 10_000,
        "transaction_timeout_s": 20,
        "session_timeout_s": 30,
        "start_timeout_s": 60.0,
    }
    return LoopConfig(**{**limits, **options})


@dataclass
class CopyPipeline:
    """An input topic and an output topic, for workers that copy records from one to the other.

    Attributes:
        broker: The broker with the topics.
        suffix: Suffix of the names of topics and group, unique to this pipeline.
        sent: Number of records sent to the input topic.
        key_count: Number of distinct keys, which workers count in their state; None for one key per record.
        state_on_disk: Whether the workers' state outlives them.
    """

    broker: Broker
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    sent: int = 0
    key_count: int | None = None
    state_on_disk: bool = False

    def __post_init__(self) -> None:
        self.broker.create_topics([self.source, self.target], partitions=PARTITIONS)

    @property
    def source(self) -> str:
        return f"in-{self.suffix}"

    @property
    def target(self) -> str:
        return f"out-{self.suffix}"

    @property
    def group(self) -> str:
        return f"group-{self.suffix}"

    @property
    def changelog(self) -> str:
        return f"state-{self.suffix}"

    def create_changelog(self) -> None:
        """Create the topic of the workers' state, with segments that are small enough to be compacted."""
        config = {"cleanup.policy": "compact", "segment.bytes": "1048576"}
        admin.create_topics(self.broker.bootstrap, [self.changelog], PARTITIONS, config)

    def loop_config(self, worker: str = "0", **options: Any) -> LoopConfig:
        ids = {"group": self.group, "instance": worker, "transactional_id": f"{self.group}-{worker}"}
        return make_loop_config(**{"bootstrap": self.broker.bootstrap, "topics": [self.source], **ids, **options})

    def send_records(self, count: int, value: Callable[[int], bytes] = lambda number: b"value %d" % number) -> None:
        """Send records, keyed by their number, and wait until they are delivered."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "partitioner": "murmur2_random"})
        for number in range(self.sent, self.sent + count):
            key = number if self.key_count is None else number % self.key_count
            producer.produce(self.source, value(number), b"%d" % key)
        assert producer.flush(TIMEOUT_S) == 0
        self.sent += count

    def read_copies(self) -> list[tuple[int, bytes, bytes]]:
        """Return (partition, key, source position) of all committed outputs, in the order of each partition."""
        records = self.read_committed(self.target)
        return [(number, key, dict(headers)["source"]) for number, key, _, headers in records]

    def read_copies_once(self) -> list[tuple[int, bytes, bytes]]:
        """Return all committed outputs, after checking that there is exactly one for each record."""
        copies = _poll_until(self.read_copies, lambda copies: len(copies) >= self.sent)
        distinct = len({source for _, _, source in copies})
        assert (len(copies), distinct) == (self.sent, self.sent), f"{len(copies)} copies, {distinct} distinct"
        return copies

    def read_committed(self, topic: str) -> list[tuple[int, bytes, bytes | None, Any]]:
        """Return (partition, key, value, headers) of all committed records, in the order of each partition.

        Waits for every transaction that was open when the reading began.
        """
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": "reader",
                "log_level": 0,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,  # so soon an empty fetch reports the end
            }
        )
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        records, ended, deadline = [], set[int](), time.monotonic() + TIMEOUT_S
        ends = StableEnds(consumer)
        while len(ended) < PARTITIONS:
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            for message in consume_available(consumer, 1_000, 0.2):
                partition, error = message.partition(), message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    continue
                assert partition is not None
                if error is None:
                    records.append((partition, message.key() or b"", message.value(), message.headers()))
                if ends.is_reached(message):
                    ended.add(partition)
        consumer.close()
        return records

    def count_acknowledged(self, *, exact: bool = False) -> int:
        """Return the sum of the group's committed offsets: how many records are acknowledged.

        Args:
            exact: Whether the count must be exact, which requires that no worker is running. Otherwise it may be a
                moment old: `read_committed` gets no answer while a transaction holds new offsets (KIP-447).
        """
        names = {"bootstrap.servers": self.broker.bootstrap, "group.id": self.group, "log_level": 0}
        consumer = Consumer({**names, "isolation.level": "read_committed" if exact else "read_uncommitted"})
        partitions = [TopicPartition(self.source, partition) for partition in range(PARTITIONS)]
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                offsets = [partition.offset for partition in consumer.committed(partitions, TIMEOUT_S)]
                break
            except KafkaException:  # a coordinator that has just started does not know its groups yet
                assert time.monotonic() < deadline, "the group's coordinator does not answer"
        consumer.close()
        return sum(offset for offset in offsets if offset > 0)

    def abort_open_transaction(self, worker: str = "0") -> int:
        """Abort a killed worker's open transaction, as its restart would; return how many records are acknowledged."""
        names = {"bootstrap.servers": self.broker.bootstrap, "transactional.id": f"{self.group}-{worker}"}
        Producer(names).init_transactions(TIMEOUT_S)
        return self.count_acknowledged()

    def check_copies(self) -> None:
        """Check that every record was copied exactly once, to the same partition, in order."""
        copies = self.read_copies_once()
        assert sorted(int(key) for _, key, _ in copies) == list(range(self.sent))
        for partition in range(PARTITIONS):
            sources = [source.split(b":") for number, _, source in copies if number == partition]
            assert [int(source_partition) for source_partition, _ in sources] == [partition] * len(sources)
            assert [int(offset) for _, offset in sources] == sorted(int(offset) for _, offset in sources)

    def check_counts(self) -> None:
        """Check that each key was counted without gaps or repetitions, and that the state holds the totals."""
        assert self.key_count is not None
        self.read_copies_once()
        counted: dict[bytes, list[int]] = {}
        for _, key, value, _ in self.read_committed(self.target):
            counted.setdefault(key, []).append(int(value or b"0"))
        assert sum(map(len, counted.values())) == self.sent
        for counts in counted.values():
            assert counts == list(range(1, len(counts) + 1))
        totals = {key: len(counts) for key, counts in counted.items()}
        assert _poll_until(self._read_totals, totals.__eq__) == totals

    def _read_totals(self) -> dict[bytes, int]:
        entries = {key: value for _, key, value, _ in self.read_committed(self.changelog)}
        return {key: int(value or b"0") for key, value in entries.items() if not is_log_position(key)}


def _poll_until(read: Callable[[], T], is_enough: Callable[[T], bool]) -> T:
    """Read until the result is enough, or the time is up; return the last result."""
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while not is_enough(result := read()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return result
