"""librdkafka clients: their common properties, their log, and the error that is raised when no broker answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from sharing.errors import InfrastructureError, SettingsError
from sharing.kafka.errors import describe_kafka_error
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import find_topic_kind

CONNECT_SECONDS_MAX = 5.0

_COMMON: Mapping[str, Any] = {
    # librdkafka logs through `logging`, where its logger is off by default: errors are raised as exceptions.
    "log_level": 3,
    "topic.metadata.refresh.interval.ms": 30_000,
    "reconnect.backoff.max.ms": 1_000,
    # With KIP-1102 a client forgets all brokers when none answers. librdkafka 2.16 may then wait forever for a
    # coordinator that it has forgotten (confluentinc/librdkafka#5511).
    "metadata.recovery.strategy": "none",
}

UNASSIGNED_SESSIONS = 2
"""A consumer without an assignment for this many session timeouts is replaced by a new one. A group removes a
consumer that is gone, and rebalances, within one session timeout."""

LIBRDKAFKA_LOGGER = "sharing.librdkafka"
_log = logging.getLogger(LIBRDKAFKA_LOGGER)
_log.addHandler(logging.NullHandler())
_log.propagate = False

Client = TypeVar("Client", Producer, Consumer, AdminClient)


def client_properties(bootstrap: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the properties that every client here has, and `extra` unchanged."""
    return {**_COMMON, "bootstrap.servers": bootstrap, **(extra or {})}


def make_producer(properties: Mapping[str, Any]) -> Producer:
    """Return a producer. `murmur2_random` makes Java, Faust and librdkafka agree on a key's partition.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    return _make_client(Producer, {"partitioner": "murmur2_random", **properties})


def make_consumer(properties: Mapping[str, Any]) -> Consumer:
    """Return a consumer that reads committed records only and does not commit offsets automatically.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    defaults = {"isolation.level": "read_committed", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    return _make_client(Consumer, {**defaults, **properties})


def consume_available(consumer: Consumer, number_max: int, seconds: float) -> list[Message]:
    """Return what has arrived, up to a number of messages; wait only for the first.

    `Consumer.consume` waits until it has as many as requested, or for the whole time.

    Args:
        consumer: A consumer with an assignment.
        number_max: The most messages to return.
        seconds: How long to wait for the first.
    """
    first = consumer.poll(seconds)
    return [] if first is None else [first, *consumer.consume(number_max - 1, 0)]


_ALWAYS_CONNECTED: Final = {"enable.sparse.connections": False}
"""By default, librdkafka connects to a broker only for a request. While that broker is down and a request waits for it,
two threads of the client wake each other continuously, 200,000 times a second. With permanent connections they do
not."""


def make_admin(bootstrap: str, properties: Mapping[str, Any] | None = None) -> AdminClient:
    """Return an admin client.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    return _make_client(AdminClient, {**_ALWAYS_CONNECTED, **client_properties(bootstrap, properties)})


def without_callbacks(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties for an additional client that nobody polls: its reports would only pile up."""
    return {
        name: value for name, value in properties.items() if not callable(value) and name != "statistics.interval.ms"
    }


def is_embedded(cluster_id: str | None) -> bool:
    """Return whether the cluster with this id is the embedded broker: librdkafka's mock cluster.

    It has no topic ids and no configuration, and never answers a request for its controller.
    """
    return str(cluster_id).startswith("mockCluster")


def look_up_topics(bootstrap: str, properties: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Return each topic that this client may see, with its number of partitions. The request creates no topic.

    Raises:
        InfrastructureError: No broker answers within a few seconds; the message gives the reason.
        SettingsError: A property is unknown or wrong.
    """
    errors: list[KafkaError] = []
    return fetch_topics(make_admin(bootstrap, {**(properties or {}), "error_cb": errors.append}), bootstrap, errors)


def fetch_topics(client: Producer | AdminClient, bootstrap: str, errors: Sequence[KafkaError]) -> dict[str, int]:
    """Return the same as `look_up_topics`, with an existing client, which is connected afterwards.

    Args:
        client: The client.
        bootstrap: Its bootstrap servers.
        errors: The list to which its `error_cb` appends.

    Raises:
        InfrastructureError: No broker answers within a few seconds; the message gives the reason.
    """
    try:
        topics = client.list_topics(timeout=CONNECT_SECONDS_MAX).topics
    except KafkaException as error:
        client.poll(0)  # delivers the errors of the connections to `error_cb`
        raise InfrastructureError(
            f"no broker answers at {bootstrap} within {CONNECT_SECONDS_MAX:g} s "
            f"({_last_connection_error(errors) or describe_kafka_error(error)}); "
            "start one with `sharing broker up`, or name another with --bootstrap or SHARING_BOOTSTRAP"
        ) from None
    return {name: len(topic.partitions) for name, topic in topics.items()}


def require_broker(bootstrap: str, properties: Mapping[str, Any] | None = None) -> None:
    """Check that a broker answers.

    Raises:
        InfrastructureError: No broker answers within a few seconds.
        SettingsError: A property is unknown or wrong.
    """
    look_up_topics(bootstrap, properties)


def require_topics(present: Collection[str], wanted: Collection[str], state: str = "") -> None:
    """Check that all these topics exist.

    Args:
        present: Names of the existing topics, such as the keys of what `look_up_topics` returns.
        wanted: Names of the required topics.
        state: The State that the topics belong to, for the remedy in the message; "" if their names show it.

    Raises:
        InfrastructureError: A topic does not exist, or this client may not see it.
    """
    missing = [name for name in wanted if name not in present]
    if missing:
        states = state or _name_states(missing)
        option = f" --states {states}" if states else ""
        raise InfrastructureError(
            f"{', '.join(missing)}: does not exist, or no permission to see it; "
            f"create it with `sharing topics apply{option}`"
        )


def _name_states(topics: Collection[str]) -> str:
    """Return the States to which topics belong, separated by commas; "" if they belong to none."""
    kinds = {name: find_topic_kind(name) for name in topics}
    owned = {name for name, kind in kinds.items() if kind is not None and kind.scope is not TopicScope.SHARED}
    return ",".join(sorted({name.split(".")[1].upper() for name in owned}))


def _make_client(kind: type[Client], properties: Mapping[str, Any]) -> Client:
    try:
        return kind(dict(properties), logger=_log)
    except (KafkaException, TypeError, ValueError) as error:
        # librdkafka names the property and does not repeat its value, which may be a password.
        reason = describe_kafka_error(error) if isinstance(error, KafkaException) else str(error)
        raise SettingsError(f"a Kafka client cannot be created with these properties: {reason}") from None


def _last_connection_error(errors: Sequence[KafkaError]) -> str:
    """Return the last error of a single connection: it says more than "all brokers are down"."""
    single = [error for error in errors if error.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 librdkafka's own code
    return describe_kafka_error(single[-1]).partition(" (after ")[0] if single else ""
