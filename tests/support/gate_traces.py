"""Removes what makes `sharing doctor` say that a gate is missing: other tests leave it on the shared broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from sharing.kafka.clients import make_admin
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import INDICATORS

if TYPE_CHECKING:
    from sharing.testing.broker.secure_kafka import SecureKafka

SECONDS = 120.0
END = -1
"""Kafka's offset for all records of a partition."""


def clear_gate_traces(secure_kafka: SecureKafka) -> None:
    """Delete what earlier tests left for a gate on the shared broker, on which no gate of its States ever runs.

    Records that wait on the topics of indicators, and the gates' consumer groups.
    """
    admin = make_admin(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties())
    places = [
        TopicPartition(name, number, END)
        for name, topic in secure_kafka.partners.topics.items()
        if topic.kind is INDICATORS
        for number in range(topic.partitions)
    ]
    for future in admin.delete_records(places).values():
        future.result(SECONDS)
    gates = {Principal(Role.GATE, state).group_prefix for state in secure_kafka.partners.states}
    existing = {group.group_id for group in admin.list_consumer_groups().result(SECONDS).valid}
    if leftover := sorted(existing & gates):
        for done in admin.delete_consumer_groups(leftover).values():
            done.result(SECONDS)
