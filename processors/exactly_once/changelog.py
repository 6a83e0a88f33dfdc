"""The topic of a ledger on Kafka: what it is called, where it ends, and its committed records, read in bulk.

**Where it ends.** An earlier owner may have frozen or died between committing a batch and the last word on it. Its
records count only if its offsets do. But a worker has its partitions only once no transaction on their offsets is open
any more (`Inbox`, KIP-447); then all that is or will be committed is in the topic, and its high watermark is the end.
Reading `read_committed` up to there waits for what is still open, at most for its time-out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition

from processors.exactly_once.config import LoopConfig, restore_properties
from processors.exactly_once.kafka_errors import is_retriable_query
from processors.exactly_once.retry import SILENT_S, query_until_settled
from processors.exactly_once.state_store import StateStore, StoreIdentity
from processors.exactly_once.store_backends import MemoryBackend, RocksBackend
from sharing.errors import InfrastructureError
from sharing.kafka.clients import explain, make_admin, make_consumer

if TYPE_CHECKING:
    from confluent_kafka import Consumer

log = logging.getLogger(__name__)

CALL_S = 5.0
POLL_S = 0.1
BULK = 10_000

T = TypeVar("T")


def open_state_store(route: LoopConfig, late: Callable[[], bool], clock: Callable[[], int]) -> StateStore:
    """Return the ledger of a lane, with nothing restored yet; the arguments are those of what it is made of.

    Raises:
        InfrastructureError: Its folder cannot be used.
    """
    folder = route.state_folder
    return StateStore(KafkaChangelog(route, late), RocksBackend(folder) if folder else MemoryBackend(), clock)


class KafkaChangelog:
    """The ledger's topic, as one lane reads it.

    Args:
        route: Of the lane; its `ledger` is the topic.
        late: Whether the worker is to stop.
    """

    def __init__(self, route: LoopConfig, late: Callable[[], bool]) -> None:
        self._route = route
        self._topic = str(route.state_topic)
        self._late = late
        self._admin = make_admin(route.bootstrap, route.client)

    def identify(self, partitions: Iterable[int]) -> Mapping[int, StoreIdentity]:
        """Return what the partitions are called.

        Raises:
            InfrastructureError: The topic is not there, or has other partitions than what the lane reads.
        """
        topics = self._call(lambda: self._admin.list_topics(timeout=CALL_S))
        there = {name: len(topics.topics[name].partitions) for name in topics.topics}
        for topic in self._route.topics:
            if there.get(self._topic) != there.get(topic):
                raise InfrastructureError(
                    f"{topic} has {there.get(topic, 0)} partitions and its ledger {self._topic} has "
                    f"{there.get(self._topic, 0)}; they must be there and have the same number"
                )
        topic_id = self._ask_topic_id() if self._route.state_folder else ""  # for copies that outlive the process
        return {
            partition: StoreIdentity(str(topics.cluster_id), self._topic, topic_id, partition)
            for partition in partitions
        }

    def spans(self, partitions: Iterable[int]) -> Mapping[int, tuple[int, int]]:
        """Return for each partition, which must be the worker's by now, its first offset and its end.

        Raises:
            InfrastructureError: The broker refuses.
        """
        numbers = list(partitions)
        consumer = make_consumer({**restore_properties(self._route), "isolation.level": "read_uncommitted"})
        try:
            return {number: self._ask_span(consumer, number) for number in numbers}
        finally:
            consumer.close()

    def read(
        self,
        spans: Mapping[int, tuple[int, int]],
        take: Callable[[int, list[tuple[bytes, bytes | None]], int], None],
    ) -> bool:
        """Give `take` the records of each span in their order, with the offset after them; return False to stop.

        Raises:
            InfrastructureError: The broker refuses, or the beginning of a span is not there any more.
        """
        open_ends = {partition: end for partition, (start, end) in spans.items() if start < end}
        if not open_ends:
            return True
        consumer = make_consumer(restore_properties(self._route))
        try:
            consumer.assign([TopicPartition(self._topic, number, spans[number][0]) for number in open_ends])
            return self._read(consumer, open_ends, take)
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, open_ends: dict[int, int], take: Callable[..., None]) -> bool:
        heard = time.monotonic()
        while open_ends:
            if self._late():
                return False
            found: dict[int, list[tuple[bytes, bytes | None]]] = {}
            after: dict[int, int] = {}
            for message in consumer.consume(BULK, POLL_S):
                error = message.error()
                number: Any = message.partition()
                offset: Any = message.offset()
                if error is None:
                    found.setdefault(number, []).append((message.key() or b"", message.value()))
                    after[number] = offset + 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                    # Where reading goes on, past markers and aborted records. At an open transaction it comes early.
                    after[number] = offset
                else:
                    self._heed(error)
            for number, offset in after.items():
                take(number, found.get(number, []), offset)
                if offset >= open_ends.get(number, 0):
                    open_ends.pop(number, None)
            if after:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_S:
                heard = time.monotonic()
                log.warning("ledger: still waiting for the end of %s%s", self._topic, sorted(open_ends))
        return True

    def _heed(self, error: KafkaError) -> None:
        if not is_retriable_query(error):
            raise InfrastructureError(f"ledger {self._topic} cannot be read: {explain(error)}")

    def _call(self, ask: Callable[[], T]) -> T:
        """Return the answer of a broker; one that is away is waited for, until the worker is to stop."""
        try:
            return query_until_settled(ask, f"the broker of ledger {self._topic}", self._late)
        except KafkaException as failure:
            self._heed(failure.args[0])
            raise InfrastructureError(f"no broker answers for ledger {self._topic}") from None

    def _ask_span(self, consumer: Consumer, number: int) -> tuple[int, int]:
        place = TopicPartition(self._topic, number)
        first, end = self._call(lambda: consumer.get_watermark_offsets(place, timeout=CALL_S))
        return int(first), int(end)

    def _ask_topic_id(self) -> str:
        """Return the topic's id, or "" from a broker that knows of none, as the embedded one."""
        try:
            answer = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=CALL_S)[self._topic]
            return str(answer.result().topic_id)
        except KafkaException as failure:
            log.debug("%s: %s", self._topic, explain(failure))
            return ""
