"""Looks up where the logs of partitions were at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sharing.model.times import DAY_MS

if TYPE_CHECKING:
    from confluent_kafka import Consumer

_NO_CLOCK_MS: Final = DAY_MS
"""No broker has stamped a record on the first day of 1970: every record is of this instant or later."""


def query_offsets_at(
    consumer: Consumer, topic: str, partitions: Iterable[int], instant_ms: int, within_s: float
) -> dict[int, int]:
    """Return the offset of the first record of each partition that has the time of an instant, or a later one.

    Every record before that offset is older. A consumer with `read_committed` sees no record after an open transaction.

    Args:
        consumer: Any consumer.
        topic: Name of the topic.
        partitions: Numbers of the partitions.
        instant_ms: The instant, in UTC milliseconds, compared with the times of records: the broker's, unless the topic
            keeps those of writers.
        within_s: Longest wait for an answer, in seconds.

    Returns:
        Offsets by partition, without the partitions that have no such record.

    Raises:
        KafkaException: There is no answer in time, or the broker refuses.
    """
    numbers = list(partitions)
    if instant_ms < _NO_CLOCK_MS:  # to Kafka, negative instants mean something else
        return dict.fromkeys(numbers, 0)
    answers = consumer.offsets_for_times([TopicPartition(topic, number, instant_ms) for number in numbers], within_s)
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
        if answer.offset == instant_ms:  # librdkafka leaves the query as it is where a broker did not answer it
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 librdkafka's own code
    return {answer.partition: answer.offset for answer in answers if answer.offset >= 0}
