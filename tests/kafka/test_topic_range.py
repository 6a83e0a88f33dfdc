"""Ranges of a topic: what was committed between two instants, however much is written meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.topic_range import TopicRange
from sharing.replay.admission import AdmissionStats
from sharing.replay.recorded_batches import admit_each, read_range
from sharing.serialization.codec import codec_of
from sharing.topology.topics import INDICATORS
from tests.bench.workload import make_indicators
from tests.kafka.topic_io import SECONDS, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker

FIRST_MS = 1_772_000_000_000


def read(broker: Broker, state: str, since_ms: int | None = None, until_ms: int | None = None) -> list[bytes]:
    topic = TopicRange(broker.bootstrap, INDICATORS.topic(state), "rehearsal", since_ms, until_ms)
    try:
        found = [message.value() for batch in topic.batches() for message in batch]
        assert len(found) <= topic.total
        return sorted(value for value in found if value is not None)
    finally:
        topic.close()


def test_all_that_is_there_is_read_and_no_more(bus: Broker, state: str) -> None:
    topic = INDICATORS.topic(state)
    assert read(bus, state) == []
    for partition in (0, 1):
        write(bus, topic, [b"%d-%d" % (partition, number) for number in range(40)], partition=partition)
    opened = TopicRange(bus.bootstrap, topic, "rehearsal")
    write(bus, topic, [b"later"])
    found = [message.value() for batch in opened.batches() for message in batch]
    opened.close()
    assert len(found) == len(set(found)) == opened.total == 80
    assert b"later" not in found
    assert len(read(bus, state)) == 81


@pytest.mark.kafka
def test_instants_bound_it(kafka: KafkaBroker) -> None:
    state = "LI"
    topic = INDICATORS.topic(state)
    kafka.create_topics([topic], 2)
    producer = make_producer(client_properties(kafka.bootstrap))
    for number in range(10):
        producer.produce(topic, b"%d" % number, b"k", number % 2, timestamp=FIRST_MS + number * 1_000)
    assert producer.flush(SECONDS) == 0
    assert read(kafka, state, FIRST_MS + 3_000, FIRST_MS + 7_000) == [b"3", b"4", b"5", b"6"]
    assert read(kafka, state, FIRST_MS + 8_000) == [b"8", b"9"]
    assert read(kafka, state, until_ms=FIRST_MS + 1) == [b"0"]
    assert read(kafka, state, FIRST_MS + 60_000) == []
    assert read(kafka, state, until_ms=FIRST_MS) == []


@pytest.mark.kafka
def test_only_what_was_committed_is_read(kafka: KafkaBroker) -> None:
    state = "MC"
    topic = INDICATORS.topic(state)
    kafka.create_topics([topic], 1)
    producer: Producer = make_producer(client_properties(kafka.bootstrap, {"transactional.id": "rehearsed"}))
    producer.init_transactions(SECONDS)
    for value, commits in ((b"committed", True), (b"aborted", False), (b"last", True)):
        producer.begin_transaction()
        producer.produce(topic, value, b"k")
        assert producer.flush(SECONDS) == 0
        if commits:
            producer.commit_transaction(SECONDS)
        else:
            producer.abort_transaction(SECONDS)
    wait_until(
        lambda: len(read(kafka, state)) >= 2, "both are shown", SECONDS
    )  # a commit shows a moment after its answer
    assert read(kafka, state) == [b"committed", b"last"]


def test_records_that_the_gate_would_quarantine_are_told(bus: Broker, state: str) -> None:
    topic = INDICATORS.topic(state)
    records = []
    for key, value in make_indicators(30, 0.5):
        record = codec_of("indicator").decode(value)
        record["source"]["state"] = state
        records.append(record)
        write(bus, topic, [codec_of("indicator").encode(record)], key=key)
    write(bus, topic, [b"junk"], key=b"junk")
    write(bus, topic, [codec_of("indicator").encode(records[0])], key=b"another key")
    opened = TopicRange(bus.bootstrap, topic, "rehearsal")
    intake = AdmissionStats(state)
    told: list[int] = []
    found = list(admit_each(read_range(opened, topic, told.append), intake))
    opened.close()
    assert found == records
    assert told[-1] == 32
    assert (intake.read, intake.unread) == (30, 2)
    assert [(entry.source, entry.place) for entry in intake.told] == [(topic, "0@30"), (topic, "0@31")]
    assert "id: must be the record's key" in intake.told[1].reason


def test_a_topic_that_is_not_there_is_told(bus: Broker) -> None:
    with pytest.raises(InfrastructureError, match=r"national\.va\.indicators: not there"):
        TopicRange(bus.bootstrap, INDICATORS.topic("VA"), "rehearsal")
