"""Ends of input partitions that were reached after the last record, and are committed once no record follows for long.

A partition ends with transaction markers, or with records of aborted transactions: the consumer passes them without
reporting them, so the offset after the last record of a batch is before them. Retention deletes them with the records.
The log would then begin after the offset up to which the group has processed it, as if records had been deleted that
nobody has read (`processors.exactly_once.start_offsets`).

So where a partition has had no record for `QUIET_S`, its end is committed with the next batch. Not earlier: each batch
of the processor that writes the partition is followed by a marker, and each would cost one more transaction here. An
end that moves on without records is committed, too: otherwise one aborted transaction an hour would keep all ends
from being committed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from confluent_kafka import TopicPartition

QUIET_S: Final = 3_600.0
"""For how many seconds no record must follow an end. Retention deletes records of the topics after days."""

Partition = tuple[str, int]
"""Topic and number."""


class _End(NamedTuple):
    """The end of a partition, and since when there has been one after what is in batches."""

    offset: int
    since: float


class ReachedEnds:
    """The ends of the assigned partitions that are after what is in batches, and for how long they have been.

    One thread uses such an object.

    Args:
        clock: Returns the time in seconds; it never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._positions: dict[Partition, int] = {}
        self._ends: dict[Partition, _End] = {}

    @property
    def has_quiet(self) -> bool:
        """Whether no record has followed one of the ends for `QUIET_S`."""
        return bool(self._ends) and self._clock() - min(end.since for end in self._ends.values()) >= QUIET_S

    def begin(self, positions: Iterable[TopicPartition]) -> None:
        """Begin with newly assigned partitions, and forget those of before.

        Args:
            positions: The partitions with the offsets at which reading starts.
        """
        self._positions = {(each.topic, each.partition): each.offset for each in positions}
        self._ends = {}

    def note_reached(self, ends: Mapping[Partition, int]) -> None:
        """Note that everything before these offsets is in the batch that is made next, or in an earlier one."""
        for partition, offset in ends.items():
            if partition in self._positions and offset > self._positions[partition]:
                known = self._ends.get(partition)
                self._ends[partition] = _End(offset, self._clock() if known is None else known.since)

    def take_quiet(self, offsets: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return the ends to commit with a batch.

        Args:
            offsets: The next offset to read after the records of the batch. They are left out of the result.
        """
        self._positions.update(offsets)
        now = self._clock()
        self._ends = {
            partition: _End(end.offset, now) if partition in offsets else end
            for partition, end in self._ends.items()
            if end.offset > self._positions[partition]
        }
        quiet = {
            partition: end.offset
            for partition, end in self._ends.items()
            if now - end.since >= QUIET_S and partition not in offsets
        }
        self._positions.update(quiet)
        for partition in quiet:
            del self._ends[partition]
        return quiet
