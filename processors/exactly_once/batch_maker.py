"""Makes batches of what was read: with their offsets, the state before them, and up to when everything was read."""

from __future__ import annotations

import time
from array import array
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import Message

from processors.exactly_once.batch import Batch
from processors.exactly_once.log_positions import write_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from processors.exactly_once.client_pair import ClientPair
    from processors.exactly_once.input_logs import InputLogs
    from processors.exactly_once.overlay import Overlay
    from processors.exactly_once.reached_ends import ReachedEnds
    from processors.exactly_once.read_horizon import ReadHorizon
    from processors.exactly_once.state_store import StateStore
    from sharing.kafka.bad_batches import BadBatch


class BatchMaker:
    """Makes the batches of one loop. One thread uses it.

    Args:
        clients: The clients that read and write.
        input_logs: The topics that are read.
        state_store: The state of the loop; None if it has none.
        ends: The ends of partitions that are to be committed.
        horizon: Up to which instant everything has been read; None if nothing waits for that.
        clock: Returns the time in UTC milliseconds; called once for each batch.
        idle_batch_s: After how many seconds without a batch one without records is due.
    """

    def __init__(
        self,
        clients: ClientPair,
        input_logs: InputLogs,
        state_store: StateStore | None,
        ends: ReachedEnds,
        horizon: ReadHorizon | None,
        clock: Callable[[], int],
        idle_batch_s: float,
    ) -> None:
        self._clients = clients
        self._input_logs = input_logs
        self._state_store = state_store
        self._ends = ends
        self._horizon = horizon
        self._clock = clock
        self._idle_batch_s = idle_batch_s
        self._made_at = time.monotonic()

    @property
    def is_idle_batch_due(self) -> bool:
        """Whether a batch without records is due.

        That is so if none was made for long, if an instant that is waited for has come, or if an end is to be
        committed.
        """
        idle_s = time.monotonic() - self._made_at
        is_due = (
            idle_s >= self._idle_batch_s
            or (self._horizon is not None and self._horizon.is_reached)
            or self._ends.has_quiet
        )
        return is_due and self._clients.consumer.is_assigned

    def note_ends(self) -> None:
        """Note the ends that were reached. What was read before them must be in the batch that is made next."""
        ends = self._clients.consumer.fetched.take_ends()
        self._ends.note_reached(ends)
        if self._horizon is not None:
            self._horizon.note_passed(ends)
            self._advance_horizon()

    def forget_ends(self) -> None:
        """Commit no ends any more: a batch that was read before them may have been dropped, because the loop stops."""
        self._ends.begin(())

    def make(self, messages: list[Any], unreadable: list[BadBatch], previous: Overlay | None) -> Batch:
        """Return the batch of what was read.

        Args:
            messages: The records, without errors.
            unreadable: Batches of records that cannot be read.
            previous: The view of the state, with its changes, of the batch that is being committed; None if none is.
        """
        self._made_at = time.monotonic()
        # The last message of each partition, without a Python call for each message.
        partitions = array("I", cast("Iterable[int]", map(Message.partition, messages)))
        last = dict(zip(zip(map(Message.topic, messages), partitions, strict=True), messages, strict=True))
        offsets = {(str(topic), number): last[topic, number].offset() + 1 for topic, number in last}
        for bad in unreadable:
            offsets[bad.topic, bad.partition] = max(offsets.get((bad.topic, bad.partition), 0), bad.next_offset)
        offsets.update(self._ends.take_quiet(offsets))
        overlay = None
        if self._state_store is not None:
            overlay = self._state_store.create_overlay(previous)
            write_positions(overlay, offsets, self._input_logs.topic_ids)
        if self._horizon is not None:
            self._horizon.note_passed(offsets)
        return Batch(
            messages,
            self._clock(),
            offsets,
            self._clients.consumer.group_metadata,
            overlay,
            self._input_logs.partition_count,
            self._clients.output_limits,
            unreadable,
            partitions,
            self._advance_horizon(),
        )

    def _advance_horizon(self) -> Mapping[int, int]:
        return {} if self._horizon is None else self._horizon.advance(self._clients.consumer.list_assigned())
