"""librdkafka clients, made in one way: how they connect, how they log, and what to say when no broker answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from sharing.errors import InfrastructureError

CONNECT_SECONDS_MAX = 5.0

_COMMON: Mapping[str, Any] = {
    # librdkafka's own log goes through `logging`, where it is off unless asked for: errors come as exceptions.
    "log_level": 3,
    "topic.metadata.refresh.interval.ms": 30_000,
    "reconnect.backoff.max.ms": 1_000,
}

_log = logging.getLogger("sharing.librdkafka")
_log.addHandler(logging.NullHandler())
_log.propagate = False


def client_properties(bootstrap: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the properties that every client here has; `more` are passed on as they are."""
    return {**_COMMON, "bootstrap.servers": bootstrap, **(more or {})}


def make_producer(properties: Mapping[str, Any]) -> Producer:
    """Return a producer. `murmur2_random` makes Java, Faust and librdkafka agree on a key's partition."""
    return Producer({"partitioner": "murmur2_random", **properties}, logger=_log)


def make_consumer(properties: Mapping[str, Any]) -> Consumer:
    """Return a consumer that sees committed records only and commits by hand."""
    return Consumer(
        {
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **properties,
        },
        logger=_log,
    )


def make_admin(bootstrap: str) -> AdminClient:
    """Return an admin client."""
    return AdminClient(client_properties(bootstrap), logger=_log)


def require_broker(bootstrap: str) -> None:
    """Return when a broker answers.

    Raises:
        InfrastructureError: None does, within a few seconds.
    """
    try:
        make_admin(bootstrap).list_topics(timeout=CONNECT_SECONDS_MAX)
    except KafkaException as error:
        raise InfrastructureError(
            f"no broker answers at {bootstrap} within {CONNECT_SECONDS_MAX:g} s ({explain(error)}); "
            "start one with `sharing broker up`, or name another with --bootstrap or SHARING_BOOTSTRAP"
        ) from None


def explain(error: KafkaException | KafkaError) -> str:
    """Return Kafka's own name and words for an error."""
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return f"{inner.name()}: {inner.str()}" if isinstance(inner, KafkaError) else str(inner)
