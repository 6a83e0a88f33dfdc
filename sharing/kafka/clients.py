"""librdkafka clients, made in one way: how they connect, how they log, and what to say when no broker answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from sharing.errors import InfrastructureError, SettingsError

CONNECT_SECONDS_MAX = 5.0

_COMMON: Mapping[str, Any] = {
    # librdkafka's own log goes through `logging`, where it is off unless asked for: errors come as exceptions.
    "log_level": 3,
    "topic.metadata.refresh.interval.ms": 30_000,
    "reconnect.backoff.max.ms": 1_000,
    # KIP-1102 forgets all brokers when none answers; then librdkafka 2.16 may wait for a coordinator that it has
    # forgotten, for ever (confluentinc/librdkafka#5511).
    "metadata.recovery.strategy": "none",
}

UNASSIGNED_SESSIONS = 2
"""For how many of its sessions a consumer may hear of no assignment before another one takes its place: within one the
group notices who is gone, and goes on without it."""

DENIED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""A right is missing: waiting does not help."""

LOGGER = "sharing.librdkafka"
_log = logging.getLogger(LOGGER)
_log.addHandler(logging.NullHandler())
_log.propagate = False

Client = TypeVar("Client", Producer, Consumer, AdminClient)


def client_properties(bootstrap: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the properties that every client here has; `more` are passed on as they are."""
    return {**_COMMON, "bootstrap.servers": bootstrap, **(more or {})}


def make_producer(properties: Mapping[str, Any]) -> Producer:
    """Return a producer. `murmur2_random` makes Java, Faust and librdkafka agree on a key's partition.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    return _make(Producer, {"partitioner": "murmur2_random", **properties})


def make_consumer(properties: Mapping[str, Any]) -> Consumer:
    """Return a consumer that sees committed records only and commits by hand.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    defaults = {"isolation.level": "read_committed", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    return _make(Consumer, {**defaults, **properties})


def make_admin(bootstrap: str, properties: Mapping[str, Any] | None = None) -> AdminClient:
    """Return an admin client.

    Raises:
        SettingsError: A property is unknown or wrong.
    """
    return _make(AdminClient, client_properties(bootstrap, properties))


def look_up_topics(bootstrap: str, properties: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Return each topic that this client may see, with its number of partitions. None comes into being by that.

    Raises:
        InfrastructureError: No broker answers within a few seconds; the message says why.
        SettingsError: A property is unknown or wrong.
    """
    heard: list[KafkaError] = []
    return ask_topics(make_admin(bootstrap, {**(properties or {}), "error_cb": heard.append}), bootstrap, heard)


def ask_topics(client: Producer | AdminClient, bootstrap: str, heard: Sequence[KafkaError]) -> dict[str, int]:
    """Return what `look_up_topics` does, by a client of one's own: it is connected then.

    Args:
        client: The client.
        bootstrap: Its bootstrap servers.
        heard: What its `error_cb` puts down.

    Raises:
        InfrastructureError: No broker answers within a few seconds; the message says why.
    """
    try:
        topics = client.list_topics(timeout=CONNECT_SECONDS_MAX).topics
    except KafkaException as error:
        client.poll(0)  # delivers what the connections said
        raise InfrastructureError(
            f"no broker answers at {bootstrap} within {CONNECT_SECONDS_MAX:g} s ({_reason(heard) or explain(error)}); "
            "start one with `sharing broker up`, or name another with --bootstrap or SHARING_BOOTSTRAP"
        ) from None
    return {name: len(topic.partitions) for name, topic in topics.items()}


def require_broker(bootstrap: str, properties: Mapping[str, Any] | None = None) -> None:
    """Return when a broker answers.

    Raises:
        InfrastructureError: None does, within a few seconds.
        SettingsError: A property is unknown or wrong.
    """
    look_up_topics(bootstrap, properties)


def require_topics(present: Mapping[str, int], wanted: Collection[str], state: str = "") -> None:
    """Return when all these topics are there.

    Args:
        present: What was looked up.
        wanted: Names of topics.
        state: The State whose topics they are, for the remedy.

    Raises:
        InfrastructureError: A topic is not there.
    """
    missing = [name for name in wanted if name not in present]
    if missing:
        of_state = f" --states {state}" if state else ""
        raise InfrastructureError(
            f"{', '.join(missing)}: not there, or no permission to see it; "
            f"create it with `sharing topics apply{of_state}`"
        )


def explain(error: KafkaException | KafkaError) -> str:
    """Return Kafka's own name and words for an error."""
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return f"{inner.name()}: {inner.str()}" if isinstance(inner, KafkaError) else str(inner)


def error_code(error: KafkaException) -> int | None:
    """Return Kafka's number for an error, or None where it has none."""
    inner = error.args[0] if error.args else None
    return inner.code() if isinstance(inner, KafkaError) else None


def _make(kind: type[Client], properties: Mapping[str, Any]) -> Client:
    try:
        return kind(dict(properties), logger=_log)
    except (KafkaException, TypeError, ValueError) as error:
        # librdkafka names the property and does not repeat its value, which may be a password.
        said = explain(error) if isinstance(error, KafkaException) else str(error)
        raise SettingsError(f"a Kafka client cannot be made with these properties: {said}") from None


def _reason(heard: Sequence[KafkaError]) -> str:
    """Return what a connection said last: more than that there was none."""
    said = [error for error in heard if error.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 librdkafka's own code
    return explain(said[-1]).partition(" (after ")[0] if said else ""
