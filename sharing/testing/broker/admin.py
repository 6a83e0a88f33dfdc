"""Requests to local brokers: whether they answer, and creating topics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.cimpl import NewTopic

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.kafka.errors import describe_kafka_error
from sharing.testing.broker import check_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka.admin import AdminClient

_TIMEOUT_S = 15.0
_POLL_S = 0.02


def is_answering(bootstrap: str, timeout_s: float, properties: Mapping[str, str] | None = None) -> bool:
    """Return whether a broker answers a metadata request within the timeout, in seconds."""
    try:
        make_admin(bootstrap, properties).list_topics(timeout=timeout_s)
    except KafkaException:
        return False
    return True


def create_topics(
    bootstrap: str,
    names: Iterable[str],
    partitions: int,
    config: Mapping[str, str],
    properties: Mapping[str, str] | None = None,
) -> None:
    """Create the topics that do not exist yet, and wait until clients can see them.

    Args:
        bootstrap: `host:port`.
        names: Names of the topics.
        partitions: Number of partitions of each topic.
        config: Topic configuration, such as `cleanup.policy`.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InputError: A name or the number of partitions is invalid.
        InfrastructureError: No broker answers, or it refuses a topic.
    """
    names = list(names)
    for name in names:
        check_topic(name, partitions)
    topics = [NewTopic(name, partitions, 1, config=dict(config)) for name in names]
    if not topics:
        return
    client = make_admin(bootstrap, properties)
    for name, created in client.create_topics(topics, operation_timeout=_TIMEOUT_S).items():
        try:
            created.result(timeout=2 * _TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise InfrastructureError(
                    f"the broker at {bootstrap} refused to create topic {name}: {describe_kafka_error(error)}"
                ) from error
    _await_topics(client, bootstrap, {topic.topic for topic in topics})


def _await_topics(client: AdminClient, bootstrap: str, names: set[str]) -> None:
    # The controller confirms a topic shortly before the broker lists it.
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            known = client.list_topics(timeout=_TIMEOUT_S).topics
        except KafkaException as error:
            raise InfrastructureError(f"no broker answers at {bootstrap}: {describe_kafka_error(error)}") from error
        if names <= known.keys():
            return
        time.sleep(_POLL_S)
    raise InfrastructureError(f"the broker at {bootstrap} created topics but does not list them")
