"""Tests on the real broker of what the campaign measures: the work left for a gate, and records past a bomb."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition

from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.topic_ids import METADATA_PREFIX
from sharing.topology.topics import INDICATORS
from tests.faults.group_offsets import GateOffsets, find_stable_end
from tests.faults.records import read_topic
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import SECONDS, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def state() -> str:
    """A State of its own, so that its topic and group are new."""
    return f"x{uuid.uuid4().hex}"


@pytest.fixture
def offsets(kafka: KafkaBroker, state: str) -> GateOffsets:
    kafka.create_topics([INDICATORS.topic(state)], 1)
    return GateOffsets(kafka.bootstrap, state)


def commit(offsets: GateOffsets, offset: int) -> None:
    """Commit an offset as a worker does, with the id of the topic."""
    metadata = METADATA_PREFIX + offsets.query_topic_id()
    assert offsets.set_offset(TopicPartition(offsets.topic, 0, offset, metadata=metadata))


def begin_transaction(kafka: KafkaBroker, offsets: GateOffsets, records: int) -> Producer:
    """Return a producer with an open transaction that has written this many records."""
    producer = make_producer(client_properties(kafka.bootstrap, {"transactional.id": f"held {offsets.topic}"}))
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    for _ in range(records):
        producer.produce(offsets.topic, b"held", b"key", 0)
    assert producer.flush(SECONDS) == 0
    return producer


def test_records_after_the_committed_offset_are_left(kafka: KafkaBroker, offsets: GateOffsets) -> None:
    write_records(kafka, offsets.topic, [b"1", b"2", b"3"])
    assert offsets.count_unprocessed() == 3
    commit(offsets, 2)
    assert offsets.count_unprocessed() == 1
    commit(offsets, 3)
    assert offsets.count_unprocessed() == 0


def test_an_open_transaction_is_work_and_the_end_of_an_aborted_one_is_not(
    kafka: KafkaBroker, offsets: GateOffsets
) -> None:
    write_records(kafka, offsets.topic, [b"1"])
    commit(offsets, 1)
    producer = begin_transaction(kafka, offsets, 2)
    assert find_stable_end(kafka.bootstrap, offsets.topic, 0) == 1
    assert offsets.count_unprocessed() == 2
    producer.abort_transaction(SECONDS)
    wait_until(lambda: offsets.count_unprocessed() == 0, "the transaction is aborted")
    assert find_stable_end(kafka.bootstrap, offsets.topic, 0) == 4
    write_records(kafka, offsets.topic, [b"2"])
    assert offsets.count_unprocessed() == 1


def test_an_offset_of_a_deleted_topic_does_not_count(kafka: KafkaBroker, offsets: GateOffsets) -> None:
    write_records(kafka, offsets.topic, [b"1", b"2"])
    commit(offsets, 2)
    admin = make_admin(kafka.bootstrap)
    admin.delete_topics([offsets.topic], operation_timeout=SECONDS)[offsets.topic].result(SECONDS)
    wait_until(lambda: not offsets.query_topic_id(), "the topic is deleted")
    assert offsets.count_unprocessed() == -1
    kafka.create_topics([offsets.topic], 1)
    write_records(kafka, offsets.topic, [b"3"])
    assert offsets.count_unprocessed() == 1


@pytest.mark.parametrize("end", [[], [b"2"]])
def test_a_bomb_is_one_record_and_the_records_behind_it_are_read(
    kafka: KafkaBroker, offsets: GateOffsets, state: str, end: list[bytes | None]
) -> None:
    write_records(kafka, offsets.topic, [b"1"])
    write_bomb(kafka, offsets.topic, 120)
    write_records(kafka, offsets.topic, end)
    commit(offsets, 1)
    assert offsets.count_unprocessed() > 0
    commit(offsets, 2)
    assert offsets.count_unprocessed() == len(end)
    records = read_topic(kafka.bootstrap, INDICATORS, state, decode=False)
    assert [(record.offset, record.raw, record.poison) for record in records] == [
        (0, b"1", ""),
        (1, b"", "BAD_COMPRESSION"),
        *[(2, value, "") for value in end],
    ]


def test_a_group_without_members_can_be_deleted(kafka: KafkaBroker, offsets: GateOffsets) -> None:
    write_records(kafka, offsets.topic, [b"1"])
    commit(offsets, 1)
    assert offsets.delete()
    assert [position.offset < 0 for position in offsets.read_committed()] == [True]
    assert offsets.count_unprocessed() == 1
