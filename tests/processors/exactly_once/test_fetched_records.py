"""What was received for a batch: dropped at a revocation, kept back for more where its topics are patient."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError, Message

from processors.exactly_once import consumer as consumer_module
from tests.processors.exactly_once.consumer_fixtures import ScriptedConsumer, StubRebalancing, open_batch_consumer
from tests.processors.exactly_once.loop_fixtures import OFFLINE_CONFIG

PATIENCE_S = 150.0


def make_message(error: KafkaError | None = None, offset: int = 0) -> Message:
    return Message(topic="in", partition=0, offset=offset, value=b"v", error=error)


@pytest.mark.parametrize("assigned", [False, True])
def test_records_read_before_a_revocation_are_dropped(assigned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = ScriptedConsumer()
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    rebalancing = StubRebalancing()
    batch_consumer = open_batch_consumer(OFFLINE_CONFIG, rebalancing)

    def revoke() -> list[Message]:
        batch_consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
        batch_consumer._assigned_during_consume = assigned
        return [make_message()]

    consumer.results = [[make_message()], [make_message()], revoke]
    assert batch_consumer.fill_batch(0) is not assigned  # the transactor then opens both clients again
    assert rebalancing.given_up == [set()]
    assert batch_consumer.fetched.take() == ([], [])


def test_a_fatal_error_that_comes_with_a_revocation_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported only once, and a consumer that goes on reading would never get anything again."""
    consumer = ScriptedConsumer()
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    batch_consumer = open_batch_consumer(OFFLINE_CONFIG)
    fatal = make_message(KafkaError(KafkaError._FATAL))

    def reject() -> list[Message]:
        batch_consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
        return [make_message(), fatal]

    consumer.results = [[make_message()], reject]
    assert batch_consumer.fill_batch(0)
    assert batch_consumer.fetched.take() == ([fatal], [])


@pytest.mark.parametrize("assigned", [False, True])
def test_ends_that_were_reached_before_a_revocation_count_no_more(
    assigned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_end(offset: int) -> Message:
        return make_message(KafkaError(KafkaError._PARTITION_EOF), offset)

    consumer = ScriptedConsumer()
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    batch_consumer = open_batch_consumer(OFFLINE_CONFIG)
    consumer.results = [[make_end(7)], [make_end(9)]]
    assert batch_consumer.fill_batch(0)
    assert batch_consumer.fetched.take() == ([], []), "the report of an end is no record"
    assert batch_consumer.fetched.take_ends() == {("in", 0): 9}
    assert batch_consumer.fetched.take_ends() == {}

    def revoke() -> list[Message]:
        batch_consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
        return [make_end(3)] * assigned

    consumer.results = [[make_end(11)], revoke]
    batch_consumer.fill_batch(0)
    assert batch_consumer.fetched.take_ends() == ({("in", 0): 3} if assigned else {})


def test_reports_of_ends_do_not_prolong_the_wait_for_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a producer aborts its transactions all the time, each of them moves the end on."""
    offset, deadline = 0, time.monotonic() + 10

    def report_end() -> list[Message]:
        nonlocal offset
        offset += 1
        if time.monotonic() < deadline:
            consumer.results.append(report_end)
        return [make_message(KafkaError(KafkaError._PARTITION_EOF), offset)]

    consumer = ScriptedConsumer([report_end])
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    batch_consumer = open_batch_consumer(OFFLINE_CONFIG)
    assert batch_consumer.fill_batch(0.01)
    assert consumer.results, "it has returned before the reports stop"
    assert batch_consumer.fetched.take_ends() == {("in", 0): offset}


def make_record(topic: str) -> Message:
    return Message(topic=topic, partition=0, offset=0, value=b"v")


@pytest.mark.parametrize(
    ("topics", "wait_s", "taken"),
    [
        ([["slow"], [], ["slow"], [], ["fast"], ["slow"]], 0.1, 4),  # they wait for more, and leave with what may not
        ([["fast"], [], ["slow"]], 0.1, 1),
        ([["slow"], ["fast"], [], ["slow"]], 0.1, 2),
        ([["slow"], [], ["slow"]], 0.0, 1),  # a transaction is being committed: whether the batch is full is asked
    ],
)
def test_records_of_patient_topics_wait_for_more(
    topics: list[list[str]], wait_s: float, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = ScriptedConsumer([list(map(make_record, each)) for each in topics])
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    config = replace(OFFLINE_CONFIG, patient_topics=frozenset({"slow"}), patience_s=PATIENCE_S)
    batch_consumer = open_batch_consumer(config)
    assert batch_consumer.fill_batch(wait_s)
    assert len(batch_consumer.fetched.take()[0]) == taken


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = ScriptedConsumer([[make_record("slow")]])
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    batch_consumer = open_batch_consumer(replace(OFFLINE_CONFIG, patient_topics=frozenset({"slow"}), patience_s=0.02))
    assert batch_consumer.fill_batch(0.1)
    assert len(batch_consumer.fetched.take()[0]) == 1
