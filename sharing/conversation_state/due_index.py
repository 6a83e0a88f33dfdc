"""Which items have something due: found without reading all entries each time.

For each partition, the index has a heap of the instants and keys of the entries in which time alone will change
something. It follows each change. Outdated elements are not searched for, but recognised when their turn comes: the
entry itself says when it is due.

Where the state store keeps the entries in memory, the heap is built from all of them when a partition is taken. If too
many of its elements are outdated, it is built again, so its length is bounded by the number of entries.

Where the state store keeps them on disk, it keeps their order with them (`due_order`), and the heap has a *window* of
it: the elements up to a horizon, which are read when their turn comes, and all that has changed since. What is read was
committed; what changes in a batch that is still being committed is in the heap. So a start with a million open Asks
reads the first ten thousand elements, and none of the entries.

**Only the store counts.** A heap belongs to one copy of a partition. When a partition is given up, or a transaction is
aborted, the loop closes the copy, and opens another one before the next batch: then the heap is built from that. So
what an aborted batch has taken from the heap or added to it is gone, like its changes of the state.

It takes about 75 bytes for each element: an instant and a key are one `bytes` object, and they are ordered like their
bytes.

It also counts, in the same way, how much of each other State waits in a partition, so that no State can fill the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, NamedTuple, Protocol

from sharing.conversation_state.due_order import DueOrder, list_elements
from sharing.conversation_state.entry_head import INSTANT_BYTES, NEVER, encode_instant

STALE_SHARE_MAX: Final = 0.5
"""How many outdated elements a heap may have, as a share of the others."""

STALE_MIN: Final = 10_000
"""This many may be outdated in any case: rebuilding a small heap is not worth it."""

WINDOW: Final = 10_000
"""How many elements of an order that is kept on disk are read at once."""

NOTED_MAX: Final = 100_000
"""How many changes a window holds before it is read again."""

_ORDER: Final = DueOrder()


class KeptOrder(Protocol):
    """The order that is kept with a copy: `processors.exactly_once.entry_order.StoredOrder`."""

    @property
    def length(self) -> int:
        """How many elements there are."""

    @property
    def counts(self) -> Counter[str]:
        """How many open Asks and early replies of each State there are."""

    def list_after(self, element: bytes, limit: int) -> list[bytes]:
        """Return the first elements that come after one, in order."""


class StateView(Protocol):
    """A batch's view of the state store: `processors.exactly_once.overlay.Overlay`."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that are assigned."""

    def identify_copy(self, partition: int) -> object:
        """Return an object that is replaced by another when the copy of the partition is closed and opened again."""

    def get_order(self, partition: int) -> KeptOrder | None:
        """Return the order that is kept with the copy of the partition; None if none is."""

    def get_pending(self, partition: int) -> Mapping[bytes, bytes | None]:
        """Return the changes of the batch that is being committed: the order may not have them yet."""

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
        live: For how many entries something will be due.
        waiting: How many open Asks and early replies of each State there are.
        order: The order that is kept on disk; None if all elements are here.
        horizon: The last element that was read of it; None if all were read.
    """

    copy: object
    elements: list[bytes]
    live: int
    waiting: Counter[str]
    order: KeptOrder | None = None
    horizon: bytes | None = None

    @property
    def is_bloated(self) -> bool:
        if self.order is not None:
            return len(self.elements) > WINDOW + NOTED_MAX
        return len(self.elements) - self.live > max(STALE_MIN, STALE_SHARE_MAX * self.live)

    def fill(self) -> None:
        """Read on until the first element is available."""
        while self.order is not None and self.horizon is not None:
            if self.elements and self.elements[0] <= self.horizon:
                return
            read = self.order.list_after(self.horizon, WINDOW)
            self.horizon = read[-1] if len(read) == WINDOW else None
            for element in read:
                heappush(self.elements, element)


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
            if heap is None or heap.copy is not copy or (heap.order is None and heap.is_bloated):
                self._heaps.pop(partition, None)  # free its memory for the new one
                self._heaps[partition] = _build_heap(view, partition, copy)
            elif heap.is_bloated:
                _read_window_again(heap, view.get_pending(partition))

    def count_items(self) -> int:
        """Return for how many items something will be due: those with an open Ask, and those with a retention limit."""
        return sum(heap.live for heap in self._heaps.values())

    def count_waiting(self, partition: int, state: str) -> int:
        """Return how many open Asks and early replies of another State a partition has."""
        heap = self._heaps.get(partition)
        return 0 if heap is None else heap.waiting[state]

    def find_next_due(self) -> int | None:
        """Return when to look again, in UTC milliseconds: no item is due earlier. None if no item will be due."""
        first = min((heap.elements[0] for heap in self._heaps.values() if heap.elements), default=None)
        return None if first is None else int.from_bytes(first[:INSTANT_BYTES], "big")

    def list_next_due(self) -> dict[int, int]:
        """Return, for each partition in which something will be due, when to look again, in UTC milliseconds."""
        return {
            partition: int.from_bytes(heap.elements[0][:INSTANT_BYTES], "big")
            for partition, heap in self._heaps.items()
            if heap.elements
        }

    def pop_due(
        self, now_ms: int, limit: int, until: Mapping[int, int] | None = None
    ) -> Iterator[tuple[DueItem, bytes]]:
        """Yield the elements up to an instant, the earliest first, and remove them; some may be outdated.

        Args:
            now_ms: The instant in UTC milliseconds.
            limit: How many at most.
            until: For each partition an earlier instant that counts instead; nothing is due in those left out. None:
                the first instant counts in all.

        Yields:
            Partition and key, and the instant as it must be in the entry.
        """
        instants = dict.fromkeys(self._heaps, now_ms) if until is None else until
        bounds = {number: encode_instant(min(instant, now_ms) + 1) for number, instant in instants.items()}
        heads = [
            (heap.elements[0], partition)
            for partition, heap in self._heaps.items()
            if heap.elements and heap.elements[0] < bounds.get(partition, NEVER)
        ]
        heapify(heads)
        for _ in range(limit):
            if not heads:
                return
            element, partition = heads[0]
            elements = self._heaps[partition].elements
            heappop(elements)
            self._heaps[partition].fill()
            if elements and elements[0] < bounds[partition]:
                heapreplace(heads, (elements[0], partition))
            else:
                heappop(heads)
            yield DueItem(partition, element[INSTANT_BYTES:]), element[:INSTANT_BYTES]

    def note_taken(self, partition: int) -> None:
        """Note that what was removed from a heap was not outdated."""
        self._heaps[partition].live -= 1

    def note_change(self, item: DueItem, before: bytes, after: bytes) -> None:
        """Note that an entry is now due at a different instant.

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

    def note_waiting(self, partition: int, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Note that the number of open Asks and early replies in an entry has changed.

        Args:
            partition: The partition of the entry.
            before: How many there were, by State.
            after: How many there are.
        """
        if before != after:
            waiting = self._heaps[partition].waiting
            waiting.subtract(before)
            waiting.update(after)


def _build_heap(view: StateView, partition: int, copy: object) -> _Heap:
    """Return what will be due in a partition that was taken or opened again.

    Raises:
        DecodeError: An entry is malformed, or of a kind that this release does not know.
    """
    order = view.get_order(partition)
    if order is not None and not view.get_pending(partition):
        heap = _Heap(copy, [], order.length, order.counts, order, horizon=b"")
        heap.fill()
        return heap
    waiting = Counter[str]()
    elements = list_elements(view.items(partition), waiting)
    heapify(elements)
    return _Heap(copy, elements, len(elements), waiting)


def _read_window_again(heap: _Heap, pending: Mapping[bytes, bytes | None]) -> None:
    """Forget what has changed since a window was read: the order has it, except what is still being committed."""
    derived = [
        _ORDER.derive(key, value) for key, value in pending.items() if value is not None and _ORDER.concerns(key)
    ]
    heap.elements[:] = [each.element for each in derived if each.element is not None]
    heapify(heap.elements)
    heap.horizon = b""
    heap.fill()
