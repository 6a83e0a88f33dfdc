"""How much may wait in librdkafka for one partition, so that it never makes a record batch that the topic refuses.

librdkafka fills a record batch up to `batch.size`, one value for all topics. With the limit of the strictest topic, a
transaction needs several batches for each partition of the others, and librdkafka's broker thread spins from one to the
next (an idempotent producer has one in flight for a partition): a fifth of the gate's processor time. So `batch.size`
is the limit of the most generous topic, and outputs for a topic that accepts less wait until what is queued for their
partition has been sent: at the end of the batch, those of all partitions together, while the next batch is computed.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from processors.exactly_once.batch import OutputRecord, OutputRun, count_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from processors.exactly_once.batch import Output, OutputLimits

BATCH_FRAME_BYTES = 100
"""At least the header of a record batch (61 bytes)."""

RECORD_FRAME_BYTES = 40
"""At least the lengths, deltas and attributes of a record."""

HEADER_FRAME_BYTES = 10
"""At least the two lengths of a record header."""

_Partition = tuple[str, int]
"""Topic and number, or `PARTITION_BY_KEY`: then what is queued for all partitions counts together."""


class QueueBound:
    """Admits outputs to librdkafka's queue, and keeps those for which a partition of a strict topic has no room.

    The outputs of a partition keep their order.

    Args:
        limits: How large the outputs may be.
    """

    def __init__(self, limits: OutputLimits) -> None:
        self._limits = limits
        self._rooms: dict[str, int | None] = {}
        self._queued: dict[_Partition, int] = {}
        self._waiting: dict[_Partition, deque[Output]] = {}

    @property
    def has_waiting(self) -> bool:
        """Whether outputs wait until what is queued has been sent."""
        return bool(self._waiting)

    def reset(self) -> None:
        """Begin a transaction: nothing is queued, and nothing waits."""
        self._queued.clear()
        self._waiting.clear()

    def admit(self, output: Output) -> Iterable[Output]:
        """Return the parts of an output that may be queued now, in order; the others wait."""
        room = self._rooms[output.topic] if output.topic in self._rooms else self._find_room(output.topic)
        if room is None:
            return (output,)
        partition = (output.topic, output.partition)
        if isinstance(output, OutputRecord) and partition not in self._waiting:  # nearly always
            queued = self._queued.get(partition, 0)
            total = queued + _measure_output(output)
            if total <= room or not queued:
                self._queued[partition] = total
                return (output,)
        self._waiting.setdefault(partition, deque()).extend(_split_output(output, room))
        return self._take_fitting(partition, room)

    def take_waiting(self) -> Iterator[Output]:
        """Yield what may be queued once everything that was queued has been sent."""
        self._queued.clear()
        for partition in list(self._waiting):
            yield from self._take_fitting(partition, self._rooms[partition[0]] or 0)

    def count_waiting_bytes(self) -> int:
        """Return the size of what waits, in bytes."""
        return sum(count_bytes(output) for waiting in self._waiting.values() for output in waiting)

    def _take_fitting(self, partition: _Partition, room: int) -> list[Output]:
        """Return the outputs that wait for a partition, as far as they fit; a single one always does."""
        waiting, taken = self._waiting[partition], []
        queued = self._queued.get(partition, 0)
        while waiting:
            size = _measure_output(waiting[0])
            if queued and queued + size > room:
                break
            queued += size
            taken.append(waiting.popleft())
        self._queued[partition] = queued
        if not waiting:
            del self._waiting[partition]
        return taken

    def _find_room(self, topic: str) -> int | None:
        """Return the size of a record batch of this topic, without its frame; None if every batch fits."""
        limit = self._limits.get_batch_bytes(topic)
        self._rooms[topic] = None if limit >= self._limits.highest else max(0, limit - BATCH_FRAME_BYTES)
        return self._rooms[topic]


def _split_output(output: Output, room: int) -> Iterator[Output]:
    """Yield parts of an output, each as large as fits into an empty record batch, or of one record."""
    if isinstance(output, OutputRecord):
        yield output
        return
    first, size = 0, 0
    for number, (key, value) in enumerate(zip(output.keys, output.values, strict=True)):
        added = _measure_record(key, value)
        if number > first and size + added > room:
            yield _cut_run(output, first, number)
            first, size = number, 0
        size += added
    yield _cut_run(output, first, len(output.keys))


def _cut_run(run: OutputRun, first: int, end: int) -> OutputRun:
    return run._replace(keys=run.keys[first:end], values=run.values[first:end])


def _measure_output(output: Output) -> int:
    if isinstance(output, OutputRun):
        return sum(map(_measure_record, output.keys, output.values))
    _, key, value, headers, _ = output
    size = RECORD_FRAME_BYTES + len(key or b"") + len(value or b"")
    if headers:
        size += HEADER_FRAME_BYTES * len(headers) + sum(map(len, filter(None, chain.from_iterable(headers))))
    return size


def _measure_record(key: bytes | None, value: bytes | None) -> int:
    return RECORD_FRAME_BYTES + len(key or b"") + len(value or b"")
