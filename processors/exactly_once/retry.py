"""How long an exactly-once loop waits for librdkafka: without limit for a broker that is down, until it stops."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import KafkaException

from processors.exactly_once.kafka_errors import is_fatal, is_from_broker, is_retriable_query
from sharing.kafka.errors import describe_kafka_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import KafkaError

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 1.0  # how long a call may block before the loop checks whether it is stopping
RETRY_PAUSE_S = 0.05
QUERY_PAUSE_S = 0.1
WARN_AFTER_S = 30.0  # how long to wait before logging what is being waited for
STUCK_CALL_S = 60.0  # a call that takes longer, while the process is running, stops it
CLOSE_TIMEOUT_S = 10.0  # how long closing the clients may take

T = TypeVar("T")


def retry_query(
    query: Callable[[], T],
    waiting_for: str,
    should_give_up: Callable[[], bool],
    calls: CallWatch | None = None,
    is_retriable: Callable[[KafkaError], bool] = is_retriable_query,
) -> T:
    """Return the broker's answer. Repeat the query while the broker is down or not ready, until `should_give_up`.

    Args:
        query: Queries the broker once.
        waiting_for: What the query waits for, for the log.
        should_give_up: Whether to stop: the time is up, or the answer is no longer needed.
        calls: Is told of each query; None for queries that nobody watches.
        is_retriable: Returns whether the query can succeed later although it failed with this error.

    Raises:
        KafkaException: The broker rejects the request; or the query was given up, and the error is retriable.
    """
    last_warning = time.monotonic()
    while True:
        try:
            with calls.track() if calls is not None else nullcontext():
                answer = query()
            if calls is not None:
                calls.record_answer()
        except KafkaException as failure:
            if calls is not None and is_from_broker(failure.args[0]):
                calls.record_answer()
            if should_give_up() or not is_retriable(failure.args[0]):
                raise
            if time.monotonic() - last_warning > WARN_AFTER_S:
                last_warning = time.monotonic()
                log.warning("still waiting for %s: %s", waiting_for, describe_kafka_error(failure))
            time.sleep(QUERY_PAUSE_S)
        else:
            return answer


class CallWatch:
    """Knows for how long a librdkafka call in progress has not returned, in any thread, and when a broker answered.

    A call in a callback of another call restarts the time of both: restoring state inside a rebalance takes long, but
    each of its calls returns.

    Attributes:
        answered_at: When a broker last answered a query, or delivered a part of the state (`time.monotonic`); None
            before. While partitions are assigned, the consumer's statistics stand still, and this goes on.
    """

    def __init__(self) -> None:
        self.answered_at: float | None = None
        self._started_at: dict[int, float] = {}

    @property
    def started_at(self) -> float | None:
        """When the oldest call in progress began or last made progress (`time.monotonic`); None between calls."""
        return min(list(self._started_at.values()), default=None)

    def record_answer(self) -> None:
        """Record that a broker has just answered."""
        self.answered_at = time.monotonic()

    @contextmanager
    def track(self) -> Iterator[None]:
        """Let the watchdog see a call that does not return."""
        thread = threading.get_ident()
        is_nested = thread in self._started_at
        self._started_at[thread] = time.monotonic()
        try:
            yield
        finally:
            if is_nested:
                self._started_at[thread] = time.monotonic()
            else:
                del self._started_at[thread]


class RetryPolicy:
    """Repeats calls of the transactional producer while they are retriable. Any thread may call `begin_stop`.

    Args:
        calls: Is told of each call.

    Attributes:
        stopping: Whether the worker is stopping.
    """

    def __init__(self, calls: CallWatch) -> None:
        self.stopping = False
        self._calls = calls
        self._started = False
        self._deadline = float("inf")

    def begin_start(self, limit_s: float) -> None:
        """Give up if no broker answers within this many seconds; sooner if the worker is stopping already."""
        if not self.stopping:
            self._deadline = time.monotonic() + limit_s

    def finish_start(self) -> None:
        """Record that a broker has answered: from now on wait without limit, until `begin_stop`."""
        self._started = True
        if not self.stopping:
            self._deadline = float("inf")

    def begin_stop(self, limit_s: float) -> None:
        """From now on wait at most this many seconds in total; not at all if no broker has answered yet."""
        self.stopping = True
        self._deadline = time.monotonic() + (limit_s if self._started else 0)

    def is_expired(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() > self._deadline

    def retry_call(
        self,
        call: Callable[[float], object],
        pause: Callable[[float], object] = time.sleep,
        limit_s: float = float("inf"),
    ) -> None:
        """Repeat a call of a transactional producer until it succeeds.

        Args:
            call: The call; its argument is the timeout in seconds.
            pause: Called between two attempts with the seconds to pause.
            limit_s: After how many seconds not to try again.

        Raises:
            KafkaException: The error is not retriable, or the time is up.
        """
        deadline = time.monotonic() + limit_s
        while True:
            try:
                with self._calls.track():
                    call(CALL_TIMEOUT_S)
            except KafkaException as failure:
                error = failure.args[0]
                if is_fatal(error) or not error.retriable() or self.is_expired() or time.monotonic() > deadline:
                    raise
                pause(RETRY_PAUSE_S)
            else:
                self._calls.record_answer()
                return
