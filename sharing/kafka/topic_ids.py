"""The ids of topics (KIP-516), which answer: is this still the same log?

A topic that is deleted and created again has the same name but a different id. Offsets, copies and snapshots that
belong to the old log are meaningless in the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from sharing.kafka.clients import is_embedded

NO_TOPIC_ID = ""
"""The id for a broker without topic ids, such as the embedded one, which keeps no topic beyond the life of its
process."""

_NULL_ID = "AAAAAAAAAAAAAAAAAAAAAA"  # the all-zero UUID: a broker that leaves the field empty
METADATA_PREFIX = "topic-id:"
"""Start of the metadata of an offset that a client of this bus has committed; the topic ids follow."""

_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001

_has_ids: WeakKeyDictionary[AdminClient, bool] = WeakKeyDictionary()


def query_topic_ids(admin: AdminClient, topics: Collection[str], timeout_s: float) -> Mapping[str, str]:
    """Return the id of each topic; `NO_TOPIC_ID` where the broker has none. A missing topic is absent.

    Args:
        admin: An admin client; it needs permission to describe the topics.
        topics: Names of the topics.
        timeout_s: How long to wait for the broker, in seconds.

    Raises:
        KafkaException: The broker does not answer, or rejects the request.
    """
    return request_topic_ids(admin, topics, timeout_s)()


def request_topic_ids(admin: AdminClient, topics: Collection[str], timeout_s: float) -> Callable[[], Mapping[str, str]]:
    """Send the request of `query_topic_ids`, and return a function that waits for the answer and returns it.

    Raises:
        KafkaException: The broker does not answer.
    """
    if not topics:
        return dict
    if not has_topic_ids(admin, timeout_s):
        present = admin.list_topics(timeout=timeout_s).topics
        return lambda: {topic: NO_TOPIC_ID for topic in topics if topic in present}
    futures: Mapping[str, Any] = admin.describe_topics(TopicCollection(list(topics)), request_timeout=timeout_s)
    return lambda: _collect_ids(futures)


def _collect_ids(futures: Mapping[str, Any]) -> Mapping[str, str]:
    ids: dict[str, str] = {}
    for topic, future in futures.items():
        try:
            text = str(future.result().topic_id)
        except KafkaException as failure:
            if failure.args[0].code() not in _MISSING:
                raise
        else:
            ids[topic] = NO_TOPIC_ID if text in {"None", _NULL_ID} else text
    return ids


def has_topic_ids(admin: AdminClient, timeout_s: float) -> bool:
    """Return whether the client's cluster has topic ids and configurations, as all but the embedded one do.

    The cluster is asked once for each client.

    Raises:
        KafkaException: The broker does not answer.
    """
    has_ids = _has_ids.get(admin)
    if has_ids is None:
        has_ids = _has_ids[admin] = not is_embedded(admin.list_topics(timeout=timeout_s).cluster_id)
    return has_ids


def format_offset_metadata(*topic_ids: str) -> str:
    """Return the metadata to commit with an offset: the id of its topic, and of other topics that it depends on."""
    return METADATA_PREFIX + ",".join(topic_ids)


def parse_offset_metadata(metadata: str | None) -> tuple[str, ...] | None:
    """Return the ids in the metadata of an offset; None if no client of this bus has committed it."""
    if metadata is None or not metadata.startswith(METADATA_PREFIX):
        return None
    return tuple(metadata.removeprefix(METADATA_PREFIX).split(","))


def is_other_topic(known_id: str | None, current_id: str | None) -> bool:
    """Return whether two ids are known and differ: a topic of this name was deleted and created again in between."""
    return bool(known_id) and bool(current_id) and known_id != current_id
