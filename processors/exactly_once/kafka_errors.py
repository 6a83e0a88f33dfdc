"""Classifies and reports the librdkafka errors of an exactly-once loop.

Whether a call of the transactional producer can be retried is a flag of the error itself (`KafkaError.retriable`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError

from sharing.errors import InfrastructureError
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.exactly_once.loop_config import LoopConfig

log = logging.getLogger(__name__)

_FATAL = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID})  # noqa: SLF001 Kafka's own name
_PERMANENT = AUTHORIZATION_ERRORS | {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_EXCEPTION}
_OUTAGE = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_TRANSIENT = frozenset({_OUTAGE, KafkaError._TRANSPORT, KafkaError._TIMED_OUT})  # noqa: SLF001
_DROPPED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001
_RETRIABLE_QUERY = frozenset(
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
        KafkaError._DESTROY,  # noqa: SLF001 a connection was closed while the request waited
        KafkaError._DESTROY_BROKER,  # noqa: SLF001
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)


def is_fatal(error: KafkaError) -> bool:
    """Return whether the client is fenced and cannot be used any more. Consumers set a code, producers a flag."""
    return error.fatal() or error.code() in _FATAL


def is_fenced_producer(error: KafkaError) -> bool:
    """Return whether the transactional id has a newer owner, or the broker's timeout ended its transaction."""
    return bool(error.code() == KafkaError._FENCED)  # noqa: SLF001 Kafka's own name


def is_permanent(error: KafkaError) -> bool:
    """Return whether a retry would fail in the same way."""
    return error.code() in _PERMANENT


def is_too_large(error: KafkaError) -> bool:
    """Return whether a record, or a record batch, is larger than its topic accepts."""
    return bool(error.code() == KafkaError.MSG_SIZE_TOO_LARGE)


def is_unknown_partition(error: KafkaError) -> bool:
    """Return whether a client has not heard of a partition: it may have been created only just now."""
    return bool(error.code() == KafkaError._UNKNOWN_PARTITION)  # noqa: SLF001 librdkafka's own code


def is_outside_log(error: KafkaError) -> bool:
    """Return whether the offset to read next is not in the log: it was cut off, or is another log."""
    return bool(error.code() == KafkaError._AUTO_OFFSET_RESET)  # noqa: SLF001 librdkafka's own code


def is_from_broker(error: KafkaError) -> bool:
    """Return whether a broker has answered with this error; librdkafka's own errors have negative codes."""
    return bool(error.code() > 0)


def is_outage(error: KafkaError) -> bool:
    """Return whether no broker at all can be reached."""
    return bool(error.code() == _OUTAGE)


def is_transient(error: KafkaError) -> bool:
    """Return whether the error concerns one connection, which librdkafka restores itself."""
    return error.code() in _TRANSIENT


def is_retriable_query(error: KafkaError) -> bool:
    """Return whether the query will succeed later: brokers return, and elect leaders and coordinators."""
    return is_transient(error) or error.code() in _RETRIABLE_QUERY


class ErrorReporter:
    """Logs the errors of a loop's two clients, each kind once, and makes the error that stops the process.

    Keys, values and headers are never part of a message.

    Args:
        config: Configuration of the loop, for the names in messages.

    Attributes:
        undelivered: Description of the first output of the current transaction that no broker accepted; "" if none.
    """

    def __init__(self, config: LoopConfig) -> None:
        self.undelivered = ""
        self._config = config
        self._disconnected = False
        self._warned: set[int] = set()

    def make_fatal_error(self, error: KafkaError, attempts: int = 1) -> InfrastructureError:
        """Return the error that stops the process, with its remedy."""
        config = self._config
        if is_fatal(error):
            return InfrastructureError(
                f"fenced: another process runs as transactional.id {config.transactional_id} or group.instance.id "
                f"{config.instance}; give each worker its own, or end one ({describe_kafka_error(error)})"
            )
        if error.retriable():
            return InfrastructureError(f"no broker answers at {config.bootstrap} ({describe_kafka_error(error)})")
        cause = self.undelivered or describe_kafka_error(error)
        return InfrastructureError(
            f"the broker at {config.bootstrap} rejects the request, {attempts} in a row: {cause}"
        )

    def handle_errors(self, errors: Iterable[KafkaError]) -> None:
        """Check errors that were consumed instead of records.

        Raises:
            InfrastructureError: One of them stops the process.
        """
        for error in errors:
            if is_fatal(error) or is_permanent(error):
                raise self.make_fatal_error(error)
            self.warn_once(error)

    def warn_once(self, error: KafkaError) -> None:
        """Log the error unless its kind has been logged since the last committed transaction."""
        if error.code() not in self._warned:
            self._warned.add(error.code())
            log.warning("%s", describe_kafka_error(error))

    def mark_connected(self) -> None:
        """Record that a broker answers."""
        if self._disconnected:
            self._disconnected = False
            log.info("the broker at %s answers again", self._config.bootstrap)

    def reset_warnings(self) -> None:
        """Record that a transaction is committed: later errors are logged again."""
        self._warned.clear()

    def on_producer_error(self, error: KafkaError) -> None:
        """Handle an error event of the producer."""
        if is_outage(error) and not self._disconnected:  # only the producer is always polled in time to report this
            self._disconnected = True
            log.warning("no broker answers at %s; waiting for one", self._config.bootstrap)
        self.on_error(error)

    def on_error(self, error: KafkaError) -> None:
        """Handle an error event of either client."""
        if not is_transient(error) and not is_fatal(error):  # the next call raises a fatal error
            self.warn_once(error)

    def on_undelivered(self, error: KafkaError, message: Any) -> None:
        """Record an output that was not delivered. One that is dropped because of another one is not the cause."""
        if not self.undelivered and error.code() not in _DROPPED:
            self.undelivered = f"topic {message.topic()}: {describe_kafka_error(error)}"
            if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                self.undelivered += "; create it with `sharing topics apply`"
