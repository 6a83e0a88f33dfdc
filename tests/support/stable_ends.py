"""When a reader of committed records has read everything that was committed before it began.

A transaction is committed for its producer once the coordinator has written its decision; the markers in the partitions
follow (KIP-98). Until they are there, the partition ends before the transaction for a reader with `read_committed`, and
a test that has seen the commit (in a metric, say) would read too little. On a busy machine that takes long enough to
happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, TopicPartition

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message


class StableEnds:
    """Follows one consumer to the ends that its partitions had when they were first fetched.

    Where a partition ended then, open transactions included, is behind the reader only once all of them have ended.
    What is written later is not waited for: a worker that goes on may always have a transaction open.

    Args:
        consumer: A consumer with `enable.partition.eof`, which reads its partitions from their beginning.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._ends: dict[tuple[str, int], int] = {}

    def is_reached(self, message: Message) -> bool:
        """Return whether the partition of a message has been read to the end that it had.

        Args:
            message: What the consumer has returned last of this partition: a record, or a report of its end, which is
                a message with the error `_PARTITION_EOF`.
        """
        topic, partition, offset, error = message.topic(), message.partition(), message.offset(), message.error()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        assert error is None or error.code() == KafkaError._PARTITION_EOF, error
        if (topic, partition) not in self._ends:
            # From the first fetch: the end of the log, which open transactions do not hold back.
            watermarks = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            assert watermarks is not None
            assert watermarks[1] >= 0, f"the end of {topic}/{partition} is not known"
            self._ends[topic, partition] = watermarks[1]
        return offset + (error is None) >= self._ends[topic, partition]
