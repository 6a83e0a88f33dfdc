"""Calls are repeated while their errors are retriable, and given up when the time is up. No test waits."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError, KafkaException

from processors.exactly_once import retry as retry_module
from processors.exactly_once.retry import (
    CALL_TIMEOUT_S,
    QUERY_PAUSE_S,
    RETRY_PAUSE_S,
    WARN_AFTER_S,
    CallWatch,
    RetryPolicy,
    retry_query,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RETRIABLE = KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT, "later", retriable=True))
NOT_RETRIABLE = KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "never"))
FATAL = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True, retriable=True))


class FakeTime:
    """A clock that advances only in `sleep`."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


class FakeCall:
    """A call that fails with these errors in turn, and then succeeds.

    Args:
        failures: The errors.
        endless: Whether the last error is repeated forever.
    """

    def __init__(self, *failures: KafkaException, endless: bool = False) -> None:
        self.timeouts: list[float] = []
        self._failures = list(failures)
        self._endless = endless

    def __call__(self, timeout_s: float = 0) -> str:
        self.timeouts.append(timeout_s)
        if self._failures:
            failure = self._failures[0]
            if len(self._failures) > 1 or not self._endless:
                del self._failures[0]
            raise failure
        return "answer"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The time that the module sees."""
    clock = FakeTime()
    monkeypatch.setattr(retry_module, "time", clock)
    return clock


def make_started_policy(calls: CallWatch | None = None) -> RetryPolicy:
    policy = RetryPolicy(calls or CallWatch())
    policy.begin_start(60)
    policy.finish_start()
    return policy


def test_a_call_is_repeated_until_it_succeeds(clock: FakeTime) -> None:
    call = FakeCall(RETRIABLE, RETRIABLE)
    make_started_policy().retry_call(call, clock.sleep)
    assert call.timeouts == [CALL_TIMEOUT_S] * 3
    assert clock.pauses == [RETRY_PAUSE_S] * 2


@pytest.mark.parametrize("failure", [FATAL, NOT_RETRIABLE], ids=["fatal", "not retriable"])
def test_a_call_is_not_repeated_after_a_permanent_error(clock: FakeTime, failure: KafkaException) -> None:
    call = FakeCall(failure)
    with pytest.raises(KafkaException) as raised:
        make_started_policy().retry_call(call, clock.sleep)
    assert raised.value is failure
    assert (len(call.timeouts), clock.pauses) == (1, [])


def test_a_call_is_given_up_after_its_own_limit(clock: FakeTime) -> None:
    call = FakeCall(RETRIABLE, endless=True)
    began_at = clock.now
    with pytest.raises(KafkaException) as raised:
        make_started_policy().retry_call(call, clock.sleep, 5)
    assert raised.value is RETRIABLE
    assert 5 < clock.now - began_at <= 5 + 2 * RETRY_PAUSE_S


def test_a_started_worker_waits_without_limit(clock: FakeTime) -> None:
    policy = make_started_policy()
    clock.now += 1e9
    assert not policy.is_expired()


def test_a_starting_worker_gives_up_at_its_limit(clock: FakeTime) -> None:
    policy = RetryPolicy(CallWatch())
    policy.begin_start(60)
    clock.now += 60
    assert not policy.is_expired()
    clock.now += 0.1
    assert policy.is_expired()
    call = FakeCall(RETRIABLE)
    with pytest.raises(KafkaException):
        policy.retry_call(call, clock.sleep)
    assert (len(call.timeouts), clock.pauses) == (1, [])


@pytest.mark.parametrize("finished_start_again", [False, True])
def test_a_stopping_worker_gives_up_at_its_limit(clock: FakeTime, finished_start_again: bool) -> None:
    policy = make_started_policy()
    policy.begin_stop(20)
    if finished_start_again:
        policy.finish_start()  # a client that is opened again while the worker stops must not remove the limit
    assert policy.stopping
    clock.now += 20
    assert not policy.is_expired()
    clock.now += 0.1
    assert policy.is_expired()


def test_a_worker_that_never_reached_a_broker_stops_at_once(clock: FakeTime) -> None:
    policy = RetryPolicy(CallWatch())
    policy.begin_start(60)
    policy.begin_stop(20)
    clock.now += 0.1
    assert policy.is_expired()


def test_a_stop_during_a_wait_ends_the_retries(clock: FakeTime) -> None:
    policy, call = make_started_policy(), FakeCall(RETRIABLE, endless=True)

    def stop_in_third_pause(seconds: float) -> None:
        if len(clock.pauses) == 2:
            policy.begin_stop(0)
        clock.sleep(seconds)

    with pytest.raises(KafkaException) as raised:
        policy.retry_call(call, stop_in_third_pause)
    assert raised.value is RETRIABLE
    assert (len(call.timeouts), len(clock.pauses)) == (4, 3)


def test_a_start_does_not_forget_a_stop(clock: FakeTime) -> None:
    policy = RetryPolicy(CallWatch())
    policy.begin_stop(20)
    clock.sleep(0.1)
    policy.begin_start(60)
    assert policy.is_expired()
    policy.finish_start()
    assert policy.is_expired()


def test_the_watchdog_sees_a_call_only_while_it_runs(clock: FakeTime) -> None:
    calls, seen = CallWatch(), list[float | None]()
    policy = make_started_policy(calls)

    def call(_: float) -> None:
        seen.append(calls.started_at)
        if len(seen) == 1:
            raise RETRIABLE

    def pause(seconds: float) -> None:
        seen.append(calls.started_at)
        clock.sleep(seconds)

    policy.retry_call(call, pause)
    assert seen == [1_000.0, None, 1_000.0 + RETRY_PAUSE_S]
    assert calls.started_at is None


def test_a_call_in_a_callback_restarts_the_time_of_the_outer_call(clock: FakeTime) -> None:
    calls = CallWatch()
    with calls.track():
        clock.sleep(50)
        assert calls.started_at == 1_000.0
        with calls.track():
            assert calls.started_at == 1_050.0
            clock.sleep(50)
        assert calls.started_at == 1_100.0
    assert calls.started_at is None


def test_the_watchdog_sees_the_oldest_call_of_all_threads(clock: FakeTime) -> None:
    calls, entered, finish = CallWatch(), threading.Event(), threading.Event()

    def hang() -> None:
        with calls.track():
            entered.set()
            finish.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    entered.wait()
    clock.sleep(7)
    with calls.track():
        assert calls.started_at == 1_000.0
    assert calls.started_at == 1_000.0
    finish.set()
    thread.join()
    assert calls.started_at is None


def test_a_query_that_does_not_return_is_seen() -> None:
    calls = CallWatch()
    assert retry_query(lambda: calls.started_at is not None, "an answer", lambda: False, calls)


QUERY_ERRORS = [KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError.UNSTABLE_OFFSET_COMMIT]


def make_query(*codes: int, endless: bool = False) -> FakeCall:
    return FakeCall(*(KafkaException(KafkaError(code, "no answer")) for code in codes), endless=endless)


def test_a_query_is_repeated_until_it_is_answered(clock: FakeTime) -> None:
    query = make_query(*QUERY_ERRORS)
    assert retry_query(query, "the offsets", lambda: False) == "answer"
    assert clock.pauses == [QUERY_PAUSE_S] * len(QUERY_ERRORS)


def test_a_rejected_query_is_not_repeated(clock: FakeTime) -> None:
    query = make_query(KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        retry_query(query, "the offsets", lambda: False)
    assert (len(query.timeouts), clock.pauses) == (1, [])


def test_a_query_is_given_up_on_request(clock: FakeTime) -> None:
    query = make_query(KafkaError._TIMED_OUT, endless=True)
    should_give_up: Callable[[], bool] = lambda: len(query.timeouts) == 4  # noqa: E731
    with pytest.raises(KafkaException, match="_TIMED_OUT"):
        retry_query(query, "the offsets", should_give_up)
    assert (len(query.timeouts), len(clock.pauses)) == (4, 3)


def test_the_log_says_what_a_long_query_waits_for(clock: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    query = make_query(KafkaError._TIMED_OUT, endless=True)
    with caplog.at_level(logging.WARNING), pytest.raises(KafkaException):
        retry_query(query, "the offsets", lambda: clock.now > 1_000 + 2.5 * WARN_AFTER_S)
    assert [record.message for record in caplog.records] == ["still waiting for the offsets: _TIMED_OUT: no answer"] * 2


@pytest.mark.parametrize(
    ("code", "is_answer"), [(KafkaError.UNSTABLE_OFFSET_COMMIT, True), (KafkaError._TRANSPORT, False)]
)
def test_an_error_of_the_broker_is_an_answer_too(code: int, is_answer: bool) -> None:
    calls = CallWatch()
    query = FakeCall(KafkaException(KafkaError(code)))
    with pytest.raises(KafkaException):
        retry_query(query, "an answer", lambda: True, calls)
    assert (calls.answered_at is not None) == is_answer
    assert retry_query(query, "an answer", lambda: True, calls)
    assert calls.answered_at is not None


def test_a_query_may_say_itself_what_is_retriable(clock: FakeTime) -> None:
    """As for a partition that a client has not heard of yet, until it must have."""
    query = FakeCall(NOT_RETRIABLE, NOT_RETRIABLE)
    assert retry_query(query, "the offsets", lambda: False, is_retriable=lambda _: True) == "answer"
    assert clock.pauses == [QUERY_PAUSE_S] * 2
    with pytest.raises(KafkaException) as raised:
        retry_query(FakeCall(RETRIABLE), "the offsets", lambda: False, is_retriable=lambda _: False)
    assert raised.value is RETRIABLE
