"""What the broker knows of a consumer group: its members, and the offsets that it has committed.

Not by the requests of `AdminClient` that go to the coordinator of a group: librdkafka crashes the process if the
connection to it is lost meanwhile, or if the coordinator is only being made (librdkafka 4605).
"""

from __future__ import annotations

import warnings
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what replaces it is one of those requests
        groups: list[Any] = admin.list_groups(group, timeout=timeout_s)
    for found in groups:
        if found.error is not None and found.error.code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise KafkaException(found.error)
    return [member for found in groups for member in found.members]


def open_group(bootstrap: str, group: str, properties: Mapping[str, Any] | None = None) -> Consumer:
    """Return a consumer that asks about a group, and does not join it.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    # With `read_committed`, the answer waits until no transaction has offsets of the group: a busy worker always has.
    more = {"group.id": group, "isolation.level": "read_uncommitted"}
    return make_consumer(client_properties(bootstrap, {**(properties or {}), **more}))


def look_up_committed(
    bootstrap: str, group: str, places: Iterable[TopicPartition], properties: Mapping[str, Any] | None, timeout_s: float
) -> dict[tuple[str, int], int]:
    """Return what `query_committed` returns, asked once.

    Raises:
        KafkaException: The broker does not answer, or refuses.
        SettingsError: A property is unknown or wrong.
    """
    asking = open_group(bootstrap, group, properties)
    try:
        return query_committed(asking, places, timeout_s)
    finally:
        asking.close()


def query_committed(asking: Consumer, places: Iterable[TopicPartition], timeout_s: float) -> dict[tuple[str, int], int]:
    """Return the offsets that a group has committed, by topic and partition; without the partitions that have none.

    Args:
        asking: The consumer that `open_group` has returned.
        places: The partitions.
        timeout_s: Longest wait for the answer, in seconds.

    Raises:
        KafkaException: The broker does not answer, or refuses.
    """
    committed = {}
    for place in asking.committed(list(places), timeout=timeout_s):
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset >= 0:
            committed[place.topic, place.partition] = place.offset
    return committed
