"""Looks up where the logs of partitions begin and end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException

from sharing.kafka.temporary_errors import retry_temporary
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import AdminClient


def query_watermarks(consumer: Consumer, place: TopicPartition, within_s: float) -> tuple[int, int]:
    """Return the first offset of a partition and the offset at which it ends. Waits if there is no leader.

    Args:
        consumer: Any consumer.
        place: The partition; its offset does not matter.
        within_s: Longest wait for an answer, in seconds, plus that of the last attempt.

    Raises:
        KafkaException: There is no answer in time, or the broker refuses.
    """

    def query() -> tuple[int, int]:
        found = consumer.get_watermark_offsets(place, timeout=within_s)
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 librdkafka's own code
        first, end = found
        return int(first), int(end)

    return retry_temporary(query, within_s)


def list_offsets(
    admin: AdminClient, places: Iterable[TopicPartition], spec: Any, within_s: float = ADMIN_SECONDS_MAX
) -> dict[tuple[str, int], int]:
    """Return an offset of each partition, by topic and partition, as a consumer with `read_committed` sees it.

    Args:
        admin: An admin client.
        places: The partitions; their offsets do not matter.
        spec: Which offset: an `OffsetSpec`.
        within_s: Longest wait for the answer, in seconds.

    Raises:
        InfrastructureError: The broker does not answer.
        KafkaException: The broker refuses.
    """
    queries = dict.fromkeys(places, spec)
    if not queries:
        return {}
    answers = admin.list_offsets(queries, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=within_s)
    return {
        (place.topic, place.partition): int(await_result(answer, f"cannot read the offsets of {place.topic}").offset)
        for place, answer in answers.items()
    }
