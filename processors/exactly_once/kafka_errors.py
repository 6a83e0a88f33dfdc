"""What an error of librdkafka means for a lane, and what is said about it. Retriable ones are librdkafka's own word."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError

from sharing.errors import InfrastructureError
from sharing.kafka.clients import DENIED, explain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.exactly_once.config import LoopConfig

log = logging.getLogger(__name__)

_FATAL = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID})  # noqa: SLF001 Kafka's own name
_HOPELESS = DENIED | {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_EXCEPTION}
_OUTAGE = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_PASSING = frozenset({_OUTAGE, KafkaError._TRANSPORT, KafkaError._TIMED_OUT})  # noqa: SLF001
_UNSETTLED = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001 librdkafka's own codes
        KafkaError._WAIT_COORD,  # noqa: SLF001
    }
)


def is_fatal(error: KafkaError) -> bool:
    """Return whether a client is at its end: fenced. A consumer says so by a code, a producer by a flag."""
    return error.fatal() or error.code() in _FATAL


def is_fenced_producer(error: KafkaError) -> bool:
    """Return whether the transactional id has a newer owner, or lost its transaction to the broker's time-out."""
    return bool(error.code() == KafkaError._FENCED)  # noqa: SLF001 Kafka's own name


def is_permanent(error: KafkaError) -> bool:
    """Return whether doing it again would end the same."""
    return error.code() in _HOPELESS


def is_outage(error: KafkaError) -> bool:
    """Return whether no broker at all can be reached."""
    return bool(error.code() == _OUTAGE)


def is_transient(error: KafkaError) -> bool:
    """Return whether the error is that of one connection, of which librdkafka takes care."""
    return error.code() in _PASSING


def is_retriable_query(error: KafkaError) -> bool:
    """Return whether there will be an answer: brokers come back, and find out who coordinates what."""
    return is_transient(error) or error.code() in _UNSETTLED


class ErrorReporter:
    """Hears what the two clients of a lane say, repeats each thing once, and knows what to call the end.

    No key, value or header is ever part of it.

    Args:
        route: Of the lane, for the names in its sentences.

    Attributes:
        undelivered: The first output of the transaction at hand that no broker took, in words; else "".
    """

    def __init__(self, route: LoopConfig) -> None:
        self.undelivered = ""
        self._route = route
        self._silent = False
        self._warned: set[int] = set()

    def fatal_error(self, error: KafkaError, times: int = 1) -> InfrastructureError:
        """Return the error that ends the process, with what to do about it."""
        route = self._route
        if is_fatal(error):
            return InfrastructureError(
                f"fenced: another process runs as transactional.id {route.transactional_id} or group.instance.id "
                f"{route.instance}; give each worker its own, or end one ({explain(error)})"
            )
        if error.retriable():
            return InfrastructureError(f"no broker answers at {route.bootstrap} ({explain(error)})")
        cause = self.undelivered or explain(error)
        return InfrastructureError(f"the broker at {route.bootstrap} refuses, {times} in a row: {cause}")

    def handle_errors(self, errors: Iterable[KafkaError]) -> None:
        """Look at errors that came instead of records.

        Raises:
            InfrastructureError: One of them ends the process.
        """
        for error in errors:
            if is_fatal(error) or is_permanent(error):
                raise self.fatal_error(error)
            self.warn(error)

    def warn(self, error: KafkaError) -> None:
        """Log it, if it is new since the last committed transaction."""
        if error.code() not in self._warned:
            self._warned.add(error.code())
            log.warning("%s", explain(error))

    def mark_connected(self) -> None:
        """Note that a broker answers."""
        if self._silent:
            self._silent = False
            log.info("the broker at %s answers again", self._route.bootstrap)

    def forget(self) -> None:
        """Note that a transaction is committed: what goes wrong from now on is new."""
        self._warned.clear()

    def on_producer_error(self, error: KafkaError) -> None:
        """Take what the producer says."""
        if is_outage(error) and not self._silent:  # of the two clients only the producer is always heard in time
            self._silent = True
            log.warning("no broker answers at %s; waiting for one", self._route.bootstrap)
        self.on_error(error)

    def on_error(self, error: KafkaError) -> None:
        """Take what a client says."""
        if not is_transient(error) and not is_fatal(error):  # what is fatal is raised by the next call
            self.warn(error)

    def on_undelivered(self, error: KafkaError, message: Any) -> None:
        """Take what came of an output that was not delivered."""
        if not self.undelivered:
            self.undelivered = f"topic {message.topic()}: {explain(error)}"
