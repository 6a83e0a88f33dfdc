"""The directory on a cluster: a consumer of its topics, their ids and ends, and the States that can receive."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import INFLATED_BYTES_MAX
from sharing.kafka.clients import client_properties, make_consumer
from sharing.kafka.topic_ids import query_topic_ids
from sharing.model.countries import STATES
from sharing.topology.topics import DIRECTORY, NOTICES, OFFERS, REPLIES, URGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient

_RECEIVING_KINDS = (NOTICES, URGENT, OFFERS, REPLIES)
_LEADERS_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The result of one check.

    Attributes:
        topic_ids: Id of the directory topic of each State.
        ends: End of each State's topic, or Kafka's name of the error.
        receiving_states: The States with topics for notices, offers and replies, which have enough partitions.
    """

    topic_ids: Mapping[str, str]
    ends: Mapping[str, int | str]
    receiving_states: frozenset[str]


def make_directory_consumer(bootstrap: str, properties: Mapping[str, Any]) -> Consumer:
    """Return a consumer for partitions that are assigned by hand. It commits no offset: every reader reads all topics.

    It has only a few compressed batches in memory at once. What inflates beyond `receive.message.max.bytes` is refused,
    except with gzip, lz4 and snappy, which inflate a batch at most a thousandfold.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    batch_bytes_max = DIRECTORY.max_message_bytes
    return make_consumer(
        client_properties(
            bootstrap,
            {
                "fetch.wait.max.ms": 100,
                **properties,
                "message.max.bytes": batch_bytes_max,
                "fetch.max.bytes": batch_bytes_max,
                "fetch.message.max.bytes": batch_bytes_max,
                "receive.message.max.bytes": INFLATED_BYTES_MAX,
                "queued.max.messages.kbytes": 1_000,
                "group.id": "directory-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
            },
        )
    )


def assign_partitions(consumer: Consumer, positions: Sequence[TopicPartition]) -> None:
    """Assign partitions to a consumer that may be new.

    librdkafka looks up where a log begins as soon as it knows the leader. If it does not know it yet, it tries again
    only after half a second.
    """
    with suppress(KafkaException):  # then it takes that long
        consumer.list_topics(timeout=_LEADERS_SECONDS_MAX)
    consumer.assign(list(positions))


def query_cluster(
    admin: AdminClient, timeout_s: float, partitions_like: str = "", states: Iterable[str] = STATES
) -> ClusterState:
    """Return which topics exist, and where those of the directory end.

    Args:
        admin: An admin client.
        timeout_s: How long to wait for each answer, in seconds.
        partitions_like: The topic whose number of partitions the topics of a receiving State must have, because outputs
            go to the partition of their input; "" if any number will do.
        states: The States whose directory topics are read.

    Raises:
        KafkaException: No broker answers.
        InfrastructureError: No topic of the directory exists, or this client may not see any.
    """
    topics = admin.list_topics(timeout=timeout_s).topics
    require_directory(topics)
    state_by_topic = {DIRECTORY.topic(state): state for state in states if DIRECTORY.topic(state) in topics}
    ids = query_topic_ids(admin, state_by_topic, timeout_s)
    ends: dict[str, int | str] = {}
    led = []
    for topic in ids:
        partition = topics[topic].partitions.get(0)
        if partition is None or partition.leader < 0:
            ends[state_by_topic[topic]] = KafkaError(KafkaError.LEADER_NOT_AVAILABLE).name()
        else:
            led.append(topic)
    for topic, end in _query_ends(admin, led, timeout_s).items():
        ends[state_by_topic[topic]] = end
    return ClusterState(
        {state_by_topic[topic]: topic_id for topic, topic_id in ids.items()},
        ends,
        frozenset(_find_receiving_states(topics, partitions_like)),
    )


def _find_receiving_states(topics: Mapping[str, Any], partitions_like: str) -> Iterator[str]:
    needed = len(topics[partitions_like].partitions) if partitions_like in topics else 1
    for state in STATES:
        names = [kind.topic(state) for kind in _RECEIVING_KINDS]
        if all(name in topics and len(topics[name].partitions) >= needed for name in names):
            yield state


def _query_ends(admin: AdminClient, topics: Iterable[str], timeout_s: float) -> dict[str, int | str]:
    """Return the end of each topic's partition, or Kafka's name of the error."""
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    request = {TopicPartition(topic, 0): latest for topic in topics}
    if not request:
        return {}
    futures = admin.list_offsets(request, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=timeout_s)
    return {partition.topic: _get_end(future.result) for partition, future in futures.items()}


def _get_end(get_result: Callable[[], Any]) -> int | str:
    try:
        return int(get_result().offset)
    except KafkaException as error:
        return str(error.args[0].name())


def require_directory(present: Iterable[str]) -> None:
    """Check that a topic of the directory exists.

    Raises:
        InfrastructureError: There is none, or this client may not see any.
    """
    names = {DIRECTORY.topic(state) for state in STATES}
    if names.isdisjoint(present):
        raise InfrastructureError(
            f"{DIRECTORY.topic('<st>')}: no State has this topic, or no permission to see it; create it with "
            "`sharing topics apply --states …`"
        )
