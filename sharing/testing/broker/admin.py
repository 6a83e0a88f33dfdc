"""What the local brokers are asked over the wire: whether they answer, and to create topics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.cimpl import NewTopic

from sharing.errors import InfrastructureError
from sharing.kafka.clients import explain, make_admin
from sharing.testing.broker import check_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka.admin import AdminClient

_TIMEOUT_S = 15.0
_POLL_S = 0.02


def answers(bootstrap: str, timeout_s: float, properties: Mapping[str, str] | None = None) -> bool:
    """Whether a broker answers a metadata request within so many seconds."""
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
        names: Of the topics.
        partitions: Of each topic.
        config: Kafka's topic configuration, such as `cleanup.policy`.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InputError: A name or the number of partitions is not acceptable.
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
                    f"the broker at {bootstrap} does not create topic {name}: {explain(error)}"
                ) from error
    _await_topics(client, bootstrap, {topic.topic for topic in topics})


def _await_topics(client: AdminClient, bootstrap: str, names: set[str]) -> None:
    # A controller confirms a topic a moment before the broker knows it.
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            known = client.list_topics(timeout=_TIMEOUT_S).topics
        except KafkaException as error:
            raise InfrastructureError(f"no broker answers at {bootstrap}: {explain(error)}") from error
        if names <= known.keys():
            return
        time.sleep(_POLL_S)
    raise InfrastructureError(f"the broker at {bootstrap} created topics, but does not show them")
