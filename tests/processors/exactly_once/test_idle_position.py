"""A transaction without records commits an offset again: the group's, and not one that another worker has moved on."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from processors.exactly_once.loop import OutputRecord
from processors.exactly_once.transactor import Transactor
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, TIMEOUT_S, CopyPipeline
from tests.processors.exactly_once.test_input_logs import create_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


class Worker:
    """A transactor that is driven by a test, and the records that it has read."""

    def __init__(self, transactor: Transactor) -> None:
        self.transactor = transactor
        self.values: list[bytes] = []

    @property
    def partitions(self) -> int:
        return len(self.transactor._clients.consumer.list_assigned())

    def read(self) -> Batch | None:
        batch = self.transactor.read_batch()
        if batch is not None:
            self.values += [message.value() or b"" for message in batch.messages]
            self.transactor.commit_batch(batch, [])
        return batch

    def commit_without_records(self, target: str) -> None:
        """Write one output in a transaction without records."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            batch = self.transactor.read_batch()
            if batch is not None:
                assert not batch.messages
                self.transactor.commit_batch(batch, [OutputRecord(target, b"idle", b"")])
                assert self.transactor.finish_pending_commit()
                return
        pytest.fail("no batch without records is due")


@contextmanager
def open_worker(pipeline: CopyPipeline, name: str, **options: Any) -> Iterator[Worker]:
    config = pipeline.loop_config(name, session_timeout_s=6, idle_batch_s=0.0, **options)
    transactor = Transactor(config, lambda: 0)
    transactor.open()
    try:
        yield Worker(transactor)
    finally:
        transactor.finish_pending_commit()
        transactor.begin_stop()
        transactor.close()


def make_pipeline(kafka: KafkaBroker, *, with_state: bool) -> tuple[CopyPipeline, dict[str, Any]]:
    """Return a new pipeline, and the options with which its workers have a state store or not."""
    pipeline = CopyPipeline(kafka)
    pipeline.create_changelog()
    return pipeline, {"changelog_topic": pipeline.changelog if with_state else None}


def drive(*workers: Worker, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not until():
        assert time.monotonic() < deadline, f"{[len(worker.values) for worker in workers]} records are read"
        for worker in workers:
            worker.read()


@pytest.mark.parametrize("with_state", [True, False])
def test_an_offset_that_another_worker_has_moved_on_is_not_set_back(kafka: KafkaBroker, with_state: bool) -> None:
    """Partitions go to another worker and come back, as when one more worker runs for a while."""
    pipeline, options = make_pipeline(kafka, with_state=with_state)
    pipeline.send_records(30)
    with open_worker(pipeline, "1", **options) as first:
        drive(first, until=lambda: len(first.values) == 30)
        with open_worker(pipeline, "0", **options) as second:
            drive(first, second, until=lambda: first.partitions + second.partitions == PARTITIONS > first.partitions)
            pipeline.send_records(30)
            drive(first, second, until=lambda: len(first.values) + len(second.values) == 60)
            assert second.values
        drive(first, until=lambda: first.partitions == PARTITIONS)
        first.commit_without_records(pipeline.target)
    assert pipeline.count_acknowledged(exact=True) == 60
    assert len(first.values) + len(second.values) == 60


@pytest.mark.parametrize("with_state", [True, False])
def test_an_offset_of_a_topic_is_not_committed_for_one_that_was_created_again(
    kafka: KafkaBroker, with_state: bool
) -> None:
    """The clients are opened again for another reason, so only the assignment shows that it is another topic."""
    pipeline, options = make_pipeline(kafka, with_state=with_state)
    pipeline.send_records(30)
    with open_worker(pipeline, "0", **options) as worker:
        drive(worker, until=lambda: len(worker.values) == 30)
        assert worker.transactor.finish_pending_commit()
        create_again(pipeline, pipeline.source)
        worker.transactor._recovery.reopen_clients()
        drive(worker, until=lambda: worker.partitions == PARTITIONS)
        worker.commit_without_records(pipeline.target)
    pipeline.send_records(60)
    with open_worker(pipeline, "0", **options) as worker:
        drive(worker, until=lambda: len(worker.values) == 60)
