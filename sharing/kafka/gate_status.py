"""Whether the gate of a State works: the members of its consumer group, and what waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # re-exported without saying so

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.kafka.group_queries import list_group_members, open_group, query_committed
from sharing.kafka.temporary_errors import retry_temporary
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX
from sharing.kafka.watermarks import list_offsets

_SETTLE_SECONDS_MAX: Final = 10.0


class GateStatus(NamedTuple):
    """What the broker knows about a gate.

    Attributes:
        workers: Number of its workers.
        has_worked: Whether it has ever processed anything.
        waiting: Upper bound of the number of records that it has not processed; transaction markers count.
    """

    workers: int
    has_worked: bool
    waiting: int


def read_gate_status(
    bootstrap: str, group: str, topics: Mapping[str, int], properties: Mapping[str, Any] | None = None
) -> GateStatus:
    """Return whether a gate works.

    Args:
        bootstrap: Kafka bootstrap servers.
        group: The gate's consumer group.
        topics: The topics of indicators that it reads, each with its number of partitions.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InfrastructureError: The broker does not answer, or refuses.
    """
    admin, consumer = make_admin(bootstrap, properties), open_group(bootstrap, group, properties)
    try:
        return retry_temporary(
            lambda: _read_status(admin, consumer, group, topics), _SETTLE_SECONDS_MAX, AUTHORIZATION_ERRORS
        )
    except KafkaException as error:
        raise InfrastructureError(f"{group}: cannot be described ({describe_kafka_error(error)})") from None
    finally:
        consumer.close()


def _read_status(admin: AdminClient, consumer: Consumer, group: str, topics: Mapping[str, int]) -> GateStatus:
    workers = len(list_group_members(admin, group, ADMIN_SECONDS_MAX))
    places = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]
    committed = query_committed(consumer, places, ADMIN_SECONDS_MAX)
    ends = list_offsets(admin, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    unread = [place for place in places if (place.topic, place.partition) not in committed]
    done = {**list_offsets(admin, unread, OffsetSpec.earliest()), **committed}  # type: ignore[no-untyped-call]
    waiting = sum(max(0, end - done.get(key, 0)) for key, end in ends.items())
    return GateStatus(workers, has_worked=bool(committed), waiting=waiting)
