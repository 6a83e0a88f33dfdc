"""A clock that is certainly wrong is found before anything is decided; small differences are tolerated."""

from __future__ import annotations

import pytest

from processors.health.clock_check import TOLERANCE_MS, BrokerTime, ClockCheck, ClockError
from tests.processors.gate.gate_fixtures import DAY_MS, LAW, NOW_MS

HOUR_MS = 3_600_000


def test_time_that_goes_on_is_accepted() -> None:
    check = ClockCheck()
    for now_ms in (NOW_MS, NOW_MS + 1, NOW_MS + 30 * DAY_MS):
        check.accept_batch(now_ms, [BrokerTime(now_ms)], LAW)
    assert check.failure is None


def test_time_that_goes_back_is_refused() -> None:
    check = ClockCheck()
    check.accept_batch(NOW_MS, (), LAW)
    check.accept_batch(NOW_MS - TOLERANCE_MS, (), LAW)
    with pytest.raises(ClockError, match="it has gone back by 5 minutes since the last batch"):
        check.accept_batch(NOW_MS - TOLERANCE_MS - 1, (), LAW)  # many small steps are as wrong as a large one
    assert check.failure is not None


def test_a_time_before_the_law_pack_is_refused() -> None:
    check = ClockCheck()
    midnight_ms = NOW_MS - 59 * DAY_MS - 12 * HOUR_MS
    check.accept_batch(midnight_ms, (), LAW)
    with pytest.raises(ClockError, match=r"it says 2025-12-31, but pack CH 2026\.1 was consolidated on 2026-01-01"):
        ClockCheck().accept_batch(midnight_ms - 1, (), LAW)


@pytest.mark.parametrize(
    ("broker_time", "problem"),
    [
        (BrokerTime(NOW_MS + TOLERANCE_MS), None),
        (BrokerTime(NOW_MS + TOLERANCE_MS + 1), "5 minutes behind the broker's"),
        (BrokerTime(NOW_MS + 400 * DAY_MS), "400 days behind the broker's"),
        (BrokerTime(NOW_MS - 400 * DAY_MS), None),
        (BrokerTime(NOW_MS - 2 * HOUR_MS, 2 * HOUR_MS - TOLERANCE_MS), None),
        (BrokerTime(NOW_MS - 2 * HOUR_MS, 2 * HOUR_MS - TOLERANCE_MS - 1), "5 minutes ahead of the broker's"),
        (BrokerTime(NOW_MS - 2 * HOUR_MS, 0), "2 hours ahead of the broker's"),
        (BrokerTime(NOW_MS - 2 * HOUR_MS + 1, 0), "119 minutes ahead of the broker's"),
        (None, None),
    ],
)
def test_the_brokers_clock_is_compared(broker_time: BrokerTime | None, problem: str | None) -> None:
    found = ClockCheck().find_problem(NOW_MS, [] if broker_time is None else [broker_time], LAW)
    if problem is None:
        assert found is None
    else:
        assert found == f"the clock is wrong: it is {problem}; nothing is decided until it is corrected"


def test_a_refused_time_is_not_remembered() -> None:
    check = ClockCheck()
    with pytest.raises(ClockError):
        check.accept_batch(NOW_MS + DAY_MS, [BrokerTime(NOW_MS, 0)], LAW)
    check.accept_batch(NOW_MS, [BrokerTime(NOW_MS, 0)], LAW)
