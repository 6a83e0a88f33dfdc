"""How a lane ends and begins again: killed, fenced, frozen, without a broker; each record is still taken once."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import loop as loop_module
from processors.exactly_once import transactor as transactor_module
from processors.exactly_once.loop import OutputRecord
from sharing.errors import InfrastructureError
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import free_port
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import Worker, copying, finish, run, working
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.embedded import EmbeddedBroker

LIMIT_S = 60.0
FAST = {"topic.metadata.propagation.max.ms": 100}


@pytest.fixture(scope="module")
def hasty_kafka(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A broker of our own that looks for old transactions all the time, to be stopped and started."""
    properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}
    with KafkaBroker(tmp_path_factory.mktemp("hasty"), properties=properties) as broker:
        yield broker


@pytest.mark.kafka
def test_sigkill_loses_and_doubles_nothing(kafka_course: CopyPipeline, tmp_path: Path) -> None:
    course = kafka_course
    done = 0
    for kill in range(6):
        course.send(6_000)  # more than it does until somebody has looked
        with working(course, tmp_path / "log", batch_records_max=50, pause_s=0.05 + 0.005 * kill) as worker:
            wait_until(lambda done=done: course.committed() > done, "the next commit")  # type: ignore[misc]  # mypy does not see the default
            worker.end(signal.SIGKILL)
        done = course.settle()
    assert 0 < done < course.sent
    finish(course)


@pytest.mark.kafka
def test_workers_share_the_partitions_and_take_over(kafka_course: CopyPipeline, tmp_path: Path) -> None:
    course = kafka_course
    options = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6}
    course.send(6_000)
    with working(course, tmp_path / "first", "1", **options) as first:
        wait_until(lambda: course.committed() > 0, "the first worker commits")
        with working(course, tmp_path / "second", "2", **options) as second:
            wait_until(lambda: "assigned: in" in second.says(), "the second worker has partitions")
            wait_until(lambda: first.says().count("assigned: in") >= 2, "the first worker has given some up")
            wait_until(lambda: course.committed() > 2_000, "both commit")
            assert first.end(signal.SIGTERM) == 0
            wait_until(lambda: course.committed() == course.sent, "the second worker takes over")
            assert second.end(signal.SIGTERM) == 0
    course.check()


@pytest.mark.kafka
def test_a_worker_that_was_thought_dead_commits_nothing(kafka_course: CopyPipeline, tmp_path: Path) -> None:
    course = kafka_course
    options = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6, "transaction_timeout_s": 5}
    course.send(10_000)
    with working(course, tmp_path / "first", "1", **options) as first:
        wait_until(lambda: course.committed() > 0, "the first worker commits")
        first.send(signal.SIGSTOP)
        with working(course, tmp_path / "second", "2", **options) as second:
            wait_until(lambda: "assigned: in" in second.says(), "the second worker takes over")
            first.send(signal.SIGCONT)
            wait_until(lambda: course.committed() == course.sent, "all is committed")
            assert second.end(signal.SIGTERM) == 0
    course.check()


@pytest.mark.kafka
def test_a_second_process_with_the_same_transactional_id_ends_the_first(
    kafka_course: CopyPipeline, tmp_path: Path
) -> None:
    course = kafka_course
    course.send(2_000)
    with working(course, tmp_path / "log", batch_records_max=10, pause_s=0.02) as worker:
        wait_until(lambda: course.committed() > 0, "the first commits")
        successor = Producer(
            {"bootstrap.servers": course.broker.bootstrap, "transactional.id": course.route().transactional_id}
        )
        successor.init_transactions(LIMIT_S)
        course.send(10)  # for its next transaction, if it has done all by now: it learns nothing while it is idle
        assert worker.end() == 3
    assert "fenced: another process" in worker.says()
    assert course.committed() == len(course.copies())


@pytest.mark.kafka
def test_a_second_process_with_the_same_instance_ends_the_first(kafka_course: CopyPipeline, tmp_path: Path) -> None:
    course = kafka_course
    with working(course, tmp_path / "first") as first:
        wait_until(lambda: "assigned: in" in first.says(), "the first worker has partitions")
        with working(course, tmp_path / "second", transactional_id="another") as second:
            assert first.end() == 3
            course.send(10)
            wait_until(lambda: course.committed() == 10, "the second worker commits")
            assert second.end(signal.SIGTERM) == 0
    assert "fenced: another process" in first.says()


@pytest.mark.kafka
def test_a_restarted_broker_costs_nothing(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    course = CopyPipeline(fresh_kafka)
    course.send(8_000)
    with working(course, tmp_path / "log", batch_records_max=100, pause_s=0.02) as worker:
        wait_until(lambda: course.committed() > 0, "the first commits")
        fresh_kafka.restart()
        wait_until(lambda: course.committed() == course.sent, "the rest is committed")
        assert worker.end(signal.SIGTERM) == 0
    course.check()


@pytest.mark.kafka
@pytest.mark.parametrize("pauses", [["end"], [0, 1]], ids=["at its end", "in its midst"])
def test_a_transaction_that_outlives_its_time_is_done_again(
    pauses: list[int | str], hasty_kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """The commit hears of it; or a record does, and the next is told no more than that all is over."""
    course = CopyPipeline(hasty_kafka)
    course.send(100)
    left = list(pauses)

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        for number, output in enumerate(copying(course)(batch)):
            yield output
            pause(number)
        pause("end")

    def pause(place: int | str) -> None:
        if place in left:
            left.remove(place)
            time.sleep(2.5)

    route = course.route(transaction_timeout_s=1)
    assert run(route, handle, 100) is None
    assert "done again" in caplog.text
    course.check()


@pytest.mark.kafka
def test_who_wakes_after_its_transaction_has_ended_leaves_its_heir_in_peace(
    hasty_kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fenced producer says the same whether the broker or an heir did it; the group knows."""
    monkeypatch.setattr(consumer_module, "HEARTBEATS_S", 30.0)  # it listens until it hears: librdkafka may be late here
    course = CopyPipeline(hasty_kafka)
    course.send(100)
    heirs: list[Worker] = []

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        yield from copying(course)(batch)
        time.sleep(1.5)  # longer than the transaction may take
        heir = stack.enter_context(working(course, tmp_path / "heir", "0"))
        wait_until(lambda: "assigned: in" in heir.says(), "the heir has the partitions")
        heirs.append(heir)

    with ExitStack() as stack:
        failure = run(course.route(transaction_timeout_s=1), handle, 100)
        assert isinstance(failure, InfrastructureError)
        assert "fenced: another process" in str(failure)
        wait_until(lambda: course.committed() == course.sent, "the heir commits")
        assert [heir.end(signal.SIGTERM) for heir in heirs] == [0]
    course.check()


def test_a_network_that_fails_is_waited_for(embedded: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    course = CopyPipeline(embedded)
    course.send(2_000)
    taken: list[int] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        if not taken:
            embedded.interrupt()
            asyncio.get_running_loop().call_later(2, embedded.resume)
        taken.append(len(batch.messages))
        return copying(course)(batch)

    assert run(course.route(batch_records_max=100), handle, 2_000) is None
    assert "answers again" in caplog.text
    course.check()


def test_no_broker_at_the_start_is_said_and_ends_the_process(tmp_path: Path) -> None:
    class Nowhere:
        kind = "nowhere"
        bootstrap = f"127.0.0.1:{free_port()}"

        def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None: ...

    course = CopyPipeline(Nowhere())
    with working(course, tmp_path / "log", start_timeout_s=6) as worker:
        assert worker.end() == 3
    assert f"no broker answers at {Nowhere.bootstrap}; waiting for one" in worker.says()
    with working(course, tmp_path / "again", start_timeout_s=60) as worker:
        wait_until(lambda: "waiting for one" in worker.says(), "it waits")
        assert worker.end(signal.SIGTERM) == 0


def test_a_call_that_never_returns_ends_the_process(monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedBroker) -> None:
    monkeypatch.setattr(loop_module, "STUCK_S", 0.1)
    monkeypatch.setattr(loop_module, "CLOSE_S", 0.1)
    monkeypatch.setattr(
        transactor_module.Transactor, "_open", lambda self: self._patience.retry(lambda _: time.sleep(60))
    )
    course = CopyPipeline(embedded)
    reason = run(course.route(), copying(course), 1)
    assert isinstance(reason, InfrastructureError)
    assert "has not returned" in str(reason)
