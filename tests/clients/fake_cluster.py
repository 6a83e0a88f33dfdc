"""A cluster in memory, for tests of what a subscriber delivers and commits: logs, groups, clients that can be killed.

It answers when the test says so, and what it answers can be a failure. Time plays no part in it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, TopicPartition

from sharing.kafka.topic_ids import NO_TOPIC_ID

PARTITIONS: Final = 2
Place = tuple[str, int]


@dataclass(frozen=True)
class FakeMessage:
    """A record, or the end of a partition."""

    topic_name: str
    number: int
    position: int
    data: bytes | None
    failure: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.failure

    def topic(self) -> str:
        return self.topic_name

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.position

    def value(self) -> bytes | None:
        return self.data

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 0, 0


@dataclass
class FakeCluster:
    """The logs, the committed offsets, and the consumers that are alive.

    Attributes:
        answers: Whether commits are confirmed before a client waits for them.
        refusals: How many of the next commits fail.
    """

    logs: dict[Place, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[tuple[str, str, int], int] = field(default_factory=dict)
    consumers: list[FakeConsumer] = field(default_factory=list)
    answers: bool = True
    refusals: int = 0

    def make_consumer(self, properties: Mapping[str, Any]) -> FakeConsumer:
        consumer = FakeConsumer(self, properties["group.id"], properties["on_commit"])
        self.consumers.append(consumer)
        return consumer

    def kill(self) -> None:
        """Forget all consumers: what they have not sent is not sent any more, and commits on their way are lost."""
        for consumer in self.consumers:
            consumer.outcomes.clear()
            consumer.is_alive = False
        self.consumers.clear()

    def rebalance(self) -> None:
        """Take all partitions from the consumers, and give them back."""
        for consumer in self.consumers:
            consumer.must_rebalance = True


class FakeConsumer:
    """What the subscriber uses of a consumer of confluent-kafka."""

    def __init__(self, cluster: FakeCluster, group: str, on_commit: Callable[..., None]) -> None:
        self.cluster = cluster
        self.group = group
        self.outcomes: deque[tuple[KafkaError | None, list[TopicPartition]]] = deque()
        self.is_alive = True
        self.must_rebalance = True
        self._on_commit = on_commit
        self._topic = ""
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._positions: dict[int, int] = {}
        self._ends_told: set[int] = set()
        self._is_member = False

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        (self._topic,) = topics
        self._callbacks = callbacks

    def poll(self, timeout: float) -> FakeMessage | None:
        is_waiting_for_commits = 0 < timeout < 0.01  # `_CALLBACK_SECONDS`
        while self.outcomes and (self.cluster.answers or is_waiting_for_commits):
            self._on_commit(*self.outcomes.popleft())
        if self.must_rebalance:
            self.must_rebalance = False
            read_before = self._read()  # and returned afterwards
            every = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]
            if self._is_member:
                self._callbacks["on_revoke"](self, every)
            self._positions = {}
            self._is_member = True
            self._callbacks["on_assign"](self, every)
            return read_before
        return self._read()

    def consume(self, num_messages: int, timeout: float) -> list[FakeMessage]:
        assert timeout == 0
        messages = (self._read() for _ in range(num_messages))
        return list(iter(lambda: next(messages, None), None))

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._positions = {each.partition: each.offset for each in partitions}
        self._ends_told.clear()

    def seek(self, position: TopicPartition) -> None:
        self._positions[position.partition] = position.offset
        self._ends_told.discard(position.partition)

    def committed(self, partitions: Iterable[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        known = self.cluster.committed
        return [
            TopicPartition(each.topic, each.partition, known.get((self.group, each.topic, each.partition), -1001))
            for each in partitions
        ]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        del timeout
        return 0, len(self.cluster.logs[partition.topic, partition.partition])

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        assert self.is_alive
        failure = None
        if self.cluster.refusals:
            self.cluster.refusals -= 1
            failure = KafkaError(KafkaError._TIMED_OUT)
        else:
            for each in offsets:
                self.cluster.committed[self.group, each.topic, each.partition] = each.offset
        self.outcomes.append((failure, offsets))

    def close(self) -> None:
        self.is_alive = False
        if self in self.cluster.consumers:
            self.cluster.consumers.remove(self)

    def _read(self) -> FakeMessage | None:
        for number, position in self._positions.items():
            log = self.cluster.logs[self._topic, number]
            if position < len(log):
                self._positions[number] += 1
                self._ends_told.discard(number)
                return FakeMessage(self._topic, number, position, log[position])
            if number not in self._ends_told:
                self._ends_told.add(number)
                return FakeMessage(self._topic, number, position, None, KafkaError(KafkaError._PARTITION_EOF))
        return None


def query_no_ids(_: object, topics: Iterable[str], __: float) -> dict[str, str]:
    """Return that the broker has no topic ids."""
    return dict.fromkeys(topics, NO_TOPIC_ID)
