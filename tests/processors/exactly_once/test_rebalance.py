"""Workers of one gate on the real broker: they share its partitions, and may come, die and freeze as they like."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import Worker, working
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

KEYS = 40
PACE = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6, "transaction_timeout_s": 5}


@pytest.fixture(params=["copying", "counting in RocksDB"])
def course(request: pytest.FixtureRequest, kafka: KafkaBroker) -> CopyPipeline:
    """What the workers do: copy; or count each key in the ledger, so that one record too many or few shows."""
    course = CopyPipeline(kafka)
    course.lasting = request.param.endswith("RocksDB")
    if request.param != "copying":
        course.keys = KEYS
        course.add_ledger()
    return course


def options(course: CopyPipeline, folder: Path, worker: str) -> dict[str, Any]:
    kept = {"state_folder": str(folder / f"ledger-{worker}")} if course.lasting else {}
    return {**PACE, **kept}


def check(course: CopyPipeline) -> None:
    if course.keys is None:
        course.check()
    else:
        course.check_counts()


def owns(worker: Worker) -> bool:
    return "assigned: in" in worker.says()


def test_workers_may_come_die_and_freeze(course: CopyPipeline, tmp_path: Path) -> None:
    """One worker, a second beside it, the first killed and started again, the second frozen until it is replaced."""

    def work(name: str, log: str) -> Any:
        return working(course, tmp_path / log, name, **options(course, tmp_path, name))

    def load(what: str) -> None:
        """Give them more than they do in the next seconds, and wait until they are in the midst of it."""
        done = course.committed()
        course.send(5_000)
        wait_until(lambda: course.committed() > done, what)

    with work("1", "first") as first:
        load("the first worker commits")
        with work("2", "second") as second:
            wait_until(lambda: owns(second), "the second worker has partitions")
            load("both commit")
            first.end(signal.SIGKILL)
            with work("1", "again") as again:
                wait_until(lambda: owns(again), "it takes its partitions back")
                load("both commit again")
                second.send(signal.SIGSTOP)
                wait_until(lambda: again.says().count("assigned: in") > 1, "it takes over from who is frozen")
                load("it commits what the frozen one had")
                second.send(signal.SIGCONT)
                wait_until(lambda: course.committed() == course.sent, "all is committed")
                assert again.end(signal.SIGTERM) == 0
                assert second.end(signal.SIGTERM) == 0
    check(course)


def test_who_is_replaced_while_frozen_is_fenced_and_says_so(kafka: KafkaBroker, tmp_path: Path) -> None:
    """As an orchestrator does it that believes a worker dead: another one under the same names."""
    course = CopyPipeline(kafka, keys=KEYS)
    course.add_ledger()
    course.send(6_000)
    pace = {**PACE, "session_timeout_s": 60}  # by which nothing happens here
    with working(course, tmp_path / "frozen", "1", **pace) as frozen:
        wait_until(lambda: course.committed() > 200, "the first worker commits")
        frozen.send(signal.SIGSTOP)
        with working(course, tmp_path / "heir", "1", **pace) as heir:
            done = course.committed()
            course.send(1_000)
            wait_until(lambda: course.committed() > done + 200, "the heir commits")
            frozen.send(signal.SIGCONT)
            assert frozen.end() == 3
            wait_until(lambda: course.committed() == course.sent, "all is committed")
            assert heir.end(signal.SIGTERM) == 0
    assert "fenced: another process" in frozen.says()
    assert "Traceback" not in frozen.says()
    course.check_counts()
