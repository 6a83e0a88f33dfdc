"""A consumer starts at its group's offsets, once no transaction can change them, even if other members join."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import retry
from processors.exactly_once.consumer import BatchConsumer
from sharing.errors import InfrastructureError
from sharing.model.bad_batch import BadBatch
from sharing.topology.broker_settings import TRANSACTION_TIMEOUT_MAX_MS
from tests.processors.exactly_once.consumer_fixtures import open_batch_consumer
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import OFFLINE_CONFIG, ROOT
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.testing.broker.embedded import EmbeddedBroker


SENT = 300
COMMITTED_OFFSET = 20
"""Offset of each partition in a committed transaction."""

OPEN_OFFSET = 30
"""Offset of each partition in an open transaction."""

STOP_TIMEOUT_S = 45.0  # less than the timeout of the open transaction

QUICK_REBALANCE = {"heartbeat.interval.ms": 100, "retry.backoff.ms": 500}
"""The consumer learns of other members while it still waits to repeat its query for offsets that are held back."""


class ConsumerThread:
    """A `BatchConsumer`, read in a thread of its own as in an exactly-once loop."""

    def __init__(self, pipeline: CopyPipeline) -> None:
        self.read: list[tuple[int, int]] = []
        self._stopped = False
        config = pipeline.loop_config(session_timeout_s=6, client_properties=QUICK_REBALANCE)
        self.batch_consumer = open_batch_consumer(config, is_stopping=lambda: self._stopped)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._thread.join(STOP_TIMEOUT_S)
        assert not self._thread.is_alive(), "the consumer does not stop"
        self.batch_consumer.close()

    def _work(self) -> None:
        while not self._stopped:
            self.batch_consumer.fill_batch(0.05)
            self.read += [(message.partition(), message.offset()) for message in self.batch_consumer.fetched.take()[0]]


@contextmanager
def running_consumer(pipeline: CopyPipeline) -> Iterator[ConsumerThread]:
    reader = ConsumerThread(pipeline)
    try:
        yield reader
    finally:
        reader.stop()


def hold_offsets(pipeline: CopyPipeline) -> Producer:
    """Commit offsets of the group in one transaction, and leave later ones in a second, open transaction."""
    names = {"bootstrap.servers": pipeline.broker.bootstrap}
    producer = Producer(
        {**names, "transactional.id": pipeline.suffix, "transaction.timeout.ms": TRANSACTION_TIMEOUT_MAX_MS}
    )
    producer.init_transactions()
    group_metadata = Consumer({**names, "group.id": pipeline.group}).consumer_group_metadata()
    for offset in (COMMITTED_OFFSET, OPEN_OFFSET):
        producer.begin_transaction()
        offsets = [TopicPartition(pipeline.source, partition, offset) for partition in range(PARTITIONS)]
        producer.send_offsets_to_transaction(offsets, group_metadata)
        if offset == COMMITTED_OFFSET:
            producer.commit_transaction()
    return producer


def join_and_leave(pipeline: CopyPipeline) -> None:
    """Join the group as another member for a moment, so that partitions move twice."""
    names = {"bootstrap.servers": pipeline.broker.bootstrap, "group.id": pipeline.group}
    other = Consumer({**names, "session.timeout.ms": 6_000, "partition.assignment.strategy": "range"})
    other.subscribe([pipeline.source])
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        other.consume(1, 0.05)
    other.close()


@pytest.mark.kafka
@pytest.mark.parametrize("committed", [True, False])
def test_a_consumer_waits_for_an_open_transaction_and_starts_at_its_offsets(
    kafka_pipeline: CopyPipeline, committed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Other members join and leave during the wait; librdkafka by itself starts at the first record then."""
    monkeypatch.setattr(retry, "WARN_AFTER_S", 1.0)
    pipeline = kafka_pipeline
    pipeline.send_records(SENT)
    producer = hold_offsets(pipeline)
    first = OPEN_OFFSET if committed else COMMITTED_OFFSET
    expected = SENT - PARTITIONS * first
    with running_consumer(pipeline) as reader:
        for _ in range(2):
            join_and_leave(pipeline)
        assert reader.read == []
        waited_for = f"still waiting for the committed offsets of {pipeline.source}[0]"
        wait_until(lambda: waited_for in caplog.text, "the consumer says what it waits for")
        assert reader.read == []
        (producer.commit_transaction if committed else producer.abort_transaction)()
        wait_until(lambda: len(set(reader.read)) >= expected, "the remaining records are read")
    assert len(set(reader.read)) == expected
    for partition in range(PARTITIONS):
        assert min(offset for number, offset in reader.read if number == partition) == first


@pytest.mark.kafka
def test_a_stopping_consumer_does_not_wait_for_an_open_transaction(kafka_pipeline: CopyPipeline) -> None:
    pipeline = kafka_pipeline
    pipeline.send_records(SENT)
    producer = hold_offsets(pipeline)
    with running_consumer(pipeline) as reader:
        wait_until(lambda: reader.batch_consumer.group_metadata is not None, "partitions are assigned")
    assert reader.read == []
    producer.abort_transaction()


class OffsetsConsumer:
    """A librdkafka consumer with scripted committed offsets: positions, or errors to raise. Repeats the last answer."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.group_metadata = b"this worker"
        self.assigned: list[TopicPartition] | None = None

    def consumer_group_metadata(self) -> bytes:
        return self.group_metadata

    def memberid(self) -> str:
        return "this member"

    def committed(self, _: list[TopicPartition], __: float) -> list[TopicPartition]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer()
        if isinstance(answer, list):
            return answer
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT if callable(answer) else answer))

    def assign(self, positions: list[TopicPartition]) -> None:
        self.assigned = positions


TWO_PARTITIONS = [TopicPartition("in", 0), TopicPartition("in", 1)]


def make_position(partition: int, offset: int, error: int | None = None) -> Any:
    return SimpleNamespace(partition=partition, offset=offset, error=None if error is None else KafkaError(error))


@pytest.fixture
def batch_consumer(monkeypatch: pytest.MonkeyPatch) -> BatchConsumer:
    """A `BatchConsumer` with a mock client. Closing a real client that is joining its group may not return."""
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: Mock())
    return open_batch_consumer(OFFLINE_CONFIG)


def test_a_partition_error_is_retried_and_a_missing_offset_means_the_beginning(batch_consumer: BatchConsumer) -> None:
    unstable = [make_position(0, 7), make_position(1, -1001, KafkaError.UNSTABLE_OFFSET_COMMIT)]
    client = OffsetsConsumer(KafkaError._TRANSPORT, unstable, [make_position(0, 8), make_position(1, -1001)])
    batch_consumer._on_assign(client, TWO_PARTITIONS)  # type: ignore[arg-type]  # it has the methods that are called
    assert client.assigned is not None
    assert [(position.partition, position.offset) for position in client.assigned] == [(0, 8), (1, OFFSET_BEGINNING)]
    assert batch_consumer.seconds_without_assignment == 0.0


def test_an_authorization_error_stops_the_process(batch_consumer: BatchConsumer) -> None:
    client = OffsetsConsumer([make_position(0, 7), make_position(1, -1001, KafkaError.GROUP_AUTHORIZATION_FAILED)])
    with pytest.raises(InfrastructureError, match="GROUP_AUTHORIZATION_FAILED"):
        batch_consumer._on_assign(client, TWO_PARTITIONS)  # type: ignore[arg-type]
    assert client.assigned is None


@pytest.mark.parametrize("why", ["removed from the group", "timeout"])
def test_a_consumer_that_is_removed_or_waits_too_long_reads_nothing_and_counts_as_unassigned(
    batch_consumer: BatchConsumer, why: str
) -> None:
    def leave_group() -> None:
        client.group_metadata = b"no member"

    client = OffsetsConsumer(leave_group if why == "removed from the group" else KafkaError._TIMED_OUT)
    batch_consumer._offsets_timeout_s = 60 if why == "removed from the group" else 0.3
    batch_consumer._on_assign(client, TWO_PARTITIONS)  # type: ignore[arg-type]
    assert client.assigned == []
    assert batch_consumer.seconds_without_assignment > 0


def test_an_empty_assignment_queries_no_offsets(batch_consumer: BatchConsumer) -> None:
    client = OffsetsConsumer(KafkaError.GROUP_AUTHORIZATION_FAILED)
    batch_consumer._on_assign(client, [])  # type: ignore[arg-type]
    assert (client.assigned, batch_consumer.seconds_without_assignment) == ([], 0.0)


def test_the_watchdog_sees_each_call_that_waits_for_a_broker(
    batch_consumer: BatchConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not return would otherwise hang for ever: nothing else has a time limit for it."""
    monkeypatch.setattr(consumer_module, "HEARTBEAT_WAIT_S", 0.05)
    client: Any = batch_consumer._consumer
    seen: list[tuple[str, bool]] = []

    def record_call(name: str, answer: list[Any]) -> Any:
        def call(*_: Any) -> list[Any]:
            seen.append((name, batch_consumer._calls.started_at is not None))
            return answer

        return call

    client.consume = record_call("consume", [])
    client.committed = record_call("committed", [make_position(0, 7), make_position(1, 8)])
    client.seek = record_call("seek", [])
    bad = BadBatch("in", 0, 7, 9, "_BAD_COMPRESSION")
    monkeypatch.setattr(batch_consumer._bad_batches, "find_batches", record_call("find_batches", [bad]))
    batch_consumer._on_assign(client, TWO_PARTITIONS)
    batch_consumer.fill_batch(0)
    batch_consumer.skip_bad_batches([])
    assert seen == [(name, True) for name in ("committed", "consume", "find_batches", "seek")]
    seen.clear()
    assert batch_consumer.await_rejection() is None
    assert set(seen) == {("consume", True)}
    assert batch_consumer._calls.started_at is None


LEAVER = """
import sys, time
from tests.processors.exactly_once.copy_pipeline import make_loop_config
from tests.processors.exactly_once.consumer_fixtures import open_batch_consumer
bootstrap, topic, name = sys.argv[1:]
config = make_loop_config(bootstrap=bootstrap, topics=[topic], group=name, instance=name, transactional_id=name)
batch_consumer = open_batch_consumer(config)
before = batch_consumer._consumer.consumer_group_metadata()
while batch_consumer._consumer.consumer_group_metadata() == before:
    time.sleep(0.01)
time.sleep(0.3)  # for the assignment to arrive; a shorter time would prove less, not fail
batch_consumer.close()
assert batch_consumer.group_metadata is None
"""


def test_an_assignment_that_was_not_polled_does_not_block_close(embedded: EmbeddedBroker) -> None:
    """In separate processes: a close that does not return holds Python's lock."""
    pipeline = CopyPipeline(embedded)
    program = [sys.executable, "-c", LEAVER, embedded.bootstrap, pipeline.source]
    leavers = [subprocess.Popen([*program, f"{pipeline.suffix}-{number}"], cwd=ROOT) for number in range(6)]
    try:
        assert [leaver.wait(300) for leaver in leavers] == [0] * len(leavers)
    finally:
        for leaver in leavers:
            leaver.kill()
            leaver.wait()
