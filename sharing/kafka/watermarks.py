"""Looks up where the log of a partition begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from sharing.kafka.errors import PERMANENT_READ_ERRORS, error_code

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition

_PAUSE_S: Final = 0.1


def query_watermarks(consumer: Consumer, place: TopicPartition, within_s: float) -> tuple[int, int]:
    """Return the first offset of a partition and the offset at which it ends.

    A partition that was just made, or moves to another broker, has no leader for a moment. That is waited for.

    Args:
        consumer: Any consumer.
        place: The partition; its offset does not matter.
        within_s: Longest wait for an answer, in seconds; that of the last attempt comes on top.

    Raises:
        KafkaException: There is none in time, or the broker refuses.
    """
    attempts = Retrying(
        retry=retry_if_exception(_is_temporary),
        stop=stop_after_delay(within_s),
        wait=wait_fixed(_PAUSE_S),
        reraise=True,
    )
    return attempts(_query, consumer, place, within_s)


def _query(consumer: Consumer, place: TopicPartition, within_s: float) -> tuple[int, int]:
    found = consumer.get_watermark_offsets(place, timeout=within_s)
    if found is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 librdkafka's own code
    first, end = found
    return int(first), int(end)


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error_code(error) not in PERMANENT_READ_ERRORS
