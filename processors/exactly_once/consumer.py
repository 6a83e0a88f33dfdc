"""The consumer side of an exactly-once loop: the assigned partitions, and reading for the next batch.

What was received is in `processors.exactly_once.fetched_records`.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import KafkaException, TopicPartition

from processors.exactly_once.fetched_records import FetchedRecords, is_end
from processors.exactly_once.kafka_errors import ErrorReporter, is_fatal, is_retriable_query
from processors.exactly_once.loop_config import LoopConfig, consumer_properties
from processors.exactly_once.retry import CALL_TIMEOUT_S, CallWatch, retry_query
from sharing.kafka.bad_batches import BadBatch, BadBatchFinder
from sharing.kafka.clients import make_consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Consumer, KafkaError

log = logging.getLogger(__name__)

POLL_CHUNK_RECORDS = 1_000  # records between two checks of the batch size
# Long enough for a heartbeat to report that another process has taken over this member's id: librdkafka sends one
# every 3 s.
HEARTBEAT_WAIT_S = 4.0
# Upper bound for the broker to abort an expired transaction; it scans every 10 s by default.
TIMEOUT_SCAN_S = 20.0
_POLL_S = 0.1


class Rebalancing(Protocol):
    """What else happens when partitions are assigned or revoked. Called while records are read."""

    def prepare_partitions(self, positions: list[TopicPartition]) -> bool:
        """Replace the group's offsets in `positions` by those to start at; False if they cannot be read yet.

        Raises:
            InfrastructureError: The partitions cannot be read.
        """

    def give_up_partitions(self, partitions: set[int]) -> None:
        """Settle what was read of the partitions with these numbers; may block."""


class BatchConsumer:
    """One consumer of the partitions assigned to the worker, from opening to closing.

    Args:
        config: Configuration of the loop.
        topics: Names of the topics to read.
        reporter: Receives the consumer's errors.
        rebalancing: Prepares assigned partitions, and gives up revoked ones.
        is_stopping: Whether the worker is stopping.
        calls: Is told of each call that may block.

    Attributes:
        group_metadata: Opaque group metadata to send with the offsets; None before the first assignment.
        fetched: What was received for the next batch.
        member_id: The member id at the last assignment; "" before the first.
        started_at: The positions at which reading began in the partitions of this assignment.

    Raises:
        KafkaException: The broker rejects the request.
    """

    def __init__(
        self,
        config: LoopConfig,
        topics: Sequence[str],
        reporter: ErrorReporter,
        rebalancing: Rebalancing,
        is_stopping: Callable[[], bool],
        calls: CallWatch,
    ) -> None:
        self.group_metadata: Any = None
        self.member_id = ""
        self.fetched = FetchedRecords(config, is_stopping)
        self._calls = calls
        self._reporter = reporter
        self._rebalancing = rebalancing
        self._is_stopping = is_stopping
        self._offsets_timeout_s = config.transaction_timeout_s + TIMEOUT_SCAN_S
        self._closing = False
        self._revoked_during_consume = False
        self._assigned_during_consume = False
        self._unassigned_since: float | None = time.monotonic()
        self.started_at: list[TopicPartition] = []
        properties = consumer_properties(config, reporter.on_error)
        self._bad_batches = BadBatchFinder(properties)
        self._consumer: Consumer = make_consumer(properties)
        callbacks = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_revoke}
        self._consumer.subscribe(list(topics), **callbacks)

    @property
    def seconds_without_assignment(self) -> float:
        """Seconds since this consumer last had an assignment with known start offsets.

        0 while it has one, even an empty one.
        """
        return 0.0 if self._unassigned_since is None else time.monotonic() - self._unassigned_since

    @property
    def is_assigned(self) -> bool:
        """Whether this consumer has partitions with known start offsets."""
        return self._unassigned_since is None and bool(self._consumer.assignment())

    def fill_batch(self, wait_s: float) -> bool:
        """Wait for a first record, then read all available records until they fill a batch.

        As long as all of them are of patient topics, it waits a little for more. Reports of ends do not prolong the
        wait: where transactions are aborted all the time, they come without end.

        Returns:
            Whether reading can continue. False if partitions were revoked and assigned again during this call: the
            records received so far are dropped, and reading must not continue from the consumer's current position.
        """
        consume, fetched = self._consumer.consume, self.fetched
        deadline = time.monotonic() + wait_s + _POLL_S
        while not fetched.is_full and not (fetched.is_empty and time.monotonic() > deadline):
            is_first = fetched.is_empty
            self._revoked_during_consume = self._assigned_during_consume = False
            more_s = fetched.get_patience(wait_s)
            with self._calls.track():
                received = consume(1, wait_s) if is_first else consume(min(POLL_CHUNK_RECORDS, fetched.room), more_s)
            if self._revoked_during_consume and not is_first:
                # The records read so far may belong to another worker now. That worker starts at the committed offsets,
                # so these records must be dropped. If partitions were assigned again in the same call, `received` may
                # hold records of the new assignment. They are dropped too, so the consumer's position is too far.
                fetched.discard()
                if fatal := list(filter(_is_fatal_message, received)):  # not reported again
                    fetched.add(fatal)
                    return True
                return not self._assigned_during_consume
            if received:
                fetched.add(received)
            elif not more_s:
                break
        return True

    def list_assigned(self) -> list[tuple[str, int]]:
        """Return the topics and partitions that are read."""
        return [(each.topic, each.partition) for each in self._consumer.assignment()]

    def skip_bad_batches(self, messages: Sequence[Any]) -> list[BadBatch]:
        """Continue after the record batches that errors report as unreadable, and return them.

        A batch whose end is not known yet is left out: its error comes again.

        Args:
            messages: Messages with errors. An error may occur several times.

        Raises:
            KafkaException: The partition is not assigned any more.
        """
        with self._calls.track():
            found = self._bad_batches.find_batches(messages)
        for batch in found:
            with self._calls.track():
                self._consumer.seek(TopicPartition(batch.topic, batch.partition, batch.next_offset))
        return found

    def await_rejection(self) -> KafkaError | None:
        """Wait for a heartbeat to report whether the group rejects this member; return the error, or None.

        Records received meanwhile are discarded.

        Raises:
            InfrastructureError: Not permitted.
        """
        deadline = time.monotonic() + HEARTBEAT_WAIT_S
        while time.monotonic() < deadline and not self._is_stopping():
            with self._calls.track():
                received = self._consumer.consume(POLL_CHUNK_RECORDS, _POLL_S)
            errors = list(filter(None, (message.error() for message in received)))
            if rejection := next(filter(is_fatal, errors), None):
                return rejection
            self._reporter.handle_errors(error for error in errors if not is_end(error))
        return None

    def close(self) -> None:
        """Close the consumer without leaving the group.

        As a static member, this worker keeps its partitions until its session times out.
        """
        self._closing = True
        with suppress(KafkaException):  # the consumer is closed anyway
            # If an assignment is still waiting to be polled, `close` can block forever while holding the GIL
            # (librdkafka 2.16).
            self._consumer.consume(1, 0)
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:  # the assignment came too late to be polled earlier
            return
        self.fetched.forget_ends()
        # Keep the group metadata of this assignment: librdkafka may lose the membership later without reporting it.
        self.group_metadata = consumer.consumer_group_metadata()
        self.member_id = consumer.memberid() or ""
        self._assigned_during_consume = True
        self._unassigned_since = time.monotonic()
        log.info("partitions assigned: %s", _format_partitions(partitions))
        positions = self._query_committed_offsets(consumer, partitions)
        if not self._rebalancing.prepare_partitions(positions):
            positions = []
        consumer.assign(positions)
        self.started_at = positions
        if len(positions) == len(partitions):
            self._unassigned_since = None

    def _query_committed_offsets(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the partitions with the group's offsets; an empty list if waiting for them was cut short.

        Waits until no transaction can change the offsets any more (KIP-447). This is not left to librdkafka: if
        partitions move while it waits, it reads an outdated answer, "not yet", as "no offset", and starts at the first
        record (`docs/adr/0019`).

        Raises:
            InfrastructureError: The broker rejects the request.
        """
        if not partitions:
            return []
        deadline = time.monotonic() + self._offsets_timeout_s

        def should_give_up() -> bool:
            return (
                self._is_stopping()
                or time.monotonic() > deadline
                or consumer.consumer_group_metadata() != self.group_metadata
            )

        waiting_for = (
            f"the committed offsets of {_format_partitions(partitions)} (an open transaction may be blocking them)"
        )
        try:
            return retry_query(lambda: _query_offsets(consumer, partitions), waiting_for, should_give_up, self._calls)
        except KafkaException as failure:
            error = failure.args[0]
            if is_retriable_query(error):
                return []
            raise self._reporter.make_fatal_error(error) from None

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalancing.give_up_partitions({partition.partition for partition in partitions})
        self.fetched.forget_ends()
        self._revoked_during_consume = True
        self._unassigned_since = time.monotonic()
        log.info("partitions revoked: %s", _format_partitions(partitions))


def _is_fatal_message(message: Any) -> bool:
    error = message.error()
    return error is not None and is_fatal(error)


def _query_offsets(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    positions = consumer.committed(partitions, CALL_TIMEOUT_S)
    for position in positions:
        if position.error is not None:
            raise KafkaException(position.error)
    return positions


def _format_partitions(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic}[{partition.partition}]" for partition in partitions) or "none"
