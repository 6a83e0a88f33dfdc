"""What a lane writes reaches librdkafka once and in order, also where its queue is full."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import TopicPartition

from processors.exactly_once import producer as producer_module
from processors.exactly_once.batch import Batch, Outgoing, OutputRecord, OutputRun
from processors.exactly_once.config import LoopConfig
from processors.exactly_once.kafka_errors import ErrorReporter
from processors.exactly_once.producer import TransactionalProducer
from processors.exactly_once.retry import RetryPolicy

ROUTE = LoopConfig(bootstrap="nowhere", topics=["in"], group="g", instance="i", transactional_id="t")


class Narrow:
    """A producer whose queue takes three records, and is emptied by a poll."""

    def __init__(self) -> None:
        self.taken: list[OutputRecord] = []
        self.calls: list[str] = []
        self.room = 0

    def produce(self, topic: str, value: bytes | None, key: bytes | None, *more: Any, headers: Any = None) -> None:
        if not self.room:
            raise BufferError
        self.room -= 1
        self.taken.append(OutputRecord(topic, key, value, more[4] if more else headers))

    def poll(self, _: float) -> None:
        self.room = 3

    def init_transactions(self, _: float) -> None: ...

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], member: Any, _: float) -> None:
        self.calls += [f"{each.topic}[{each.partition}] {each.offset} as {member}" for each in offsets]

    def commit_transaction(self, _: float) -> None:
        self.calls.append(f"commit {len(self.taken)}")


def test_a_full_queue_loses_doubles_and_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Narrow()
    monkeypatch.setattr(producer_module, "make_producer", lambda _: narrow)
    alone = [OutputRecord("one", b"a", b"1"), OutputRecord("one", b"b", None, [("name", b"value")])]
    run = OutputRun("many", [b"%d" % number for number in range(10)], [b"v%d" % number for number in range(10)])
    outputs: list[Outgoing] = [*alone, run, *alone]
    TransactionalProducer(ROUTE, ErrorReporter(ROUTE), RetryPolicy()).write(outputs, None)
    several = [OutputRecord("many", key, value) for key, value in zip(run.keys, run.values, strict=True)]
    assert narrow.taken == [*alone, *several, *alone]


def test_a_transaction_begins_with_the_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Narrow()
    monkeypatch.setattr(producer_module, "make_producer", lambda _: narrow)
    outbox = TransactionalProducer(ROUTE, ErrorReporter(ROUTE), RetryPolicy())
    outbox.begin(Batch([], 0, {("in", 0): 7, ("in", 2): 9}, "me"))
    assert narrow.calls == ["begin", "in[0] 7 as me", "in[2] 9 as me"]
    outbox.write([OutputRecord("one", b"a", b"1")], None)
    outbox.finish()
    assert narrow.calls[3:] == ["commit 1"]


def test_a_run_has_a_value_for_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer_module, "make_producer", lambda _: Narrow())
    outbox = TransactionalProducer(ROUTE, ErrorReporter(ROUTE), RetryPolicy())
    with pytest.raises(ValueError, match="shorter"):
        outbox.write([OutputRun("many", [b"a", b"b"], [b"1"])], None)
