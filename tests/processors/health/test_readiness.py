"""The readiness checks, each with its reason: open transactions, uneven partitions, and the clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.gate.gate import BatchResult
from processors.health import consumer_status, http_endpoints
from processors.health.clock_check import BrokerTime, ClockError
from processors.health.consumer_status import ConsumerStatus
from processors.health.http_endpoints import HealthCheck, HttpEndpoints
from tests.processors.gate.gate_fixtures import DAY_MS, LAW, NOW_MS, TOPIC, make_message
from tests.processors.health.health_fixtures import (
    FakeMonotonic,
    make_assignment,
    make_batch,
    make_observer,
    make_statistics,
)

OTHER_TOPIC = "national.ch.indicators.customs"


class Worker:
    """The endpoints of a worker without a loop, and what they look at."""

    def __init__(self, *topics: str, broker_time: BrokerTime | None = None) -> None:
        self.status = ConsumerStatus()
        self.observer = make_observer(self.status, broker_time)
        self.broker_clock = SimpleNamespace(failure=None)
        config = SimpleNamespace(topics=topics, transaction_timeout_s=30)
        self.loop = SimpleNamespace(call_s=0.0, answered_at=None, crashed=False, config=config)
        self._endpoints = HttpEndpoints(
            cast("Any", self.loop),
            cast("Any", SimpleNamespace(version="v", age_s=0, problems="")),
            cast("Any", SimpleNamespace(failed=False, pack=LAW)),
            self.status,
            self.observer,
            cast("Any", self.broker_clock),
        )

    def check(self, name: str) -> HealthCheck:
        return self._endpoints.check_readiness()[name]

    def check_health(self, name: str) -> HealthCheck:
        return self._endpoints.check_health()[name]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeMonotonic:
    """The monotonic time that the worker sees."""
    clock = FakeMonotonic()
    for module in (consumer_status, http_endpoints):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_records_behind_a_transaction_that_is_open_for_too_long_make_it_not_ready(clock: FakeMonotonic) -> None:
    worker = Worker(TOPIC)
    worker.status.update(make_statistics())
    assert worker.check("transactions") == (True, "no record waits behind an open transaction")
    worker.status.update(make_statistics(end=10, last_stable_offset=4))
    clock.passed = 30
    assert worker.check("transactions").healthy
    clock.passed = 31
    reason = f"{TOPIC}[0]: 6 records have waited for 31 s behind a transaction that is open at offset 4"
    assert worker.check("transactions") == (False, reason)
    worker.status.update(make_statistics(end=12, last_stable_offset=5))  # the next one is open
    assert worker.check("transactions").healthy


def test_a_worker_with_other_partitions_of_one_topic_is_not_ready() -> None:
    worker = Worker(TOPIC, OTHER_TOPIC)
    worker.status.update(make_assignment((TOPIC, 0), (TOPIC, 1), (OTHER_TOPIC, 0), (OTHER_TOPIC, 1)))
    assert worker.check("partitions") == (True, "4 assigned")
    worker.status.update(make_assignment((TOPIC, 0), (TOPIC, 1), (OTHER_TOPIC, 0)))
    reason = f"not the same partitions of each topic ({TOPIC}: 0, 1; {OTHER_TOPIC}: 0)"
    assert worker.check("partitions") == (False, reason)
    worker.status.update(make_assignment((OTHER_TOPIC, 1)))
    assert f"{TOPIC}: none; {OTHER_TOPIC}: 1" in worker.check("partitions").reason
    worker.status.update(make_assignment())
    assert worker.check("partitions").healthy  # a standby


def test_a_clock_that_goes_back_makes_an_idle_worker_not_ready(
    clock: FakeMonotonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(TOPIC)
    monkeypatch.setattr(clock, "time_ns", lambda: NOW_MS * 1_000_000)
    worker.observer.check_clock(make_batch(), LAW)
    assert worker.check("clock").healthy
    monkeypatch.setattr(clock, "time_ns", lambda: (NOW_MS - 400 * DAY_MS) * 1_000_000)
    assert worker.check("clock") == (
        False,
        (
            "the clock is wrong: it has gone back by 400 days since the last batch; "
            "nothing is decided until it is corrected"
        ),
    )


def test_a_worker_that_refused_a_batch_for_its_clock_stays_not_ready(
    clock: FakeMonotonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(TOPIC)
    monkeypatch.setattr(clock, "time_ns", lambda: NOW_MS * 1_000_000)
    message = make_message(1)
    monkeypatch.setattr(type(message), "timestamp", lambda _: (2, NOW_MS + 600_000))
    with pytest.raises(ClockError, match="10 minutes behind the broker's") as refused:
        worker.observer.check_clock(make_batch(), LAW)
    assert refused.value.exit_code == 3
    assert worker.check("clock") == (False, str(refused.value))


def test_the_clock_is_compared_with_the_last_record_of_a_batch(
    clock: FakeMonotonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was not there before the worker shows a clock that is ahead; an older one may have waited."""
    worker = Worker(TOPIC)
    message_type = type(make_message(1))
    monkeypatch.setattr(message_type, "timestamp", lambda _: (2, NOW_MS - 20 * DAY_MS))
    monkeypatch.setattr(message_type, "partition", lambda _: 0)
    worker.status.update(make_statistics(end=10))
    monkeypatch.setattr(message_type, "offset", lambda _: 9)
    worker.observer.check_clock(make_batch(), LAW)
    monkeypatch.setattr(message_type, "offset", lambda _: 10)
    with pytest.raises(ClockError, match="19 days ahead of the broker's"):
        worker.observer.check_clock(make_batch(), LAW)
    monkeypatch.setattr(message_type, "timestamp", lambda _: (1, 0))  # the writer's own time says nothing
    worker.observer.check_clock(make_batch(), LAW)


def test_a_batch_that_is_open_for_long_makes_it_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(TOPIC)
    assert worker.check("commit").healthy
    worker.observer.start_batch(make_batch(), BatchResult())
    monkeypatch.setattr(http_endpoints, "OPEN_SECONDS_MAX", -1)
    assert worker.check("commit").reason == "a batch has been open for 0 s"


@pytest.mark.parametrize(
    ("ahead_ms", "problem"),
    [(0, None), (240_000, None), (1_200_000, "20 minutes ahead"), (-1_200_000, "19 minutes behind")],
)
def test_a_clock_that_was_wrong_at_the_start_is_seen_without_a_record_and_under_a_backlog(
    clock: FakeMonotonic, monkeypatch: pytest.MonkeyPatch, ahead_ms: int, problem: str | None
) -> None:
    worker = Worker(TOPIC, broker_time=BrokerTime(NOW_MS - ahead_ms - 60_000, 60_000))
    monkeypatch.setattr(clock, "time_ns", lambda: NOW_MS * 1_000_000)
    assert worker.check("clock").healthy == (problem is None)
    message_type = type(make_message(1))
    # A record of the backlog, of which nobody knows how old it is.
    monkeypatch.setattr(message_type, "timestamp", lambda _: (2, NOW_MS - 20 * DAY_MS))
    if problem is None:
        worker.observer.check_clock(make_batch(), LAW)
    else:
        with pytest.raises(ClockError, match=problem):
            worker.observer.check_clock(make_batch(), LAW)
    if problem is not None:
        assert problem in worker.check("clock").reason


def test_a_worker_that_cannot_read_the_brokers_clock_is_not_ready_while_the_broker_responds(
    clock: FakeMonotonic, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(TOPIC)
    monkeypatch.setattr(clock, "time_ns", lambda: NOW_MS * 1_000_000)
    worker.broker_clock.failure = "no permission"
    assert worker.check("clock").healthy, "the check of the broker fails instead"
    worker.loop.answered_at = clock.monotonic()
    assert worker.check("broker").healthy
    reason = "nothing is decided until it is compared with the broker's: no permission"
    assert worker.check("clock") == (False, reason)


def test_a_call_that_does_not_return_is_unhealthy_once_the_process_was_running_for_long(clock: FakeMonotonic) -> None:
    """The loop counts that: by the clock, a call would also have taken long after the process was suspended."""
    worker = Worker(TOPIC)
    worker.loop.call_started_at = clock.monotonic() - 3_600
    worker.loop.call_s = 2.0
    assert worker.check_health("librdkafka") == (True, "the call in progress has taken 2 s")
    worker.loop.call_s = http_endpoints.STUCK_SECONDS_MAX
    assert not worker.check_health("librdkafka").healthy
