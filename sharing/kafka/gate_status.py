"""Whether the gate of a State works: the members of its consumer group, and what waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # re-exported without saying so

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error, error_code
from sharing.kafka.group_queries import list_group_members, open_group, query_committed
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result

_SETTLE_SECONDS_MAX: Final = 10.0
_RETRY_SECONDS: Final = 0.2


class GateStatus(NamedTuple):
    """What the broker knows of a gate.

    Attributes:
        workers: Number of its workers.
        has_worked: Whether it has ever processed anything.
        waiting: Upper bound of the number of records that it has not processed; marks of transactions count.
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
    admin, asking = make_admin(bootstrap, properties), open_group(bootstrap, group, properties)
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    try:
        while True:
            try:
                return _read_status(admin, asking, group, topics)
            except KafkaException as error:  # a coordinator or a leader moves, or is only being made
                if error_code(error) in AUTHORIZATION_ERRORS or time.monotonic() > deadline:
                    raise InfrastructureError(f"{group}: cannot be described ({describe_kafka_error(error)})") from None
                time.sleep(_RETRY_SECONDS)
    finally:
        asking.close()


def _read_status(admin: AdminClient, asking: Consumer, group: str, topics: Mapping[str, int]) -> GateStatus:
    workers = len(list_group_members(admin, group, ADMIN_SECONDS_MAX))
    places = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]
    committed = query_committed(asking, places, ADMIN_SECONDS_MAX)
    ends = _read_offsets(admin, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    unread = [place for place in places if _key(place) not in committed]
    done = {**_read_offsets(admin, unread, OffsetSpec.earliest()), **committed}  # type: ignore[no-untyped-call]
    waiting = sum(max(0, end - done.get(key, 0)) for key, end in ends.items())
    return GateStatus(workers, has_worked=bool(committed), waiting=waiting)


def _key(place: TopicPartition) -> tuple[str, int]:
    return place.topic, place.partition


def _read_offsets(admin: AdminClient, places: Iterable[TopicPartition], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    queries = dict.fromkeys(places, spec)
    if not queries:
        return {}
    answers = admin.list_offsets(
        queries, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ADMIN_SECONDS_MAX
    )
    return {
        _key(place): await_result(answer, f"cannot read the offsets of {place.topic}").offset
        for place, answer in answers.items()
    }
