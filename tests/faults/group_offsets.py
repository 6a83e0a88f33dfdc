"""The offsets of a gate's group in its input topic: read, set and deleted as an operator or a broker would do.

What is left to process cannot be told from offsets alone: the end of a topic may be a marker of a transaction, and an
offset may belong to a topic of the same name that was deleted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from sharing.kafka.clients import client_properties, consume_available, make_admin, make_consumer
from sharing.kafka.topic_ids import parse_offset_metadata, query_topic_ids
from sharing.topology.topics import INDICATORS
from tests.faults.cluster import REQUEST_TIMEOUT_S

_EXACT_BELOW = 100
"""A smaller number of offsets is examined record by record."""
_READ_S = 10.0


class GateOffsets:
    """The offsets of one State's gate.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: State of the gate.

    Attributes:
        topic: The input topic.
        group: The consumer group.
    """

    def __init__(self, bootstrap: str, state: str) -> None:
        self.topic = INDICATORS.topic(state)
        self.group = f"national.{state.lower()}.gate"
        self._bootstrap = bootstrap
        self._admin: AdminClient = make_admin(bootstrap, {"log_level": 0})

    def query_topic_id(self) -> str:
        """Return the id of the input topic; "" if it does not exist.

        Raises:
            KafkaException: The broker does not answer.
        """
        return query_topic_ids(self._admin, [self.topic], REQUEST_TIMEOUT_S).get(self.topic, "")

    def read_committed(self) -> list[TopicPartition]:
        """Return the committed offset of each partition, with its metadata; a negative offset if there is none.

        Raises:
            KafkaException: The broker does not answer.
        """
        # With read_committed, the broker returns no offsets while a transaction holds new ones back (KIP-447). Here one
        # nearly always does.
        properties = {"group.id": self.group, "log_level": 0, "isolation.level": "read_uncommitted"}
        consumer = make_consumer(client_properties(self._bootstrap, properties))
        try:
            metadata = consumer.list_topics(self.topic, REQUEST_TIMEOUT_S).topics[self.topic]
            if metadata.error is not None:
                raise KafkaException(metadata.error)
            positions = [TopicPartition(self.topic, number) for number in metadata.partitions]
            committed = consumer.committed(positions, REQUEST_TIMEOUT_S)
        finally:
            consumer.close()
        for position in committed:
            if position.error is not None:
                raise KafkaException(position.error)
        return committed

    def delete(self) -> bool:
        """Delete the group with all its offsets, as a broker does when they expire; False while it has a member."""
        future = self._admin.delete_consumer_groups([self.group], request_timeout=REQUEST_TIMEOUT_S)[self.group]
        return future.exception(2 * REQUEST_TIMEOUT_S) is None

    def set_offset(self, position: TopicPartition) -> bool:
        """Set the offset of a partition, as `kafka-consumer-groups.sh` does; False while the group has a member."""
        request = ConsumerGroupTopicPartitions(self.group, [position])
        future = self._admin.alter_consumer_group_offsets([request])[self.group]
        if future.exception(2 * REQUEST_TIMEOUT_S) is not None:
            return False
        return all(changed.error is None for changed in future.result().topic_partitions)

    def count_unprocessed(self) -> int:
        """Return the number of records whose offsets the gate has not committed; -1 if the broker does not answer.

        Offsets behind an open transaction count as records.
        """
        try:
            topic_id = self.query_topic_id()
            starts = {each.partition: _find_start(each, topic_id) for each in self.read_committed()}
            return _count_records(self._bootstrap, self.topic, starts) if topic_id and starts else -1
        except KafkaException:
            return -1


def find_stable_end(bootstrap: str, topic: str, partition: int) -> int:
    """Return the last stable offset of a partition: the first offset of an open transaction, or the end.

    Raises:
        KafkaException: The broker does not answer.
    """
    return _query_ends(bootstrap, topic, [partition], "read_committed")[partition]


def _find_start(committed: TopicPartition, topic_id: str) -> int:
    """Return the first unprocessed offset; 0 if the offset belongs to a topic that was deleted."""
    ids = parse_offset_metadata(committed.metadata)
    is_other_log = ids is not None and ids[0] != topic_id
    return 0 if is_other_log else max(committed.offset, 0)


def _count_records(bootstrap: str, topic: str, starts: Mapping[int, int]) -> int:
    ends = _query_ends(bootstrap, topic, list(starts), "read_uncommitted")
    left = {number: ends[number] - start for number, start in starts.items() if ends[number] > start}
    if not left or sum(left.values()) > _EXACT_BELOW:
        return sum(left.values())
    stable_ends = _query_ends(bootstrap, topic, list(left), "read_committed")
    hidden = sum(max(0, ends[number] - max(stable_ends[number], starts[number])) for number in left)
    return hidden + _count_messages(bootstrap, [TopicPartition(topic, number, starts[number]) for number in left])


def _query_ends(bootstrap: str, topic: str, partitions: Sequence[int], isolation: str) -> dict[int, int]:
    properties = {"group.id": "ends", "log_level": 0, "isolation.level": isolation}
    consumer = make_consumer(client_properties(bootstrap, properties))
    try:
        return {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), REQUEST_TIMEOUT_S)[1]
            for number in partitions
        }
    finally:
        consumer.close()


def _count_messages(bootstrap: str, starts: Sequence[TopicPartition]) -> int:
    """Return the number of committed records, unreadable ones included, from these positions on.

    Raises:
        KafkaException: The ends are not reached.
    """
    properties = {"group.id": "rest", "log_level": 0, "enable.partition.eof": True, "fetch.wait.max.ms": 20}
    consumer = make_consumer(client_properties(bootstrap, {**properties, "isolation.level": "read_committed"}))
    try:
        consumer.assign(list(starts))
        count, open_partitions = 0, {start.partition for start in starts}
        deadline = time.monotonic() + _READ_S
        while open_partitions:
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            for message in consume_available(consumer, _EXACT_BELOW, 0.1):
                error = message.error()
                if error is None:
                    count += 1
                elif message.partition() in open_partitions:
                    # At an unreadable batch the partition ends for this purpose: at least one record is left.
                    count += error.code() != KafkaError._PARTITION_EOF
                    open_partitions.discard(message.partition() or 0)
        return count
    finally:
        consumer.close()
