"""Applying the topic table to a cluster: topics are created once, differences reported, and nothing deleted."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from sharing.errors import InfrastructureError
from sharing.kafka import topic_admin
from sharing.kafka.clients import look_up_topics, make_admin
from sharing.kafka.topic_admin import apply_topics, inspect_topics
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topic_kinds import FOREVER, Role, TopicKind, TopicScope
from sharing.topology.topics import (
    CLOCK,
    DECISIONS,
    DIRECTORY,
    INDICATORS,
    NOTICES,
    TOPIC_KINDS,
    find_topic_kind,
    list_topics,
)
from tests.kafka.topic_io import SECONDS, write_records


def test_the_table_lists_each_topic_once() -> None:
    topics = list_topics(["DE", "CH", "DE"], 8)
    of_states = [kind for kind in TOPIC_KINDS if kind.scope is not TopicScope.SHARED]
    assert len(topics) == 2 * len(of_states) + len(TOPIC_KINDS) - len(of_states)
    assert topics["national.ch.indicators"].kind is INDICATORS
    assert {topic.partitions for topic in topics.values() if not topic.kind.single_partition} == {8}
    assert topics["directory.ch"].partitions == 1
    assert topics["directory.ch"].kind.config() == {
        "cleanup.policy": "compact",
        "retention.ms": "-1",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(DIRECTORY.max_message_bytes),
    }


@pytest.mark.parametrize("kind", TOPIC_KINDS, ids=lambda kind: kind.name)
def test_every_topic_has_the_time_of_the_broker_and_a_size_limit(kind: TopicKind) -> None:
    assert kind.config()["message.timestamp.type"] == "LogAppendTime"
    largest = 1_000_000 if kind.writers == {Role.GATE} else 280_000
    assert 0 < int(kind.config()["max.message.bytes"]) <= largest


def test_a_topic_is_found_in_the_table_by_its_name() -> None:
    for name, topic in list_topics(["CH", "NL"], 1, {"CH": ["fedpol"]}).items():
        assert find_topic_kind(name) is topic.kind
    for name in ("payroll", "national.ch", "national.ch.other", "national.ch.drafts.fedpol", "exchange.directory"):
        assert find_topic_kind(name) is None
    assert find_topic_kind("national.ch.indicators.FEDPOL") is None
    assert DECISIONS.retention_ms == FOREVER  # the audit log is never deleted


@pytest.mark.kafka
def test_apply_is_idempotent_and_creates_topics_as_in_the_table(kafka: KafkaBroker, state: str) -> None:
    wanted = list_topics([state], 3)
    # Without the shared topics, which other tests create.
    state_topics = {name: topic for name, topic in wanted.items() if topic.kind.scope is not TopicScope.SHARED}
    assert {change.kind for change in inspect_topics(kafka.bootstrap, state_topics)} == {"missing"}
    assert {change.kind for change in apply_topics(kafka.bootstrap, state_topics, 1)} == {"created"}
    present = look_up_topics(kafka.bootstrap)  # without waiting: `apply_topics` has waited until they are visible
    assert {name: present[name] for name in state_topics} == {
        name: topic.partitions for name, topic in wanted.items() if name in state_topics
    }
    assert {change.kind for change in apply_topics(kafka.bootstrap, state_topics, 1)} == {"same"}
    admin = make_admin(kafka.bootstrap)
    resource = ConfigResource(ResourceType.TOPIC, DECISIONS.topic(state))
    config = admin.describe_configs([resource])[resource].result(SECONDS)
    assert {key: config[key].value for key in DECISIONS.config()} == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "1000000",
    }


@pytest.mark.kafka
def test_differences_are_reported_and_not_changed(kafka: KafkaBroker, state: str) -> None:
    kafka.create_topics([NOTICES.topic(state)], 5, config={"cleanup.policy": "compact", "retention.ms": "1000"})
    kafka.create_topics([INDICATORS.topic(state)], 2, config=INDICATORS.config())
    write_records(kafka, NOTICES.topic(state), [b"kept"], partition=4)
    wanted = {name: topic for name, topic in list_topics([state], 2).items() if topic.kind is not DIRECTORY}
    changes = {change.topic: change for change in apply_topics(kafka.bootstrap, wanted, 1)}
    differing = changes[NOTICES.topic(state)]
    assert differing.kind == "differs"
    assert "has 5 partitions, the table says 2" in differing.detail
    assert "cleanup.policy is compact, the table says delete" in differing.detail
    assert f"retention.ms is 1000, the table says {NOTICES.retention_ms}" in differing.detail
    assert "message.timestamp.type is CreateTime, the table says LogAppendTime" in differing.detail
    assert "max.message.bytes is 1048588, the table says 280000" in differing.detail
    assert changes[INDICATORS.topic(state)].kind == "same"
    assert {change.kind for change in changes.values()} == {"differs", "same", "created"}
    assert look_up_topics(kafka.bootstrap)[NOTICES.topic(state)] == 5
    again = {change.topic: change for change in apply_topics(kafka.bootstrap, wanted, 1)}
    assert again[NOTICES.topic(state)] == differing


@pytest.mark.kafka
def test_a_limited_retention_of_the_audit_log_is_reported(kafka: KafkaBroker, state: str) -> None:
    wanted = {name: topic for name, topic in list_topics([state], 1).items() if topic.kind is DECISIONS}
    apply_topics(kafka.bootstrap, wanted, 1)
    entry = ConfigEntry("retention.ms", "86400000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, DECISIONS.topic(state), incremental_configs=[entry])
    admin = make_admin(kafka.bootstrap)
    admin.incremental_alter_configs([resource])[resource].result(SECONDS)
    (change,) = inspect_topics(kafka.bootstrap, wanted)
    assert (change.kind, change.detail) == ("differs", "retention.ms is 86400000, the table says -1")


@pytest.mark.kafka
def test_too_many_replicas_are_reported_in_one_error(kafka: KafkaBroker, state: str) -> None:
    state_topics = {name: topic for name, topic in list_topics([state], 1).items() if topic.kind is not DIRECTORY}
    others = sum(topic.kind is not CLOCK for topic in state_topics.values()) - 1  # all States share the clock
    expected = f"and {others} more: INVALID_REPLICATION_FACTOR.*set SHARING_REPLICATION"
    with pytest.raises(InfrastructureError, match=expected):
        apply_topics(kafka.bootstrap, state_topics, 3)
    assert not [name for name in look_up_topics(kafka.bootstrap) if f".{state.lower()}." in name]


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_the_error_is_immediate(state: str) -> None:
    with pytest.raises(InfrastructureError, match="no broker answers"):
        apply_topics("127.0.0.1:1", list_topics([state], 1), 1)


def test_the_embedded_broker_cannot_be_administered(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_admin, "ADMIN_SECONDS_MAX", 0.5)
    with EmbeddedBroker() as broker:  # its own one: on a shared one, other tests may have created the shared topics
        with pytest.raises(InfrastructureError, match=r"cannot create .*embedded broker never has"):
            apply_topics(broker.bootstrap, list_topics([state], 1), 1)
        broker.create_topics(list_topics([state], 1))
        with pytest.raises(InfrastructureError, match=r"cannot read the configuration .*embedded broker never has"):
            inspect_topics(broker.bootstrap, list_topics([state], 1))
