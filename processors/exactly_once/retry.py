"""How long a lane waits for librdkafka: without end for a broker that goes away, and what cuts that short."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import KafkaException

from processors.exactly_once.kafka_errors import is_fatal, is_retriable_query
from sharing.kafka.clients import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

CALL_S = 1.0  # how long a call may block before the call to stop is looked at
PAUSE_S = 0.05
ASK_PAUSE_S = 0.1
SILENT_S = 30.0  # after which it is said what is waited for
STUCK_S = 60.0  # a call that has not returned for so long ends the process
CLOSE_S = 10.0  # how long the group may take to be left

T = TypeVar("T")


def query_until_settled(ask: Callable[[], T], what: str, late: Callable[[], bool]) -> T:
    """Return the broker's answer; one that is away or not settled is asked again, until it is too late.

    Args:
        ask: Asks once.
        what: Is asked for, in words.
        late: Whether it is too late.

    Raises:
        KafkaException: It refuses; or it is too late, and the error is one of those that are worth asking again.
    """
    said = time.monotonic()
    while True:
        try:
            return ask()
        except KafkaException as failure:
            if late() or not is_retriable_query(failure.args[0]):
                raise
            if time.monotonic() - said > SILENT_S:
                said = time.monotonic()
                log.warning("still waiting for %s: %s", what, explain(failure))
            time.sleep(ASK_PAUSE_S)


class RetryPolicy:
    """Repeats what may be repeated. Any thread may call `stop`.

    Attributes:
        waiting_since: When the call that librdkafka has not returned from yet began (`time.monotonic`), or None.
        stopping: Whether the worker is to stop.
    """

    def __init__(self) -> None:
        self.waiting_since: float | None = None
        self.stopping = False
        self._started = False
        self._deadline = float("inf")

    def start(self, limit_s: float) -> None:
        """Give up on a broker that does not answer within so many seconds."""
        self._deadline = time.monotonic() + limit_s

    def wait_without_limit(self) -> None:
        """A broker has answered: from now on wait without end, but for `stop`."""
        self._started = True
        if not self.stopping:
            self._deadline = float("inf")

    def stop(self, limit_s: float) -> None:
        """From now on wait for nothing longer than so many seconds; for nothing at all where none has answered."""
        self.stopping = True
        self._deadline = time.monotonic() + (limit_s if self._started else 0)

    def is_expired(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() > self._deadline

    def retry(
        self,
        call: Callable[[float], object],
        between: Callable[[float], object] = time.sleep,
        limit_s: float = float("inf"),
    ) -> None:
        """Make a call of a transactional producer until it is done.

        Args:
            call: Takes the seconds after which it is to return.
            between: What to do before the next try; likewise.
            limit_s: After how many seconds not to try again.

        Raises:
            KafkaException: It cannot be repeated, or the time is up.
        """
        until = time.monotonic() + limit_s
        while True:
            try:
                with self.waiting():
                    call(CALL_S)
            except KafkaException as failure:
                error = failure.args[0]
                if is_fatal(error) or not error.retriable() or self.is_expired() or time.monotonic() > until:
                    raise
                between(PAUSE_S)
            else:
                return

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the watchdog see a call that does not return."""
        self.waiting_since = time.monotonic()
        try:
            yield
        finally:
            self.waiting_since = None
