"""What the broker knows about a consumer group: its members, and the offsets that it has committed.

The requests of `AdminClient` that go to the coordinator of a group are not used: librdkafka crashes the process if the
connection is lost in the meantime, or if the coordinator does not exist yet (librdkafka 4605).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException

from sharing.kafka.clients import client_properties, make_consumer

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import AdminClient


def list_group_members(admin: AdminClient, group: str, timeout_s: float) -> list[Any]:
    """Return the members of a group, each with `id` and `client_host`; none if there is no such group.

    Raises:
        KafkaException: The broker does not answer, or refuses.
    """
    groups: list[Any] = admin.list_groups(group, timeout=timeout_s)  # deprecated for one of those requests
    for found in groups:
        if found.error is not None and found.error.code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise KafkaException(found.error)
    return [member for found in groups for member in found.members]


def open_group(bootstrap: str, group: str, properties: Mapping[str, Any] | None = None) -> Consumer:
    """Return a consumer for queries about a group, which it does not join.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    # With `read_committed`, the answer waits until no transaction has offsets of the group: a busy worker always has.
    more = {"group.id": group, "isolation.level": "read_uncommitted"}
    return make_consumer(client_properties(bootstrap, {**(properties or {}), **more}))


def look_up_committed(
    bootstrap: str, group: str, places: Iterable[TopicPartition], properties: Mapping[str, Any] | None, timeout_s: float
) -> dict[tuple[str, int], int]:
    """Return what `query_committed` returns, using a consumer for this one query.

    Raises:
        KafkaException: The broker does not answer, or refuses.
        SettingsError: A property is unknown or wrong.
    """
    consumer = open_group(bootstrap, group, properties)
    try:
        return query_committed(consumer, places, timeout_s)
    finally:
        consumer.close()


def query_committed(
    consumer: Consumer, places: Iterable[TopicPartition], timeout_s: float
) -> dict[tuple[str, int], int]:
    """Return the offsets that a group has committed, by topic and partition; without the partitions that have none.

    Args:
        consumer: The consumer that `open_group` has returned.
        places: The partitions.
        timeout_s: Longest wait for the answer, in seconds.

    Raises:
        KafkaException: The broker does not answer, or refuses.
    """
    committed = {}
    for place in consumer.committed(list(places), timeout=timeout_s):
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset >= 0:
            committed[place.topic, place.partition] = place.offset
    return committed
