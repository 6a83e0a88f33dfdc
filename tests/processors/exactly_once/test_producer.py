"""Outputs reach librdkafka once and in order, even if its queue is full."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.exactly_once import producer as producer_module
from processors.exactly_once.batch import DEFAULT_LIMITS, Batch, Output, OutputLimits, OutputRecord, OutputRun
from processors.exactly_once.kafka_errors import ErrorReporter
from processors.exactly_once.producer import TransactionalProducer
from processors.exactly_once.retry import CallWatch, RetryPolicy
from tests.processors.exactly_once.copy_pipeline import make_loop_config

CONFIG = make_loop_config(bootstrap="nowhere", topics=["in"], group="g", instance="i", transactional_id="t")


class ShortQueueProducer:
    """A librdkafka producer whose queue holds three records, and is emptied by a poll."""

    def __init__(self) -> None:
        self.produced: list[OutputRecord] = []
        self.calls: list[str] = []
        self.room = 0
        self.undelivered: list[int] = []
        self.failure: KafkaException | None = None

    def produce(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, *args: Any, headers: Any = None
    ) -> None:
        if not self.room:
            raise BufferError
        self.room -= 1
        self.produced.append(OutputRecord(topic, key, value, args[3] if args else headers, partition))

    def poll(self, _: float) -> None:
        self.room = 3

    def flush(self, _: float) -> int:
        self.calls.append(f"flush {len(self.produced)}")
        self.room = 3
        return self.undelivered.pop() if self.undelivered else 0

    def init_transactions(self, _: float) -> None: ...

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def send_offsets_to_transaction(self, positions: list[TopicPartition], metadata: Any, _: float) -> None:
        if self.failure is not None:
            raise self.failure
        self.calls += [
            f"{position.topic}[{position.partition}] {position.offset} {position.metadata} as {metadata}"
            for position in positions
        ]

    def commit_transaction(self, _: float) -> None:
        self.calls.append(f"commit {len(self.produced)}")


def make_transactional_producer(limits: OutputLimits = DEFAULT_LIMITS) -> TransactionalProducer:
    calls = CallWatch()
    return TransactionalProducer(CONFIG, ErrorReporter(CONFIG), RetryPolicy(calls), calls, limits)


def test_a_full_queue_neither_loses_nor_duplicates_nor_reorders_records(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ShortQueueProducer()
    monkeypatch.setattr(producer_module, "make_producer", lambda _: client)
    records = [OutputRecord("one", b"a", b"1"), OutputRecord("one", b"b", None, [("name", b"value")], 2)]
    run = OutputRun("many", [b"%d" % number for number in range(10)], [b"v%d" % number for number in range(10)], 5)
    outputs: list[Output] = [*records, run, *records]
    make_transactional_producer().write_outputs(outputs, None)
    run_records = [OutputRecord("many", key, value, None, 5) for key, value in zip(run.keys, run.values, strict=True)]
    assert client.produced == [*records, *run_records, *records]


def test_a_transaction_begins_with_the_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ShortQueueProducer()
    monkeypatch.setattr(producer_module, "make_producer", lambda _: client)
    producer = make_transactional_producer()
    producer.begin_transaction(Batch([], 0, {("in", 0): 7, ("in", 2): 9}, "me"), {"in": "id"})
    assert client.calls == ["begin", "in[0] 7 topic-id:id, as me", "in[2] 9 topic-id:id, as me"]
    producer.write_outputs([OutputRecord("one", b"a", b"1")], None)
    producer.commit_transaction()
    assert client.calls[3:] == ["commit 1"]


def test_a_run_must_have_a_value_for_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer_module, "make_producer", lambda _: ShortQueueProducer())
    producer = make_transactional_producer()
    with pytest.raises(ValueError, match="shorter"):
        producer.write_outputs([OutputRun("many", [b"a", b"b"], [b"1"])], None)


def test_outputs_for_a_strict_topic_wait_until_those_before_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ShortQueueProducer()
    monkeypatch.setattr(producer_module, "make_producer", lambda _: client)
    producer = make_transactional_producer(OutputLimits({"strict": 500, "generous": 5_000}))
    producer.begin_transaction(Batch([], 0, {}, "me"), {})
    run = OutputRun("strict", [b"%d" % number for number in range(4)], [bytes(150)] * 4, 0)
    other = OutputRun("generous", [b"9"], [bytes(4_000)], 0)
    producer.write_outputs([other, run, other], None)
    assert [record.key for record in client.produced] == [b"9", b"0", b"1", b"9"]
    assert client.calls == ["begin"], "the thread that computes does not wait"
    assert producer.output_bytes == 2 * 4_000 + 4 * 150
    producer.commit_transaction()
    assert [record.key for record in client.produced] == [b"9", b"0", b"1", b"9", b"2", b"3"]
    assert client.calls[1:] == ["flush 4", "commit 6"]
    assert producer.output_bytes == 2 * 4_000 + 4 * 150


def test_a_transaction_that_failed_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ShortQueueProducer()
    monkeypatch.setattr(producer_module, "make_producer", lambda _: client)
    producer = make_transactional_producer(OutputLimits({"strict": 500, "generous": 5_000}))
    producer.begin_transaction(Batch([], 0, {}, "me"), {})
    producer.write_outputs([OutputRun("strict", [b"0"], [bytes(300)], 0)], None)
    client.undelivered = [1, 1, 1]
    client.failure = KafkaException(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "fenced"))
    producer.write_outputs([OutputRun("strict", [b"1"], [bytes(300)], 0)], None)
    with pytest.raises(KafkaException, match="fenced"):
        producer.commit_transaction()
    assert client.calls[1:] == ["flush 1"], "nothing is committed"
