"""Up to which instant everything has been read, on a real Kafka: open transactions and late reading delay it."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from processors.exactly_once.batch import Batch
from processors.exactly_once.transactor import Transactor
from tests.processors.exactly_once.copy_pipeline import TIMEOUT_S, CopyPipeline

if TYPE_CHECKING:
    from processors.exactly_once.read_horizon import ReadHorizon
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

BLOCKED_S = 1.5
"""How long a test sees that nothing happens: several times what an unblocked horizon takes."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Worker:
    """A loop without an agent.

    Attributes:
        read: The values that were in batches so far.
        reached: Up to which instant partition 0 was read, as the last batch said.
        empty: Number of batches without records.
    """

    transactor: Transactor
    read: list[bytes] = field(default_factory=list)
    reached: int = 0
    empty: int = 0

    @property
    def horizon(self) -> ReadHorizon:
        assert self.transactor.horizon is not None
        return self.transactor.horizon

    def want(self, instant: int | None) -> None:
        self.horizon.want({} if instant is None else {0: instant})

    def run_until(self, is_enough: Callable[[], bool], limit_s: float = TIMEOUT_S) -> bool:
        """Process batches until it is enough, or the time is up."""
        deadline = time.monotonic() + limit_s
        while not is_enough() and time.monotonic() < deadline:
            batch = self.transactor.read_batch()
            if batch is not None:
                self._take(batch)
        return is_enough()

    def _take(self, batch: Batch) -> None:
        self.read += [message.value() or b"" for message in batch.messages]
        self.empty += not batch.messages
        self.reached = batch.read_until.get(0, 0)
        instant = self.horizon._wanted.get(0, 0)
        self.want(instant if instant > self.reached else None)
        self.transactor.commit_batch(batch, [])


@pytest.fixture
def pipeline(kafka: KafkaBroker) -> CopyPipeline:
    return CopyPipeline(kafka)


@pytest.fixture
def worker(pipeline: CopyPipeline) -> Iterator[Worker]:
    transactor = Transactor(pipeline.loop_config(horizon_clock=now_ms), now_ms)
    transactor.open()
    worker = Worker(transactor)
    assert worker.run_until(lambda: worker.empty == 1), "the first batch comes at once, and has no records"
    yield worker
    transactor.begin_stop()
    transactor.close()


def open_transaction(pipeline: CopyPipeline) -> Producer:
    producer = Producer({"bootstrap.servers": pipeline.broker.bootstrap, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    return producer


def write(producer: Producer, pipeline: CopyPipeline, value: bytes) -> None:
    producer.produce(pipeline.source, value, partition=0)
    assert producer.flush(TIMEOUT_S) == 0


def test_an_instant_is_reached_soon_after_it_has_come(pipeline: CopyPipeline, worker: Worker) -> None:
    producer = open_transaction(pipeline)
    write(producer, pipeline, b"aborted")
    producer.abort_transaction(TIMEOUT_S)  # behind the last record there are markers only
    instant = now_ms() + 500
    worker.want(instant)
    assert worker.run_until(lambda: worker.reached >= instant)
    assert now_ms() >= instant
    assert worker.read == []
    assert worker.empty == 2, "no batch but that which the instant makes"


def test_an_instant_is_usually_reached_within_seconds(pipeline: CopyPipeline, worker: Worker) -> None:
    """On a machine with nothing else to do, a deadline acts within a second of its expiry and the grace."""
    delays = []
    for _ in range(5):
        write(Producer({"bootstrap.servers": pipeline.broker.bootstrap}), pipeline, b"something arrives")
        instant = now_ms() + 200
        worker.want(instant)
        assert worker.run_until(lambda instant=instant: worker.reached >= instant)  # type: ignore[misc]  # bound immediately
        delays.append(now_ms() - instant)
    assert statistics.median(delays) < 10_000, delays


def test_what_was_written_before_an_instant_is_read_before_the_instant_counts(
    pipeline: CopyPipeline, worker: Worker
) -> None:
    producer = Producer({"bootstrap.servers": pipeline.broker.bootstrap})
    for number in range(20):
        write(producer, pipeline, b"%d" % number)
    instant = now_ms()
    worker.want(instant)
    assert worker.run_until(lambda: worker.reached >= instant)
    assert len(worker.read) == 20


def test_an_open_transaction_delays_an_instant_until_its_records_can_be_read(
    pipeline: CopyPipeline, worker: Worker
) -> None:
    producer = open_transaction(pipeline)
    write(producer, pipeline, b"hidden")
    instant = now_ms()
    worker.want(instant)
    assert not worker.run_until(lambda: worker.reached >= instant, BLOCKED_S)
    assert worker.horizon.wait_s > 0
    producer.commit_transaction(TIMEOUT_S)
    assert worker.run_until(lambda: worker.reached >= instant)
    assert worker.read == [b"hidden"]
    assert worker.horizon.wait_s == 0


def test_a_batch_in_which_nothing_happens_writes_no_transaction(pipeline: CopyPipeline, worker: Worker) -> None:
    settled: list[bool] = []
    batch = None
    worker.horizon.forget()
    while batch is None:
        batch = worker.transactor.read_batch()
    assert not batch.messages
    began = worker.transactor._clients.producer.began_at
    worker.transactor.commit_batch(batch, [], settled.append)
    assert settled == [True]
    assert worker.transactor._clients.producer.began_at == began
