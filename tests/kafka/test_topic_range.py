"""Ranges of a topic: the records committed between two instants, even while others are written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BadBatch
from sharing.kafka.clients import client_properties, make_producer, require_topics
from sharing.kafka.topic_range import TopicRange
from sharing.model.times import HOUR_MS
from sharing.replay.admission import AdmissionStats
from sharing.replay.recorded_batch import admit_records
from sharing.replay.recorded_topic import read_topic_range
from sharing.replay.sealed_records import SealedRecords
from sharing.serialization.codec import get_codec
from sharing.topology.topics import INDICATORS
from tests.bench.workload import make_indicators
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import SECONDS, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker


def read_values(broker: Broker, state: str, since_ms: int | None = None, until_ms: int | None = None) -> list[bytes]:
    topic = TopicRange(broker.bootstrap, INDICATORS.topic(state), "rehearsal", since_ms, until_ms)
    try:
        values = [message.value() for batch in topic.read_batches() for message in batch]
        assert len(values) <= topic.total
        return sorted(value for value in values if value is not None)
    finally:
        topic.close()


def test_all_records_that_exist_when_it_is_opened_are_read(bus: Broker, state: str) -> None:
    topic = INDICATORS.topic(state)
    assert read_values(bus, state) == []
    for partition in (0, 1):
        write_records(bus, topic, [b"%d-%d" % (partition, number) for number in range(40)], partition=partition)
    opened = TopicRange(bus.bootstrap, topic, "rehearsal")
    write_records(bus, topic, [b"later"])
    values = [message.value() for batch in opened.read_batches() for message in batch]
    opened.close()
    assert len(values) == len(set(values)) == opened.total == 80
    assert b"later" not in values
    assert len(read_values(bus, state)) == 81


@pytest.mark.kafka
def test_a_range_is_limited_by_its_instants(kafka: KafkaBroker, state: str) -> None:
    topic = INDICATORS.topic(state)
    kafka.create_topics([topic], 2)
    producer = make_producer(client_properties(kafka.bootstrap))
    first_ms = int(time.time() * 1000) - HOUR_MS  # the broker deletes what is older than the topic's retention
    for number in range(10):
        producer.produce(topic, b"%d" % number, b"k", number % 2, timestamp=first_ms + number * 1_000)
    assert producer.flush(SECONDS) == 0
    assert read_values(kafka, state, first_ms + 3_000, first_ms + 7_000) == [b"3", b"4", b"5", b"6"]
    assert read_values(kafka, state, first_ms + 8_000) == [b"8", b"9"]
    assert read_values(kafka, state, until_ms=first_ms + 1) == [b"0"]
    assert read_values(kafka, state, first_ms + 60_000) == []
    assert read_values(kafka, state, until_ms=first_ms) == []
    for long_ago_ms in (0, -HOUR_MS):
        assert len(read_values(kafka, state, long_ago_ms)) == 10
        assert read_values(kafka, state, until_ms=long_ago_ms) == []


@pytest.mark.kafka
def test_only_committed_records_are_read(kafka: KafkaBroker, state: str) -> None:
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
        lambda: len(read_values(kafka, state)) >= 2, "both records are visible", SECONDS
    )  # a commit is visible a moment after its confirmation
    assert read_values(kafka, state) == [b"committed", b"last"]


@pytest.mark.parametrize(
    ("missing", "option"),
    [
        (["national.br.quarantine"], " --states BR`"),
        (["exchange.de.notices", "directory.at", "exchange.de.urgent"], " --states AT,DE`"),
        (["exchange.clock"], "`"),
        (["not-of-the-bus.de"], "`"),
    ],
)
def test_a_missing_topic_is_created_for_its_state(missing: list[str], option: str) -> None:
    with pytest.raises(InfrastructureError) as raised:
        require_topics({"exchange.nl.notices": 4}, [*missing, "exchange.nl.notices"])
    assert str(raised.value).endswith(f"create it with `sharing topics apply{option}")


@pytest.mark.kafka
def test_a_batch_that_cannot_be_read_is_skipped_and_listed(
    kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    topic = "bad-batches-in-a-range"
    kafka.create_topics([topic], 2)
    for partition in range(2):
        write_records(kafka, topic, [b"%d-first" % partition], partition=partition)
        write_bomb(kafka, topic, 40, partition=partition)
    write_records(kafka, topic, [b"0-last"])  # in partition 1, nothing follows the bad batch
    opened = TopicRange(kafka.bootstrap, topic, "rehearsal")
    values = sorted(message.value() or b"" for batch in opened.read_batches() for message in batch)
    opened.close()
    assert values == [b"0-first", b"0-last", b"1-first"]
    bad = [BadBatch(topic, partition, 1, 1, "_BAD_COMPRESSION") for partition in range(2)]
    assert sorted(opened.bad_batches, key=str) == bad
    assert sorted(record.getMessage() for record in caplog.records if record.levelname == "WARNING") == [
        f"{batch}: skipped, cannot be read: _BAD_COMPRESSION" for batch in bad
    ]


def test_records_that_the_gate_would_quarantine_are_reported(bus: Broker, state: str) -> None:
    topic = INDICATORS.topic(state)
    records = []
    for key, value in make_indicators(30, 0.5):
        record = get_codec("indicator").decode(value)
        record["source"]["state"] = state
        records.append(record)
        write_records(bus, topic, [get_codec("indicator").encode(record)], key=key)
    write_records(bus, topic, [b"junk"], key=b"junk")
    write_records(bus, topic, [get_codec("indicator").encode(records[0])], key=b"another key")
    opened = TopicRange(bus.bootstrap, topic, "rehearsal")
    stats = AdmissionStats(state)
    progress: list[int] = []
    admitted = list(admit_records(read_topic_range(opened, topic, progress.append, SealedRecords(state, None)), stats))
    opened.close()
    assert admitted == records
    assert progress[-1] == 32
    assert (stats.admitted, stats.rejected) == (30, 2)
    assert [(entry.source, entry.location) for entry in stats.first_rejected] == [(topic, "0@30"), (topic, "0@31")]
    assert "id: must equal the record key" in stats.first_rejected[1].reason


def test_a_missing_topic_is_reported(bus: Broker) -> None:
    with pytest.raises(InfrastructureError, match=r"national\.va\.indicators: does not exist"):
        TopicRange(bus.bootstrap, INDICATORS.topic("VA"), "rehearsal")
