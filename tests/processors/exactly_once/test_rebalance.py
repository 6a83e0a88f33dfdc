"""Workers of one group on the real broker share its partitions, and may start, die and freeze at any time."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import running_worker
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

KEY_COUNT = 40
PACE = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6, "transaction_timeout_s": 5}


@pytest.fixture(params=["copying", "counting in RocksDB"])
def pipeline(request: pytest.FixtureRequest, kafka: KafkaBroker) -> CopyPipeline:
    """Workers that copy, or that count each key in their state, so that a lost or duplicated record shows."""
    pipeline = CopyPipeline(kafka)
    pipeline.state_on_disk = request.param.endswith("RocksDB")
    if request.param != "copying":
        pipeline.key_count = KEY_COUNT
        pipeline.create_changelog()
    return pipeline


def worker_options(pipeline: CopyPipeline, folder: Path, worker: str) -> dict[str, Any]:
    state = {"state_folder": str(folder / f"state-{worker}")} if pipeline.state_on_disk else {}
    return {**PACE, **state}


def check_outputs(pipeline: CopyPipeline) -> None:
    if pipeline.key_count is None:
        pipeline.check_copies()
    else:
        pipeline.check_counts()


def test_workers_may_start_die_and_freeze(pipeline: CopyPipeline, tmp_path: Path) -> None:
    """A second worker joins the first; the first is killed and restarted; the second freezes until it is replaced."""

    def start_worker(name: str, log: str) -> Any:
        return running_worker(pipeline, tmp_path / log, name, **worker_options(pipeline, tmp_path, name))

    def send_load(expected: str) -> None:
        """Send more records than the workers copy in the next seconds, and wait until they commit some of them."""
        done = pipeline.count_acknowledged()
        pipeline.send_records(5_000)
        wait_until(lambda: pipeline.count_acknowledged() > done, expected)

    with start_worker("1", "first") as first:
        send_load("the first worker commits")
        with start_worker("2", "second") as second:
            wait_until(second.has_partitions, "the second worker has partitions")
            send_load("both workers commit")
            first.stop(signal.SIGKILL)
            with start_worker("1", "again") as restarted:
                wait_until(restarted.has_partitions, "the restarted worker has its partitions back")
                send_load("both workers commit again")
                second.send_signal(signal.SIGSTOP)
                wait_until(
                    lambda: restarted.count_assignments() > 1, "the restarted worker takes over from the frozen one"
                )
                send_load("the restarted worker commits records of the frozen one")
                second.send_signal(signal.SIGCONT)
                wait_until(lambda: pipeline.count_acknowledged() == pipeline.sent, "all records are committed")
                assert restarted.stop(signal.SIGTERM) == 0
                assert second.stop(signal.SIGTERM) == 0
    check_outputs(pipeline)


def test_a_worker_that_is_replaced_while_frozen_is_fenced_and_logs_it(kafka: KafkaBroker, tmp_path: Path) -> None:
    """As an orchestrator does that presumes a worker dead: it starts another one with the same ids."""
    pipeline = CopyPipeline(kafka, key_count=KEY_COUNT)
    pipeline.create_changelog()
    pipeline.send_records(6_000)
    pace = {**PACE, "session_timeout_s": 60}  # so that the group does not replace the frozen worker
    with running_worker(pipeline, tmp_path / "frozen", "1", **pace) as frozen:
        wait_until(lambda: pipeline.count_acknowledged() > 200, "the first worker commits")
        frozen.send_signal(signal.SIGSTOP)
        with running_worker(pipeline, tmp_path / "successor", "1", **pace) as successor:
            done = pipeline.count_acknowledged()
            pipeline.send_records(1_000)
            wait_until(lambda: pipeline.count_acknowledged() > done + 200, "the successor commits")
            frozen.send_signal(signal.SIGCONT)
            assert frozen.stop() == 3
            wait_until(lambda: pipeline.count_acknowledged() == pipeline.sent, "all records are committed")
            assert successor.stop(signal.SIGTERM) == 0
    assert "fenced: another process" in frozen.read_log()
    assert "Traceback" not in frozen.read_log()
    pipeline.check_counts()
