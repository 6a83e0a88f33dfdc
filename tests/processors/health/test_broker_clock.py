"""A worker decides nothing before its clock was compared with a broker's, where brokers stamp records."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from processors.health import consumer_status
from processors.health.broker_clock import ATTEMPTS_QUIET, READ_AGAIN_S, READING_AGE_S_MAX, RETRY_S, BrokerClock
from processors.health.clock_check import BrokerTime
from sharing.errors import InfrastructureError
from sharing.kafka.broker_clock import ClockReading, ClockTopicError
from tests.processors.health.health_fixtures import FakeMonotonic

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_MS = 1_000_000
SECONDS = 120


def run(read: Callable[[], ClockReading], retries: int = 0) -> tuple[BrokerClock, list[str | None]]:
    """Run the service until nobody needs to wait any more. Return it, and its failure before each retry."""
    failures: list[str | None] = []

    async def main() -> BrokerClock:
        clock = BrokerClock(read, lambda: NOW_MS)

        async def count_retry(seconds: float) -> None:
            if seconds == READ_AGAIN_S:
                await asyncio.Event().wait()
            failures.append(clock.failure)

        clock.sleep = count_retry  # type: ignore[method-assign,assignment]
        async with asyncio.timeout(SECONDS):
            await clock.start()
            assert clock.get_time() is None
            await clock.wait_until_read()
        await clock.stop()
        return clock

    clock = asyncio.run(main())
    assert len(failures) == retries
    return clock, failures


def test_the_reading_bounds_the_brokers_time_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeMonotonic()
    monkeypatch.setattr(consumer_status, "time", time)
    clock, _ = run(lambda: ClockReading(ahead_s=600.0, error_s=0.004))
    assert clock.get_time() == BrokerTime(NOW_MS - 600_000, 5)
    time.passed = 60
    assert clock.get_time() == BrokerTime(NOW_MS - 600_000, 60_005)
    time.passed = READING_AGE_S_MAX
    assert clock.get_time() is None


def test_a_reading_is_tried_again_until_it_succeeds_and_a_lasting_failure_is_told() -> None:
    attempts = 0

    def read() -> ClockReading:
        nonlocal attempts
        attempts += 1
        if attempts <= ATTEMPTS_QUIET + 1:
            raise InfrastructureError("TOPIC_AUTHORIZATION_FAILED")
        return ClockReading(0.0, 0.001)

    clock, failures = run(read, ATTEMPTS_QUIET + 1)
    assert failures == [None] * ATTEMPTS_QUIET + ["TOPIC_AUTHORIZATION_FAILED"]
    assert clock.failure is None
    assert clock.get_time() is not None


def test_a_cluster_that_does_not_stamp_records_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    def read() -> ClockReading:
        raise ClockTopicError("exchange.clock keeps the writer's time")

    clock, _ = run(read)
    assert clock.get_time() is None
    assert "exchange.clock keeps the writer's time" in caplog.text


def test_a_broker_that_does_not_answer_does_not_delay_the_end_of_the_process() -> None:
    """The thread that waits is a daemon."""
    threads: list[bool] = []

    def read() -> ClockReading:
        threads.append(threading.current_thread().daemon)
        return ClockReading(0.0, 0.001)

    run(read)
    assert threads == [True]


def test_the_clock_is_read_again_and_a_later_failure_changes_nothing() -> None:
    readings: list[ClockReading | InfrastructureError] = [
        ClockReading(ahead_s=600.0, error_s=0.0),
        InfrastructureError("no broker answers"),
        ClockReading(ahead_s=0.0, error_s=0.0),
    ]
    seen: list[tuple[float, str | None]] = []

    def read() -> ClockReading:
        reading = readings.pop(0)
        if isinstance(reading, InfrastructureError):
            raise reading
        return reading

    async def main() -> None:
        clock = BrokerClock(read, lambda: NOW_MS)
        is_done = asyncio.Event()

        async def sleep(seconds: float) -> None:
            known = clock.get_time()
            seen.append((seconds, clock.failure))
            assert known is not None
            assert (known.appended_ms == NOW_MS) is (not readings)
            if not readings:
                is_done.set()
                await asyncio.Event().wait()

        clock.sleep = sleep  # type: ignore[method-assign,assignment]
        async with asyncio.timeout(SECONDS):
            await clock.start()
            await is_done.wait()
        await clock.stop()

    asyncio.run(main())
    assert seen == [(READ_AGAIN_S, None), (RETRY_S, None), (READ_AGAIN_S, None)]
