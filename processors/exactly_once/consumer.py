"""The consumer side of an exactly-once loop: the assigned partitions, and the records read for the next batch."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, KafkaException

from processors.exactly_once.kafka_errors import ErrorReporter, is_retriable_query
from processors.exactly_once.loop_config import LoopConfig, consumer_properties
from processors.exactly_once.retry import CALL_TIMEOUT_S, retry_query
from sharing.kafka.clients import make_consumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Consumer, TopicPartition

log = logging.getLogger(__name__)

POLL_CHUNK_RECORDS = 1_000  # records between two checks of the batch size
# Long enough for a heartbeat to report that another process has taken over this member's id: librdkafka sends one
# every 3 s.
HEARTBEAT_WAIT_S = 4.0
# Upper bound for the broker to abort an expired transaction; it scans every 10 s by default.
TIMEOUT_SCAN_S = 20.0
_POLL_S = 0.1


class BatchConsumer:
    """One consumer of the partitions assigned to the worker, from opening to closing.

    Args:
        config: Configuration of the loop.
        reporter: Receives the consumer's errors.
        before_revoke: Called with the partitions that are about to be revoked; may block.
        is_stopping: Whether the worker is stopping.

    Attributes:
        group_metadata: Opaque group metadata to send with the offsets; None before the first assignment.
        unrestored_partitions: Assigned partitions whose state is not restored yet; the code that restores them clears
            this.

    Raises:
        KafkaException: The broker rejects the request.
    """

    def __init__(
        self,
        config: LoopConfig,
        reporter: ErrorReporter,
        before_revoke: Callable[[set[int]], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self.group_metadata: Any = None
        self.unrestored_partitions: set[int] = set()
        self._records_max = config.batch_records_max
        self._bytes_max = config.batch_bytes_max
        self._reporter = reporter
        self._before_revoke = before_revoke
        self._is_stopping = is_stopping
        self._offsets_timeout_s = config.transaction_timeout_s + TIMEOUT_SCAN_S
        self._closing = False
        self._revoked_during_consume = False
        self._assigned_during_consume = False
        self._unassigned_since: float | None = time.monotonic()
        self._messages: list[Any] = []
        self._bytes = 0
        self._consumer: Consumer = make_consumer(consumer_properties(config, reporter.on_error))
        callbacks = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_revoke}
        self._consumer.subscribe(list(config.topics), **callbacks)

    @property
    def is_full(self) -> bool:
        """Whether the records read so far fill a batch."""
        return len(self._messages) >= self._records_max or self._bytes >= self._bytes_max

    @property
    def seconds_without_assignment(self) -> float:
        """Seconds since this consumer last had an assignment with known start offsets.

        0 while it has one, even an empty one.
        """
        return 0.0 if self._unassigned_since is None else time.monotonic() - self._unassigned_since

    def fill_batch(self, wait_s: float) -> bool:
        """Wait for a first record, then read all available records until they fill a batch.

        Returns:
            Whether reading can continue. False if partitions were revoked and assigned again during this call: the
            records received so far are dropped, and reading must not continue from the consumer's current position.
        """
        consume = self._consumer.consume
        while not self.is_full:
            is_first = not self._messages
            self._revoked_during_consume = self._assigned_during_consume = False
            remaining = self._records_max - len(self._messages)
            received = consume(1, wait_s) if is_first else consume(min(POLL_CHUNK_RECORDS, remaining), 0)
            if self._revoked_during_consume and not is_first:
                # The records read so far may belong to another worker now. That worker starts at the committed offsets,
                # so these records must be dropped. If partitions were assigned again in the same call, `received` may
                # hold records of the new assignment. They are dropped too, so the consumer's position is too far.
                self.discard_messages()
                return not self._assigned_during_consume
            if not received:
                break
            self._bytes += sum(map(len, received))
            self._messages += received
        return True

    def take_messages(self) -> list[Any]:
        """Return the records and errors read so far, and start with an empty batch."""
        messages = self._messages
        self.discard_messages()
        return messages

    def discard_messages(self) -> None:
        """Start with an empty batch."""
        self._messages, self._bytes = [], 0

    def check_for_replacement(self) -> None:
        """Wait for a heartbeat to report whether another process has taken over this member's id.

        Records received meanwhile are discarded.

        Raises:
            InfrastructureError: Another process has taken this member's place.
        """
        deadline = time.monotonic() + HEARTBEAT_WAIT_S
        while time.monotonic() < deadline and not self._is_stopping():
            self._reporter.handle_errors(
                filter(None, (message.error() for message in self._consumer.consume(POLL_CHUNK_RECORDS, _POLL_S)))
            )

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
        # Keep the group metadata of this assignment: librdkafka may lose the membership later without reporting it.
        self.group_metadata = consumer.consumer_group_metadata()
        self._assigned_during_consume = True
        self._unassigned_since = time.monotonic()
        log.info("partitions assigned: %s", _format_partitions(partitions))
        positions = self._query_start_offsets(consumer, partitions)
        consumer.assign(positions)
        self.unrestored_partitions.update(position.partition for position in positions)
        if len(positions) == len(partitions):
            self._unassigned_since = None

    def _query_start_offsets(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the partitions with the offsets to start at; an empty list if waiting for them was cut short.

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
            positions = retry_query(lambda: _query_offsets(consumer, partitions), waiting_for, should_give_up)
        except KafkaException as failure:
            error = failure.args[0]
            if is_retriable_query(error):
                return []
            raise self._reporter.make_fatal_error(error) from None
        for position in positions:
            if position.offset < 0:  # the group has not committed one
                position.offset = OFFSET_BEGINNING
        return positions

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        partition_numbers = {partition.partition for partition in partitions}
        self._before_revoke(partition_numbers)
        self._revoked_during_consume = True
        self._unassigned_since = time.monotonic()
        self.unrestored_partitions -= partition_numbers
        log.info("partitions revoked: %s", _format_partitions(partitions))


def _query_offsets(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    positions = consumer.committed(partitions, CALL_TIMEOUT_S)
    for position in positions:
        if position.error is not None:
            raise KafkaException(position.error)
    return positions


def _format_partitions(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic}[{partition.partition}]" for partition in partitions) or "none"
