"""A loop that is killed, fenced, frozen or without a broker, and started again, copies each record exactly once."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import loop as loop_module
from processors.exactly_once.client_pair import ClientPair
from processors.exactly_once.loop import OutputRecord
from sharing.errors import InfrastructureError
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import LOOPBACK
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import (
    CopyWorkerProcess,
    copy_remaining,
    make_copier,
    run_loop,
    running_worker,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.embedded import EmbeddedBroker

TIMEOUT_S = 150.0


@pytest.fixture(scope="module")
def expiring_kafka(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A separate broker that aborts expired transactions almost immediately."""
    properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}
    with KafkaBroker(tmp_path_factory.mktemp("expiring"), properties=properties) as broker:
        yield broker


@pytest.mark.kafka
def test_sigkill_neither_loses_nor_duplicates_records(kafka_pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline = kafka_pipeline
    done = 0
    for kill in range(6):
        pipeline.send_records(6_000)  # more than it copies before the next poll
        with running_worker(pipeline, tmp_path / "log", batch_records_max=50, pause_s=0.05 + 0.005 * kill) as worker:
            wait_until(lambda done=done: pipeline.count_acknowledged() > done, "the next batch is committed")  # type: ignore[misc]  # mypy does not see the default
            worker.stop(signal.SIGKILL)
        done = pipeline.abort_open_transaction()
    assert 0 < done < pipeline.sent
    copy_remaining(pipeline)


@pytest.mark.kafka
def test_workers_share_the_partitions_and_take_over(kafka_pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline = kafka_pipeline
    options = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6}
    pipeline.send_records(6_000)
    with running_worker(pipeline, tmp_path / "first", "1", **options) as first:
        wait_until(lambda: pipeline.count_acknowledged() > 0, "the first worker commits")
        with running_worker(pipeline, tmp_path / "second", "2", **options) as second:
            wait_until(second.has_partitions, "the second worker has partitions")
            wait_until(lambda: first.count_assignments() >= 2, "the first worker has given up some of them")
            wait_until(lambda: pipeline.count_acknowledged() > 2_000, "both workers commit")
            assert first.stop(signal.SIGTERM) == 0
            wait_until(lambda: pipeline.count_acknowledged() == pipeline.sent, "the second worker takes over")
            assert second.stop(signal.SIGTERM) == 0
    pipeline.check_copies()


@pytest.mark.kafka
def test_a_worker_that_was_presumed_dead_commits_nothing(kafka_pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline = kafka_pipeline
    options = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6, "transaction_timeout_s": 5}
    pipeline.send_records(10_000)
    with running_worker(pipeline, tmp_path / "first", "1", **options) as first:
        wait_until(lambda: pipeline.count_acknowledged() > 0, "the first worker commits")
        first.send_signal(signal.SIGSTOP)
        with running_worker(pipeline, tmp_path / "second", "2", **options) as second:
            wait_until(second.has_partitions, "the second worker takes over")
            first.send_signal(signal.SIGCONT)
            wait_until(lambda: pipeline.count_acknowledged() == pipeline.sent, "all records are committed")
            assert second.stop(signal.SIGTERM) == 0
    pipeline.check_copies()


@pytest.mark.kafka
def test_a_second_process_with_the_same_transactional_id_stops_the_first(
    kafka_pipeline: CopyPipeline, tmp_path: Path
) -> None:
    pipeline = kafka_pipeline
    pipeline.send_records(2_000)
    with running_worker(pipeline, tmp_path / "log", batch_records_max=10, pause_s=0.02) as worker:
        wait_until(lambda: pipeline.count_acknowledged() > 0, "the first batch is committed")
        successor = Producer(
            {
                "bootstrap.servers": pipeline.broker.bootstrap,
                "transactional.id": pipeline.loop_config().transactional_id,
            }
        )
        successor.init_transactions(TIMEOUT_S)
        # For another transaction, in case all records are copied by now: an idle worker does not notice its successor.
        pipeline.send_records(10)
        assert worker.stop() == 3
    assert "fenced: another process" in worker.read_log()
    assert pipeline.count_acknowledged() == len(pipeline.read_copies())


@pytest.mark.kafka
def test_a_second_process_with_the_same_instance_stops_the_first(kafka_pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline = kafka_pipeline
    with running_worker(pipeline, tmp_path / "first") as first:
        wait_until(first.has_partitions, "the first worker has partitions")
        with running_worker(pipeline, tmp_path / "second", transactional_id="another") as second:
            assert first.stop() == 3
            pipeline.send_records(10)
            wait_until(lambda: pipeline.count_acknowledged() == 10, "the second worker commits")
            assert second.stop(signal.SIGTERM) == 0
    assert "fenced: another process" in first.read_log()


@pytest.mark.kafka
def test_a_broker_restart_neither_loses_nor_duplicates_records(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    pipeline = CopyPipeline(fresh_kafka)
    pipeline.send_records(8_000)
    with running_worker(pipeline, tmp_path / "log", batch_records_max=100, pause_s=0.02) as worker:
        wait_until(lambda: pipeline.count_acknowledged() > 0, "the first batch is committed")
        fresh_kafka.restart()
        wait_until(lambda: pipeline.count_acknowledged() == pipeline.sent, "the remaining records are committed")
        assert worker.stop(signal.SIGTERM) == 0
    pipeline.check_copies()


def has_aborted(pipeline: CopyPipeline) -> bool:
    """Return whether the broker has aborted the transaction of the pipeline's worker."""
    from kafka.admin import KafkaAdminClient  # takes long to import

    name = pipeline.loop_config().transactional_id
    client = KafkaAdminClient(bootstrap_servers=pipeline.broker.bootstrap)
    try:
        return str(client.describe_transactions([name])[name].state.value) == "CompleteAbort"
    finally:
        client.close()


@pytest.mark.kafka
@pytest.mark.parametrize("pauses", [["end"], [0, 1]], ids=["while committing", "while writing"])
def test_the_batch_of_an_expired_transaction_is_processed_again(
    pauses: list[int | str], expiring_kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """The commit reports the expiry; or a record does, and then the next record reports only a fatal error."""
    pipeline = CopyPipeline(expiring_kafka)
    pipeline.send_records(100)
    remaining_pauses = list(pauses)

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        for number, output in enumerate(make_copier(pipeline)(batch)):
            yield output
            pause(number)
        pause("end")

    def pause(position: int | str) -> None:
        if position in remaining_pauses:
            remaining_pauses.remove(position)
            wait_until(lambda: has_aborted(pipeline), "the broker has aborted the transaction")

    config = pipeline.loop_config(transaction_timeout_s=4)
    assert run_loop(config, handle, 100) is None
    assert "a transaction is aborted and its batch is processed again" in caplog.text
    pipeline.check_copies()


@pytest.mark.kafka
def test_a_worker_whose_transaction_has_expired_does_not_fence_its_successor(
    expiring_kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer reports the same error whether the broker or a successor has fenced it; the group knows which."""
    monkeypatch.setattr(consumer_module, "HEARTBEAT_WAIT_S", 30.0)  # librdkafka's heartbeat may be late here
    pipeline = CopyPipeline(expiring_kafka)
    pipeline.send_records(100)
    successors: list[CopyWorkerProcess] = []

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        yield from make_copier(pipeline)(batch)
        time.sleep(1.5)  # longer than the transaction may take
        successor = stack.enter_context(running_worker(pipeline, tmp_path / "successor", "0"))
        wait_until(successor.has_partitions, "the successor has the partitions")
        successors.append(successor)

    with ExitStack() as stack:
        failure = run_loop(pipeline.loop_config(transaction_timeout_s=1), handle, 100)
        assert isinstance(failure, InfrastructureError)
        assert "fenced: another process" in str(failure)
        wait_until(lambda: pipeline.count_acknowledged() == pipeline.sent, "the successor commits")
        assert [successor.stop(signal.SIGTERM) for successor in successors] == [0]
    pipeline.check_copies()


def test_a_network_failure_is_waited_out(embedded: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    pipeline = CopyPipeline(embedded)
    pipeline.send_records(2_000)
    sizes: list[int] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        if not sizes:
            embedded.interrupt()
            asyncio.get_running_loop().call_later(2, embedded.resume)
        sizes.append(len(batch.messages))
        return make_copier(pipeline)(batch)

    assert run_loop(pipeline.loop_config(batch_records_max=100), handle, 2_000) is None
    assert "answers again" in caplog.text
    pipeline.check_copies()


def test_no_broker_at_the_start_is_logged_and_stops_the_process(tmp_path: Path) -> None:
    with socket.socket() as held:  # bound, so that no other process listens there, and connections are refused
        held.bind((LOOPBACK, 0))
        address = f"{LOOPBACK}:{held.getsockname()[1]}"

        class UnreachableBroker:
            kind = "unreachable"
            bootstrap = address

            def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None: ...

        pipeline = CopyPipeline(UnreachableBroker())
        with running_worker(pipeline, tmp_path / "log", start_timeout_s=6) as worker:
            assert worker.stop() == 3
        log = worker.read_log()
        assert f"no broker answers at {address}; waiting for one" in log, log
        with running_worker(pipeline, tmp_path / "again", start_timeout_s=60) as worker:
            wait_until(lambda: "waiting for one" in worker.read_log(), "the worker waits")
            assert worker.stop(signal.SIGTERM) == 0


def test_a_call_that_never_returns_stops_the_process(monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedBroker) -> None:
    monkeypatch.setattr(loop_module, "STUCK_CALL_S", 0.1)
    monkeypatch.setattr(loop_module, "CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(ClientPair, "open", lambda self: self._retry.retry_call(lambda _: time.sleep(60)))
    pipeline = CopyPipeline(embedded)
    reason = run_loop(pipeline.loop_config(), make_copier(pipeline), 1)
    assert isinstance(reason, InfrastructureError)
    assert "has not returned" in str(reason)
