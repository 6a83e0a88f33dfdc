"""What a batch sees of the state, and what it changes, before any of it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from processors.exactly_once.entry_order import StoredOrder
    from processors.exactly_once.partition_store import PartitionStore

Changes = dict[bytes, bytes | None]
"""New values by key; None deletes the key."""


class Overlay:
    """One batch's view of the state: its own changes on top of the previous batch's changes on top of the stores.

    Args:
        stores: Copies of the assigned partitions.
        previous: Overlay of the previous batch while it is being committed.

    Attributes:
        changes: Changes of this batch, by partition.
    """

    def __init__(self, stores: Mapping[int, PartitionStore], previous: Overlay | None = None) -> None:
        self.changes: dict[int, Changes] = {}
        self._stores = stores
        self._previous = previous.changes if previous is not None else {}
        self._frozen = False

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that are assigned."""
        return frozenset(self._stores)

    def identify_copy(self, partition: int) -> object:
        """Return an object that is another one after the copy of the partition was closed and opened again.

        So what is derived from the entries is known to be of another copy: the partition was given up in between, or a
        transaction was aborted.
        """
        return self._get_store(partition)

    def get_order(self, partition: int) -> StoredOrder | None:
        """Return the order of the committed entries that is kept with the copy of a partition; None if none is."""
        return self._get_store(partition).order

    def get_pending(self, partition: int) -> Mapping[bytes, bytes | None]:
        """Return the changes of the batch that is being committed: the order may not have them yet."""
        return self._previous.get(partition, {})

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        for changes in (self.changes.get(partition), self._previous.get(partition)):
            if changes is not None and key in changes:
                return changes[key]
        return self._get_store(partition).get(key)

    def get_committed(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of a key in what is known to be committed: without the batches that are in progress."""
        return self._get_store(partition).get(key)

    def find_known_keys(self, partition: int, keys: set[bytes]) -> set[bytes]:
        """Return those of these keys that have a value; one call for many keys costs little when most have none."""
        known = self._get_store(partition).find_known_keys(keys)
        for changes in (self._previous.get(partition), self.changes.get(partition)):
            if changes is None:
                continue
            for key in changes.keys() & keys:
                if changes[key] is None:
                    known.discard(key)
                else:
                    known.add(key)
        return known

    def items(self, partition: int, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of a partition whose keys begin so, in no particular order. Change none while iterating."""
        changed = {**self._previous.get(partition, {}), **self.changes.get(partition, {})}
        yield from ((key, value) for key, value in self._get_store(partition).items(prefix) if key not in changed)
        yield from ((key, value) for key, value in changed.items() if value is not None and key.startswith(prefix))

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self._change(partition, key, value)

    def delete(self, partition: int, key: bytes) -> None:
        """Remove a key if it exists."""
        self._change(partition, key, None)

    def freeze(self) -> dict[int, Changes]:
        """Forbid further changes, and return the changes of this batch."""
        self._frozen = True
        self._previous = {}  # committed and applied to the copies by now; a reference would keep all older overlays
        return self.changes

    def _change(self, partition: int, key: bytes, value: bytes | None) -> None:
        if self._frozen:
            raise RuntimeError("the changes of this batch are already being committed")
        self._check_assigned(partition)
        self.changes.setdefault(partition, {})[key] = value

    def _get_store(self, partition: int) -> PartitionStore:
        self._check_assigned(partition)
        return self._stores[partition]

    def _check_assigned(self, partition: int) -> None:
        if partition not in self._stores:
            raise LookupError(f"partition {partition} of the state store is not assigned to this worker")
