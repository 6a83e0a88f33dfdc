"""The ids of topics, on the embedded and on the real broker."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka.admin import AdminClient

from sharing.kafka.clients import make_admin
from sharing.kafka.topic_ids import NO_TOPIC_ID, query_topic_ids
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker

TIMEOUT_S = 30


def delete_topic(admin: AdminClient, topic: str) -> None:
    for future in admin.delete_topics([topic], operation_timeout=TIMEOUT_S).values():
        future.result(TIMEOUT_S)


def test_the_embedded_broker_has_no_topic_ids(embedded: EmbeddedBroker) -> None:
    topic = f"t-{uuid.uuid4()}"
    embedded.create_topics([topic])
    ids = query_topic_ids(make_admin(embedded.bootstrap), [topic, "missing"], TIMEOUT_S)
    assert ids == {topic: NO_TOPIC_ID}


@pytest.mark.kafka
def test_a_topic_that_is_created_again_has_another_id(kafka: KafkaBroker) -> None:
    topic = f"t-{uuid.uuid4()}"
    admin = make_admin(kafka.bootstrap)
    kafka.create_topics([topic], 1)
    first = query_topic_ids(admin, [topic, "missing"], TIMEOUT_S)
    assert first.keys() == {topic}
    assert first[topic] != NO_TOPIC_ID
    assert query_topic_ids(admin, [topic], TIMEOUT_S) == first
    delete_topic(admin, topic)
    kafka.create_topics([topic], 1)
    second = query_topic_ids(admin, [topic], TIMEOUT_S)
    assert second[topic] not in {NO_TOPIC_ID, first[topic]}
