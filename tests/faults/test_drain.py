"""Tests that slow work is waited for, and that stalled processes are restarted and finally given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.drain import STALL_S, STANDSTILL_S, RemainingWork, drain_work


@dataclass
class FakeSupervisor:
    now_s: float = 0.0
    exits: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def supervise_for(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class FakeWorker:
    starts: int = 0

    def kill(self) -> None: ...

    def start(self) -> None:
        self.starts += 1


def drain(count_left: Callable[[FakeSupervisor, FakeWorker], int]) -> tuple[FakeSupervisor, FakeWorker]:
    supervisor, worker = FakeSupervisor(), FakeWorker()
    work = RemainingWork("gate", lambda: count_left(supervisor, worker), [worker])
    drain_work(supervisor, [work], lambda: supervisor.now_s)
    return supervisor, worker


def test_slow_work_is_waited_for() -> None:
    supervisor, worker = drain(lambda supervisor, _: max(0, 1_000 - int(supervisor.now_s)))
    assert supervisor.now_s >= 1_000 > STANDSTILL_S
    assert (supervisor.failures, worker.starts) == ([], 0)


def test_a_stalled_process_is_restarted() -> None:
    supervisor, worker = drain(lambda _, worker: 0 if worker.starts else 7)
    assert STALL_S < supervisor.now_s < STALL_S + 1
    assert (supervisor.failures, supervisor.exits, worker.starts) == ([], {"gate stalled": 1}, 1)


def test_changing_amounts_without_a_new_minimum_are_a_stall() -> None:
    """For example if the broker answers from time to time and no work is done."""
    answers = iter([-1, 7, 9, 8] * 1_000)
    supervisor, _ = drain(lambda *_: next(answers))
    assert supervisor.now_s > STANDSTILL_S
    (complaint,) = supervisor.failures
    assert "left: [" in complaint
    assert supervisor.exits == {"gate stalled": 2}


def test_an_impossible_amount_is_not_progress() -> None:
    supervisor, _ = drain(lambda *_: -3)
    assert STANDSTILL_S < supervisor.now_s < STANDSTILL_S + 1
    assert len(supervisor.failures) == 1


def test_work_is_not_finished_if_an_amount_is_zero_only_for_a_moment() -> None:
    """One role reports zero once, and the other reports zero later."""
    supervisor = FakeSupervisor()
    unsteady, steady = iter([0]), iter([5])
    roles = [RemainingWork("a", lambda: next(unsteady, 7), []), RemainingWork("b", lambda: next(steady, 0), [])]
    drain_work(supervisor, roles, lambda: supervisor.now_s)
    (complaint,) = supervisor.failures
    assert "left: [7, 0]" in complaint


def test_work_of_unknown_amount_is_given_up() -> None:
    supervisor, _ = drain(lambda *_: -1)
    assert STANDSTILL_S < supervisor.now_s < STANDSTILL_S + 1
    assert len(supervisor.failures) == 1
