"""The one table onto a cluster: made once, told where it differs, never shrunk or deleted."""

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
from sharing.topology.topics import (
    DAY_MS,
    DECISIONS,
    DIRECTORY,
    FOREVER,
    INDICATORS,
    NOTICES,
    TABLE,
    TopicScope,
    topics_for,
)
from tests.kafka.topic_io import SECONDS, write


def test_the_table_names_each_topic_once() -> None:
    found = topics_for(["DE", "CH", "DE"], 8)
    of_states = [kind for kind in TABLE if kind.scope is not TopicScope.DIRECTORY]
    assert len(found) == 2 * len(of_states) + len(TABLE) - len(of_states)
    assert found["national.ch.indicators"].kind is INDICATORS
    assert {topic.partitions for topic in found.values() if topic.kind in of_states} == {8}
    assert found["exchange.directory"].partitions == 1
    assert found["exchange.directory"].kind.config() == {"cleanup.policy": "compact", "retention.ms": "-1"}
    assert DECISIONS.retention_ms == FOREVER  # the minutes are never thrown away


@pytest.mark.kafka
def test_apply_is_idempotent_and_what_it_made_is_as_the_table_says(kafka: KafkaBroker, state: str) -> None:
    wanted = topics_for([state], 3)
    # Others make the topics that are everyone's.
    own = {name: topic for name, topic in wanted.items() if topic.kind.scope is not TopicScope.DIRECTORY}
    assert {change.kind for change in inspect_topics(kafka.bootstrap, own)} == {"missing"}
    assert {change.kind for change in apply_topics(kafka.bootstrap, own, 1)} == {"created"}
    present = look_up_topics(kafka.bootstrap)  # at once: it has waited
    assert {present[name] for name in own} == {3}
    assert {change.kind for change in apply_topics(kafka.bootstrap, own, 1)} == {"same"}
    admin = make_admin(kafka.bootstrap)
    resource = ConfigResource(ResourceType.TOPIC, DECISIONS.topic(state))
    config = admin.describe_configs([resource])[resource].result(SECONDS)
    assert (config["retention.ms"].value, config["cleanup.policy"].value) == ("-1", "delete")


@pytest.mark.kafka
def test_what_differs_is_told_and_left_alone(kafka: KafkaBroker, state: str) -> None:
    kafka.create_topics([NOTICES.topic(state)], 5, config={"cleanup.policy": "compact", "retention.ms": "1000"})
    kafka.create_topics([INDICATORS.topic(state)], 2, config={"retention.ms": str(30 * DAY_MS)})
    write(kafka, NOTICES.topic(state), [b"kept"], partition=4)
    wanted = {name: topic for name, topic in topics_for([state], 2).items() if topic.kind is not DIRECTORY}
    changes = {change.topic: change for change in apply_topics(kafka.bootstrap, wanted, 1)}
    differing = changes[NOTICES.topic(state)]
    assert differing.kind == "differs"
    assert "has 5 partitions, the table says 2" in differing.detail
    assert "cleanup.policy is compact, the table says delete" in differing.detail
    assert f"retention.ms is 1000, the table says {365 * DAY_MS}" in differing.detail
    assert changes[INDICATORS.topic(state)].kind == "same"
    assert {change.kind for change in changes.values()} == {"differs", "same", "created"}
    assert look_up_topics(kafka.bootstrap)[NOTICES.topic(state)] == 5
    again = {change.topic: change for change in apply_topics(kafka.bootstrap, wanted, 1)}
    assert again[NOTICES.topic(state)] == differing


@pytest.mark.kafka
def test_minutes_that_would_be_thrown_away_are_told(kafka: KafkaBroker, state: str) -> None:
    wanted = {name: topic for name, topic in topics_for([state], 1).items() if topic.kind is DECISIONS}
    apply_topics(kafka.bootstrap, wanted, 1)
    entry = ConfigEntry("retention.ms", "86400000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, DECISIONS.topic(state), incremental_configs=[entry])
    admin = make_admin(kafka.bootstrap)
    admin.incremental_alter_configs([resource])[resource].result(SECONDS)
    (change,) = inspect_topics(kafka.bootstrap, wanted)
    assert (change.kind, change.detail) == ("differs", "retention.ms is 86400000, the table says -1")


@pytest.mark.kafka
def test_too_many_replicas_are_one_clear_error(kafka: KafkaBroker, state: str) -> None:
    own = {name: topic for name, topic in topics_for([state], 1).items() if topic.kind is not DIRECTORY}
    with pytest.raises(InfrastructureError, match=r"and 6 more: INVALID_REPLICATION_FACTOR.*set SHARING_REPLICATION"):
        apply_topics(kafka.bootstrap, own, 3)
    assert not [name for name in look_up_topics(kafka.bootstrap) if f".{state.lower()}." in name]


@pytest.mark.usefixtures("impatient")
def test_without_a_broker_it_says_so_at_once(state: str) -> None:
    with pytest.raises(InfrastructureError, match="no broker answers"):
        apply_topics("127.0.0.1:1", topics_for([state], 1), 1)


def test_the_embedded_broker_cannot_be_administered(
    embedded: EmbeddedBroker, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_admin, "ADMIN_SECONDS_MAX", 0.5)
    with pytest.raises(InfrastructureError, match=r"cannot create .*embedded broker never has"):
        apply_topics(embedded.bootstrap, topics_for([state], 1), 1)
    embedded.create_topics(topics_for([state], 1))
    with pytest.raises(InfrastructureError, match=r"cannot read the configuration .*embedded broker never has"):
        inspect_topics(embedded.bootstrap, topics_for([state], 1))
