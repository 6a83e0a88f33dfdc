"""A reader waits for the transactions that were open when it began, and for no later one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition

from sharing.kafka.clients import client_properties, make_consumer
from tests.kafka.topic_io import SECONDS, plain_producer, read_records, write_records
from tests.support.stable_ends import StableEnds

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


def open_transaction(kafka: KafkaBroker, topic: str, value: bytes) -> Producer:
    """Write a record in a transaction that stays open."""
    producer = plain_producer(kafka, **{"transactional.id": topic})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(topic, value, b"key", 0)
    assert producer.flush(SECONDS) == 0
    return producer


@pytest.mark.parametrize("commits", [True, False])
def test_what_is_open_when_reading_begins_is_waited_for(kafka: KafkaBroker, state: str, *, commits: bool) -> None:
    topic = f"open-{state}-{commits}"
    kafka.create_topics([topic], 1)
    write_records(kafka, topic, [b"before"])
    producer = open_transaction(kafka, topic, b"open")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_records, kafka, topic, 1)
        try:
            with pytest.raises(TimeoutError):
                reading.result(2)  # a shorter time would prove less, not fail
        finally:
            (producer.commit_transaction if commits else producer.abort_transaction)(SECONDS)
        assert [message.value() for message in reading.result(SECONDS)] == [b"before", *[b"open"] * commits]


def test_what_is_opened_later_is_not_waited_for(kafka: KafkaBroker, state: str) -> None:
    topic = f"later-{state}"
    kafka.create_topics([topic], 1)
    write_records(kafka, topic, [b"before"])
    properties = {"group.id": "look", "enable.partition.eof": True}
    consumer = make_consumer(client_properties(kafka.bootstrap, properties))
    consumer.assign([TopicPartition(topic, 0, 0)])
    ends = StableEnds(consumer)
    first = consumer.poll(SECONDS)
    assert first is not None
    assert first.value() == b"before"
    assert ends.is_reached(first)
    producer = open_transaction(kafka, topic, b"later")
    end = consumer.poll(SECONDS)
    assert end is not None
    assert ends.is_reached(end)
    producer.abort_transaction(SECONDS)
    consumer.close()
