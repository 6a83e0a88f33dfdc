"""That what is slow is waited for, and what stands still is started again and then given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.drain import STALL_S, STANDSTILL_S, AtWork, work_through


@dataclass
class Stage:
    now_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Worker:
    starts: int = 0

    def kill(self) -> None: ...

    def start(self) -> None:
        self.starts += 1


def drain(ask: Callable[[Stage, Worker], int]) -> tuple[Stage, Worker]:
    stage, worker = Stage(), Worker()
    work_through(stage, [AtWork("gate", lambda: ask(stage, worker), [worker])], lambda: stage.now_s)
    return stage, worker


def test_what_is_slow_is_waited_for() -> None:
    stage, worker = drain(lambda stage, _: max(0, 1_000 - int(stage.now_s)))
    assert stage.now_s >= 1_000 > STANDSTILL_S
    assert (stage.complaints, worker.starts) == ([], 0)


def test_who_stands_still_is_started_again() -> None:
    stage, worker = drain(lambda _, worker: 0 if worker.starts else 7)
    assert STALL_S < stage.now_s < STALL_S + 1
    assert (stage.complaints, stage.ends, worker.starts) == ([], {"gate stalled": 1}, 1)


def test_who_wavers_stands_still() -> None:
    """As when the broker answers now and then, and nothing is done."""
    answers = iter([-1, 7, 9, 8] * 1_000)
    stage, _ = drain(lambda *_: next(answers))
    assert stage.now_s > STANDSTILL_S
    (complaint,) = stage.complaints
    assert "left: [" in complaint
    assert stage.ends == {"gate stalled": 2}


def test_an_answer_that_cannot_be_is_none() -> None:
    stage, _ = drain(lambda *_: -3)
    assert STANDSTILL_S < stage.now_s < STANDSTILL_S + 1
    assert len(stage.complaints) == 1


def test_a_false_end_is_none() -> None:
    """One has an end for a moment, and the other comes to its own later."""
    stage = Stage()
    wavering, other = iter([0]), iter([5])
    both = [AtWork("a", lambda: next(wavering, 7), []), AtWork("b", lambda: next(other, 0), [])]
    work_through(stage, both, lambda: stage.now_s)
    (complaint,) = stage.complaints
    assert "left: [7, 0]" in complaint


def test_who_never_answers_is_given_up() -> None:
    stage, _ = drain(lambda *_: -1)
    assert STANDSTILL_S < stage.now_s < STANDSTILL_S + 1
    assert len(stage.complaints) == 1
