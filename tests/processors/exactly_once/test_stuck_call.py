"""A call counts as stuck only for as long as this process was running."""

from __future__ import annotations

import pytest

from processors.exactly_once.stuck_call import TICK_S, StuckCallDetector


def count(*checks: tuple[float, float | None]) -> list[float]:
    """Return what is counted at these checks: pairs of the time and of when the oldest call began."""
    times = iter([0.0, *(time for time, _ in checks)])
    detector = StuckCallDetector(lambda: next(times))
    return [detector.count_seconds(began) for _, began in checks]


def test_the_time_of_one_call_is_added_up() -> None:
    assert count((1, 0.5), (2, 0.5), (3.5, 0.5)) == [0, 1, 2.5]


@pytest.mark.parametrize("other", [None, 2.5])
def test_another_call_is_counted_from_zero(other: float | None) -> None:
    assert count((1, 0.5), (2, 0.5), (3, other), (4, other)) == [0, 1, 0, 0 if other is None else 1]


def test_a_suspension_is_not_counted() -> None:
    assert count((1, 0.5), (3_601, 0.5), (3_602, 0.5)) == [0, 2 * TICK_S, 2 * TICK_S + 1]
