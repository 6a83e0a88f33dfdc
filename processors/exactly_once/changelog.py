"""The changelog topic of a state store on Kafka: its identity, its end offsets, and its committed records in bulk.

**Where the changelog ends.** An earlier owner may have frozen or died between committing a batch and receiving the
answer. Its records count only if its offsets do. But a worker is assigned its partitions only after every transaction
on their offsets has ended (`BatchConsumer`, KIP-447). By then the topic holds everything that is or will be committed,
so its high watermark is the end. Reading up to there with `read_committed` waits for transactions that are still open,
at most until they time out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.exactly_once.freed_memory import give_back_memory
from processors.exactly_once.kafka_errors import is_retriable_query, is_unknown_partition
from processors.exactly_once.loop_config import LoopConfig, restore_properties
from processors.exactly_once.partition_store import StoreIdentity
from processors.exactly_once.retry import WARN_AFTER_S, CallWatch, retry_query
from processors.exactly_once.state_store import OffsetRange, StateStore
from processors.exactly_once.state_store_backends import MemoryBackend, RocksBackend
from sharing.errors import InfrastructureError
from sharing.kafka.clients import consume_available, make_consumer
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.topic_ids import NO_TOPIC_ID, query_topic_ids

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 5.0
METADATA_TIMEOUT_S = 15.0  # within which a client hears of a topic that was just created
POLL_S = 0.1
BULK_RECORDS = 2_000
"""How many records are passed on at once: they are in memory together, as objects."""


T = TypeVar("T")


def open_state_store(
    config: LoopConfig,
    admin: AdminClient,
    is_stopping: Callable[[], bool],
    clock: Callable[[], int],
    calls: CallWatch,
) -> StateStore:
    """Return the state store of an exactly-once loop, with nothing restored yet.

    Args:
        config: Configuration of the loop; it names the changelog topic.
        admin: An admin client.
        is_stopping: Whether the worker is stopping.
        clock: Returns the time in UTC milliseconds.
        calls: Is told of each call that may block.

    Raises:
        InfrastructureError: The state folder cannot be used.
    """
    folder = config.state_folder
    backend = RocksBackend(folder, config.entry_order) if folder else MemoryBackend()
    return StateStore(KafkaChangelog(config, admin, is_stopping, calls), backend, clock)


class KafkaChangelog:
    """The changelog topic, as one exactly-once loop reads it.

    Args:
        config: Configuration of the loop; its `changelog_topic` is the changelog topic.
        admin: An admin client.
        is_stopping: Whether the worker is stopping.
        calls: Is told of each call that may block.
    """

    def __init__(
        self, config: LoopConfig, admin: AdminClient, is_stopping: Callable[[], bool], calls: CallWatch
    ) -> None:
        self._config = config
        self._calls = calls
        self._topic = str(config.changelog_topic)
        self._is_stopping = is_stopping
        self._admin = admin

    def get_store_identities(self, partitions: Iterable[int]) -> Mapping[int, StoreIdentity]:
        """Return the identity of each partition.

        Raises:
            InfrastructureError: The topic does not exist, or its partition count differs from the input topics'.
        """
        topics = self._query(lambda: self._admin.list_topics(timeout=REQUEST_TIMEOUT_S))
        partition_counts = {name: len(topics.topics[name].partitions) for name in topics.topics}
        for topic in self._config.topics:
            if partition_counts.get(self._topic) != partition_counts.get(topic):
                raise InfrastructureError(
                    f"{topic} has {partition_counts.get(topic, 0)} partitions and its changelog topic {self._topic} "
                    f"has {partition_counts.get(self._topic, 0)}; both must exist with the same number of partitions"
                )
        ids = self._query(lambda: query_topic_ids(self._admin, [self._topic], REQUEST_TIMEOUT_S))
        topic_id = ids.get(self._topic, NO_TOPIC_ID)
        return {
            partition: StoreIdentity(str(topics.cluster_id), self._topic, topic_id, partition)
            for partition in partitions
        }

    def query_offset_ranges(self, partitions: Iterable[int]) -> Mapping[int, OffsetRange]:
        """Return the first offset and the end offset of each partition. They must be assigned to this worker already.

        Raises:
            InfrastructureError: The broker rejects the request.
        """
        numbers = list(partitions)
        consumer = make_consumer({**restore_properties(self._config), "isolation.level": "read_uncommitted"})
        try:
            return {number: self._query_offset_range(consumer, number) for number in numbers}
        finally:
            consumer.close()

    def read_records(
        self,
        ranges: Mapping[int, OffsetRange],
        on_records: Callable[[int, list[tuple[bytes, bytes | None]], int], None],
    ) -> bool:
        """Pass the records of each range to `on_records` in order, with the offset after them.

        Returns:
            Whether all ranges were read. False if the worker is stopping.

        Raises:
            InfrastructureError: The broker rejects the request, or the first records of a range have been deleted.
        """
        open_ends = {partition: end for partition, (first, end) in ranges.items() if first < end}
        if not open_ends:
            return True
        consumer = make_consumer(restore_properties(self._config))
        try:
            consumer.assign([TopicPartition(self._topic, number, ranges[number].first) for number in open_ends])
            return self._read_to_ends(consumer, open_ends, on_records)
        finally:
            consumer.close()
            give_back_memory()

    def _read_to_ends(self, consumer: Consumer, open_ends: dict[int, int], on_records: Callable[..., None]) -> bool:
        last_progress = time.monotonic()
        while open_ends:
            if self._is_stopping():
                return False
            records: dict[int, list[tuple[bytes, bytes | None]]] = {}
            next_offsets: dict[int, int] = {}
            with self._calls.track():
                messages = consume_available(consumer, BULK_RECORDS, POLL_S)
            for message in messages:
                error = message.error()
                number: Any = message.partition()
                offset: Any = message.offset()
                if error is None:
                    records.setdefault(number, []).append((message.key() or b"", message.value()))
                    next_offsets[number] = offset + 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                    # The position of the reader, past markers and aborted records. An open transaction stops it early.
                    next_offsets[number] = offset
                else:
                    self._raise_unless_retriable(error)
            for number, offset in next_offsets.items():
                on_records(number, records.get(number, []), offset)
                if offset >= open_ends.get(number, 0):
                    open_ends.pop(number, None)
            if next_offsets:
                last_progress = time.monotonic()
                self._calls.record_answer()
            elif time.monotonic() - last_progress > WARN_AFTER_S:
                last_progress = time.monotonic()
                log.warning("state store: still waiting for the end of %s%s", self._topic, sorted(open_ends))
        return True

    def _raise_unless_retriable(self, error: KafkaError) -> None:
        if not is_retriable_query(error):
            raise InfrastructureError(f"changelog topic {self._topic} cannot be read: {describe_kafka_error(error)}")

    def _query(self, query: Callable[[], T], is_retriable: Callable[[KafkaError], bool] = is_retriable_query) -> T:
        """Return a broker's answer. Wait for a broker that is down until the worker is stopping."""
        try:
            waiting_for = f"the broker of changelog topic {self._topic}"
            return retry_query(query, waiting_for, self._is_stopping, self._calls, is_retriable)
        except KafkaException as failure:
            self._raise_unless_retriable(failure.args[0])
            raise InfrastructureError(f"no broker answers for changelog topic {self._topic}") from None

    def _query_offset_range(self, consumer: Consumer, number: int) -> OffsetRange:
        partition = TopicPartition(self._topic, number)
        deadline = time.monotonic() + METADATA_TIMEOUT_S

        def is_retriable(error: KafkaError) -> bool:
            # The partition is assigned, so it exists; a new consumer may not have heard of a new topic.
            return is_retriable_query(error) or (is_unknown_partition(error) and time.monotonic() < deadline)

        first, end = self._query(
            lambda: consumer.get_watermark_offsets(partition, timeout=REQUEST_TIMEOUT_S), is_retriable
        )
        return OffsetRange(int(first), int(end))
