"""A running gate on a real broker: behind an open transaction, with a wrong clock, and with records that it rejects."""

from __future__ import annotations

import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest

from sharing.clients.publisher import Publisher
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.broker.process import find_free_port
from sharing.topology.broker_settings import TRANSACTION_TIMEOUT_MAX_MS
from sharing.topology.topics import CLOCK, DECISIONS, INDICATORS, list_topics
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import SECONDS, plain_producer, read_records, write_records
from tests.processors.health.endpoint_client import EndpointClient
from tests.processors.worker_fixtures import ITEM, prepare_state
from tests.support.audit_entries import list_entries
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

STATE = "AU"
TOPIC = INDICATORS.topic(STATE)


def publish(broker: KafkaBroker, count: int = 1) -> None:
    with Publisher(broker.bootstrap, STATE, "agency") as publisher:
        for _ in range(count):
            publisher.publish(ITEM)


def count_decisions(broker: KafkaBroker, partitions: int) -> int:
    records = read_records(broker, DECISIONS.topic(STATE), partitions)
    return len({decision["indicator_id"] for decision in list_entries(records)})


def test_a_gate_behind_an_open_transaction_has_lag_and_is_not_ready(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare_state(fresh_kafka, STATE, partitions=1)
    port = find_free_port()
    client = EndpointClient(port)
    labels = ("0", TOPIC)
    with GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, web_port=str(port), transaction_timeout_ms="5000") as gate:
        gate.wait_until(client.is_ready)
        holder = plain_producer(
            fresh_kafka, **{"transactional.id": "holder", "transaction.timeout.ms": TRANSACTION_TIMEOUT_MAX_MS}
        )
        holder.init_transactions(SECONDS)
        holder.begin_transaction()
        holder.produce(TOPIC, b"held", b"key", 0)
        assert holder.flush(SECONDS) == 0
        publish(fresh_kafka, 3)
        gate.wait_until(lambda: "transactions" in client.find_failing())
        assert "behind a transaction that is open at offset 0" in client.find_failing()["transactions"]
        samples = client.read_samples()
        assert samples["sharing_consumer_lag_records", labels] == 4
        assert samples["sharing_consumer_hidden_records", labels] == 4
        assert samples["sharing_consumer_hidden_seconds", labels] > 2
        assert samples["sharing_ready_check", ("transactions",)] == samples["sharing_ready", ()] == 0
        assert samples["sharing_indicators_read_total", ()] == 0
        holder.abort_transaction(SECONDS)
        gate.wait_until(client.is_ready)
        gate.wait_until(lambda: client.read_samples()["sharing_indicators_read_total", ()] >= 3)
        # The aborted record and the marker after the last indicator are no lag.
        gate.wait_until(lambda: client.read_samples()["sharing_consumer_lag_records", labels] == 0)
        assert client.read_samples()["sharing_consumer_hidden_records", labels] == 0
        write_records(fresh_kafka, TOPIC, [b"SECRET-7f3a"])
        position = f"quarantined {TOPIC}[0] offset 5: "
        gate.wait_until(lambda: position in gate.log.read_text())
        assert gate.stop() == 0, gate.read_log_tail()
    assert count_decisions(fresh_kafka, 1) == 3
    (line,) = [line for line in gate.log.read_text().splitlines() if position in line]
    assert '"level": "warning"' in line
    assert "SECRET" not in gate.log.read_text()


def test_a_gate_whose_clock_goes_back_decides_nothing_and_says_so(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare_state(fresh_kafka, STATE)
    port, days = find_free_port(), tmp_path / "days"
    client = EndpointClient(port)
    program = (sys.executable, "-m", "tests.processors.health.skewed_gate", str(days))
    gate = GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, program=program, web_port=str(port))
    with gate:
        gate.wait_until(client.is_ready)
        publish(fresh_kafka)
        gate.wait_until(lambda: client.read_samples()["sharing_indicators_read_total", ()] >= 1)
        days.write_text("-400.5")
        assert "gone back by 400 days since the last batch" in client.find_failing()["clock"]  # while it is idle
        assert client.read_samples()["sharing_ready_check", ("clock",)] == 0
        publish(fresh_kafka)
        wait_until(lambda: not client.is_scraped() and not gate.is_alive(), "the worker ends once it was scraped")
        assert gate.exit_code() == 3
    sentences = [line for line in gate.log.read_text().splitlines() if "gone back by 400 days since" in line]
    assert len(sentences) == 1, sentences
    assert count_decisions(fresh_kafka, 2) == 1
    days.unlink()
    with gate:
        gate.wait_until(client.is_ready)
        gate.wait_until(lambda: client.read_samples()["sharing_indicators_read_total", ()] >= 1)
        assert gate.stop() == 0, gate.read_log_tail()
    assert count_decisions(fresh_kafka, 2) == 2


@pytest.mark.parametrize(
    ("days", "problem"), [("-0.5", "hours behind the broker's"), ("0.5", "hours ahead of the broker's")]
)
def test_a_gate_whose_clock_differs_from_the_brokers_decides_nothing(
    fresh_kafka: KafkaBroker, tmp_path: Path, days: str, problem: str
) -> None:
    """It was wrong before the gate started, so that only the stamps of the records show it."""
    fresh_kafka.create_topics([CLOCK.topic()], 1)  # without stamps
    apply_topics(fresh_kafka.bootstrap, list_topics([STATE], 1), 1)
    prepare_state(fresh_kafka, STATE, partitions=1)
    port, file = find_free_port(), tmp_path / "days"
    client = EndpointClient(port)
    file.write_text(days)
    program = (sys.executable, "-m", "tests.processors.health.skewed_gate", str(file))
    with GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, program=program, web_port=str(port)) as gate:
        gate.wait_until(client.is_ready)
        published = count()

        def has_ended_after_another_record() -> bool:
            """The first records may have been there before the worker knew the end of the partition."""
            if gate.is_alive():
                publish(fresh_kafka)
                next(published)
            return not client.is_scraped() and not gate.is_alive()

        wait_until(has_ended_after_another_record, "the worker ends once it was scraped")
        assert gate.exit_code() == 3
    assert problem in gate.read_log_tail()
    assert count_decisions(fresh_kafka, 1) < next(published)


@pytest.mark.parametrize(("days", "problem"), [("0.51", "12 hours ahead"), ("-0.51", "12 hours behind")])
# A duration is rounded down to whole units, so a little more than half a day is 12 hours.
def test_a_gate_that_starts_with_a_wrong_clock_decides_nothing_of_a_backlog(
    fresh_kafka: KafkaBroker, tmp_path: Path, days: str, problem: str
) -> None:
    """All records were there before it, so that their stamps alone show no clock that is ahead."""
    apply_topics(fresh_kafka.bootstrap, list_topics([STATE], 1), 1)
    prepare_state(fresh_kafka, STATE, partitions=1)
    port, file = find_free_port(), tmp_path / "days"
    client = EndpointClient(port)
    file.write_text(days)
    program = (sys.executable, "-m", "tests.processors.health.skewed_gate", str(file))
    gate = GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, program=program, web_port=str(port))
    with gate:
        gate.wait_until(lambda: problem in client.find_failing().get("clock", ""))
        publish(fresh_kafka, 3)
        wait_until(lambda: not client.is_scraped() and not gate.is_alive(), "the worker ends once it was scraped")
        assert gate.exit_code() == 3
    with gate:  # its supervisor starts it again: everything is a backlog
        wait_until(lambda: not client.is_scraped() and not gate.is_alive(), "the worker ends once it was scraped")
        assert gate.exit_code() == 3
    assert problem in gate.read_log_tail()
    assert count_decisions(fresh_kafka, 1) == 0
    file.unlink()
    with gate:
        gate.wait_until(client.is_ready)
        gate.wait_until(lambda: client.read_samples()["sharing_indicators_read_total", ()] >= 3)
        assert gate.stop() == 0, gate.read_log_tail()
    assert count_decisions(fresh_kafka, 1) == 3
