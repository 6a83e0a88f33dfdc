"""Which items have something due: found without reading all entries each time.

For each partition, the index has a heap of the instants and keys of the entries in which time alone will change
something. It is built from the entries when a partition is taken, and follows each change. What it has about an entry
that has changed since is not searched for, but recognised when its turn comes: the entry itself says when it is due.
When there is too much of that, the heap is built again, so its length is bounded by the number of entries.

**Only the store counts.** A heap belongs to one copy of a partition. When a partition is given up, or a transaction is
aborted, the loop closes the copy, and opens another one before the next batch: then the heap is built from that. So
what an aborted batch has taken from the heap or added to it is gone, like its changes of the state.

It takes about 75 bytes for each entry that will be due: an instant and a key are one `bytes` object, and they are
ordered like their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, NamedTuple, Protocol

from sharing.conversation_state.entries import (
    INSTANT_BYTES,
    INSTANT_END,
    NEVER,
    encode_instant,
    list_headers,
    read_due,
)
from sharing.conversation_state.item_keys import ITEM_PREFIXES, is_log_key, read_item_key
from sharing.serialization.codec import HEADER_LENGTH

STALE_SHARE_MAX: Final = 0.5
"""How many outdated elements a heap may have, as a share of the others."""

STALE_MIN: Final = 10_000
"""So many may be outdated in any case: building a small heap again is not worth it."""


class StateView(Protocol):
    """A batch's view of the state store: `processors.exactly_once.state_store.Overlay`."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that are assigned."""

    def identify_copy(self, partition: int) -> object:
        """Return an object that is another one after the copy of the partition was closed and opened again."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries of a partition."""

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Set the value of a key."""

    def delete(self, partition: int, key: bytes) -> None:
        """Remove a key if it exists."""


class DueItem(NamedTuple):
    """An item that has something due.

    Attributes:
        partition: The partition of its entry.
        key: The key of its entry.
    """

    partition: int
    key: bytes


@dataclass(slots=True)
class _Heap:
    """What will be due in one partition.

    Attributes:
        copy: The copy of the partition that it was built from.
        elements: A heap of instants, each followed by a key.
        live: How many of them are not outdated.
    """

    copy: object
    elements: list[bytes]
    live: int

    @property
    def is_bloated(self) -> bool:
        return len(self.elements) - self.live > max(STALE_MIN, STALE_SHARE_MAX * self.live)


class DueIndex:
    """The heaps of the partitions that a worker has, across batches. Nothing here is thread-safe."""

    def __init__(self) -> None:
        self._heaps: dict[int, _Heap] = {}

    def __len__(self) -> int:
        return sum(len(heap.elements) for heap in self._heaps.values())

    def follow(self, view: StateView) -> None:
        """Forget the partitions that were given up, and build the heaps of those that were taken or opened again.

        Must be called for each batch, before anything else.

        Raises:
            DecodeError: An entry is malformed, or of a kind that this release does not know.
        """
        for partition in self._heaps.keys() - view.partitions:
            del self._heaps[partition]
        for partition in view.partitions:
            copy, heap = view.identify_copy(partition), self._heaps.get(partition)
            if heap is None or heap.copy is not copy or heap.is_bloated:
                self._heaps.pop(partition, None)  # its memory is free for the new one
                elements = list_elements(view.items(partition))
                heapify(elements)
                self._heaps[partition] = _Heap(copy, elements, len(elements))

    def find_next_due(self) -> int | None:
        """Return when to look again, in UTC milliseconds: no item is due earlier. None if none will be."""
        first = min((heap.elements[0] for heap in self._heaps.values() if heap.elements), default=None)
        return None if first is None else int.from_bytes(first[:INSTANT_BYTES], "big")

    def pop_due(self, now_ms: int, limit: int) -> Iterator[tuple[DueItem, bytes]]:
        """Yield what has come up to an instant, the earliest first, and remove it; some of it may be outdated.

        Args:
            now_ms: The instant in UTC milliseconds.
            limit: How many at most.

        Yields:
            Partition and key, and the instant as it must be in the entry.
        """
        bound = encode_instant(now_ms + 1)
        heads = [
            (heap.elements[0], partition)
            for partition, heap in self._heaps.items()
            if heap.elements and heap.elements[0] < bound
        ]
        heapify(heads)
        for _ in range(limit):
            if not heads:
                return
            element, partition = heads[0]
            elements = self._heaps[partition].elements
            heappop(elements)
            if elements and elements[0] < bound:
                heapreplace(heads, (elements[0], partition))
            else:
                heappop(heads)
            yield DueItem(partition, element[INSTANT_BYTES:]), element[:INSTANT_BYTES]

    def note_taken(self, partition: int) -> None:
        """Note that what was removed from a heap was not outdated."""
        self._heaps[partition].live -= 1

    def note_change(self, item: DueItem, before: bytes, after: bytes) -> None:
        """Note that an entry is due at another instant.

        Args:
            item: The entry.
            before: The instant at which the index has it; `NEVER` if it does not.
            after: The instant in its new value.
        """
        if before == after:
            return
        heap = self._heaps[item.partition]
        if before != NEVER:
            heap.live -= 1
        if after != NEVER:
            heappush(heap.elements, after + item.key)
            heap.live += 1


def list_elements(entries: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Return the instants and keys of the entries in which something will be due.

    Raises:
        DecodeError: An entry is malformed, or of a kind that this release does not know.
    """
    elements = []
    headers = list_headers()
    for key, entry in entries:  # a million at a start, so the usual case calls nothing
        if key.startswith(ITEM_PREFIXES):
            due_at = entry[HEADER_LENGTH:INSTANT_END]
            if entry[:HEADER_LENGTH] not in headers or len(due_at) < INSTANT_BYTES:
                read_due(entry)  # raises with the cause
            if due_at != NEVER:
                elements.append(due_at + key)
        elif not is_log_key(key):
            read_item_key(key)  # raises with the cause
    return elements
