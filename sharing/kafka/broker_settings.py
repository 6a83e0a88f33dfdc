"""Compares the settings of a cluster's brokers with those that a bus needs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    ConfigResource,
    ResourceType,
)

from sharing.errors import InfrastructureError
from sharing.kafka.clients import is_embedded, make_admin
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result
from sharing.topology.broker_settings import TRANSACTION_TIMEOUT_MS, list_required_settings


@dataclass(frozen=True, slots=True)
class BrokerDifference:
    """A broker setting that is not suitable for a bus.

    Attributes:
        broker_id: The broker's id.
        setting: Kafka's configuration key.
        actual: Its value on the broker; "" if the broker does not report it.
        wanted: The value that it needs.
        harm: What happens with the actual value.
    """

    broker_id: int
    setting: str
    actual: str
    wanted: str
    harm: str


def inspect_brokers(bootstrap: str, properties: Mapping[str, Any] | None = None) -> tuple[int, list[BrokerDifference]]:
    """Return the number of brokers that report settings, and what differs on each of them.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS. The client needs the permission
            DescribeConfigs on the cluster.

    Raises:
        InfrastructureError: A broker does not answer, or refuses.
    """
    admin = make_admin(bootstrap, properties)
    try:
        cluster = admin.list_topics(timeout=ADMIN_SECONDS_MAX)
    except KafkaException as error:
        raise InfrastructureError(f"the brokers cannot be listed: {describe_kafka_error(error)}") from None
    brokers = [] if is_embedded(cluster.cluster_id) else sorted(cluster.brokers)
    differences = []
    for broker_id in brokers:
        actual = _describe_broker(admin, broker_id)
        differences += [
            BrokerDifference(broker_id, setting, actual.get(setting, ""), list_required_settings()[setting], harm)
            for setting, harm in find_harmful_settings(actual).items()
        ]
    return len(brokers), differences


def find_harmful_settings(actual: Mapping[str, str]) -> dict[str, str]:
    """Return the harm that each wrong setting does, by configuration key.

    Args:
        actual: The settings of a broker. A required setting that is absent counts as wrong.
    """
    harms = {
        setting: _describe_harm(setting, actual.get(setting, ""), wanted)
        for setting, wanted in list_required_settings().items()
    }
    return {setting: harm for setting, harm in harms.items() if harm}


def _describe_harm(setting: str, value: str, wanted: str) -> str:
    """Return the harm that a value does; "" if it does none."""
    if not value:
        return "the broker does not report it"
    match setting:
        case "offsets.retention.minutes":
            harm = "a gate or subscriber that is away for longer loses its position, and reads everything again"
            return harm if int(value) < int(wanted) else ""
        case "transaction.max.timeout.ms":
            if int(value) < TRANSACTION_TIMEOUT_MS:
                return "a gate cannot start"
            harm = "one client can hide all later records of a topic from its readers for that long"
            return harm if int(value) > int(wanted) else ""
        case "unclean.leader.election.enable":
            return (
                "a broker that is behind can become the leader: confirmed records are lost" if value != wanted else ""
            )
        case _:
            return "a client that names a topic creates it, without the table's settings" if value != wanted else ""


def _describe_broker(admin: AdminClient, broker_id: int) -> dict[str, str]:
    resource = ConfigResource(ResourceType.BROKER, str(broker_id))
    failure = f"cannot read the settings of broker {broker_id}"
    (future,) = admin.describe_configs([resource], request_timeout=ADMIN_SECONDS_MAX).values()
    try:
        entries: Mapping[str, Any] = await_result(future, failure)
    except KafkaException as error:
        raise InfrastructureError(f"{failure}: {describe_kafka_error(error)}") from None
    return {key: str(entry.value) for key, entry in entries.items() if entry.value is not None}
