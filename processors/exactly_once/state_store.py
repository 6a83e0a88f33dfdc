"""The state store of an exactly-once loop: a dictionary for each partition, kept in a compacted Kafka topic.

    batch.store_view.get(3, key)            the value after all earlier batches
    batch.store_view.put(3, key, value)     visible to this batch immediately, and to later batches unless this one
                                            is aborted
    batch.store_view.delete(3, key)

**The changelog topic is the source of truth.** A batch's changes are written to it in the same transaction as the
batch's outputs and offsets: one record for each changed key, to the partition with the same number; a deleted key is a
tombstone. A partition copy (`PartitionStore`) is a local copy of the committed records of one partition. It is changed
after the transaction is committed, so a crash in between leaves it behind the topic, never ahead.

**Restored on assignment.** Before the first batch of a partition, its copy is read up to the topic's end at that time.
`processors.exactly_once.changelog` explains why that end covers everything that an earlier owner has committed. A copy
that outlives the process records its offset in the topic as a checkpoint, and reading resumes there.

**Dropped on revocation.** The next owner of the partition may change its entries. A copy on disk is closed and kept.

**Copies are checked before use.** A copy is used only if it belongs to this cluster, topic, partition and format, if
its checkpoint is within the topic's offsets, and if it is young enough that compaction cannot have removed a tombstone
that the copy has not seen. Otherwise it is deleted and restored from the topic; so is a copy that cannot be opened.

Nothing here is thread-safe: a loop changes the state store only while no agent is processing a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from processors.exactly_once.entry_order import StoredOrder

log = logging.getLogger(__name__)

Changes = dict[bytes, bytes | None]
"""New values by key; None deletes the key."""

COPY_AGE_MAX_MS = 12 * 60 * 60 * 1000
"""Half of Kafka's default for `delete.retention.ms`, the minimum time for which a tombstone is kept."""


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """The topic partition that a copy mirrors. `topic_id` changes when a topic is deleted and created again."""

    cluster: str
    topic: str
    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far into its topic a partition copy has read.

    Attributes:
        offset: The next offset to read.
        reached_at_ms: When the copy reached this offset, in UTC milliseconds.
    """

    offset: int
    reached_at_ms: int


class OffsetRange(NamedTuple):
    """Consecutive offsets of one partition.

    Attributes:
        first: The first offset.
        end: The offset after the last one.
    """

    first: int
    end: int


class PartitionStore(Protocol):
    """The local copy of one partition."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint; None while the copy is empty."""

    @property
    def order(self) -> StoredOrder | None:
        """The order of the entries that is kept with the copy; None if none is."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""

    def find_known_keys(self, keys: set[bytes]) -> set[bytes]:
        """Return those of these keys that have a value."""

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin so, in no particular order."""

    def apply_changes(self, changes: Iterable[tuple[bytes, bytes | None]], checkpoint: Checkpoint) -> None:
        """Apply the changes in order and set the checkpoint, atomically."""

    def finish_restore(self) -> None:
        """Derive the order of the entries, if the copy is to keep one and does not have it."""

    def close(self) -> None:
        """Release the copy's resources."""


class StoreBackend(Protocol):
    """Opens partition copies.

    Attributes:
        keeps_copies: Whether copies outlive the process, so that reading resumes at their checkpoints.
    """

    keeps_copies: bool

    def open_store(self, identity: StoreIdentity) -> PartitionStore:
        """Return the copy as it was closed, or an empty one if there is no intact copy with this identity."""

    def recreate_store(self, identity: StoreIdentity) -> PartitionStore:
        """Delete the copy, and return an empty one."""

    def close(self) -> None:
        """Release the backend's resources for other processes."""


class Changelog(Protocol):
    """The committed records of the changelog topic."""

    def get_store_identities(self, partitions: Iterable[int]) -> Mapping[int, StoreIdentity]:
        """Return the identity of each partition."""

    def query_offset_ranges(self, partitions: Iterable[int]) -> Mapping[int, OffsetRange]:
        """Return each partition's offsets. The end is after everything that earlier owners have committed."""

    def read_records(
        self,
        ranges: Mapping[int, OffsetRange],
        on_records: Callable[[int, list[tuple[bytes, bytes | None]], int], None],
    ) -> bool:
        """Pass the records of each range to `on_records` in order, with the offset after them; False if stopped."""


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


class StateStore:
    """Copies of the assigned partitions, kept in step with the changelog topic.

    Args:
        changelog: The changelog topic.
        backend: Opens the partition copies.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(self, changelog: Changelog, backend: StoreBackend, clock: Callable[[], int]) -> None:
        self._changelog = changelog
        self._backend = backend
        self._clock = clock
        self._stores: dict[int, PartitionStore] = {}

    def restore_partitions(self, partitions: Iterable[int]) -> bool:
        """Restore the copies of these partitions up to the end of the topic.

        Returns:
            Whether they are restored. False if the worker is stopping.

        Raises:
            InfrastructureError: The topic cannot be read, or a copy cannot be written.
        """
        missing = sorted(set(partitions) - self._stores.keys())
        if not missing:
            return True
        identities = self._changelog.get_store_identities(missing)
        offset_ranges = self._changelog.query_offset_ranges(missing)
        opened: dict[int, PartitionStore] = {}
        ranges_to_read: dict[int, OffsetRange] = {}
        with ExitStack() as close_on_failure:
            for partition in missing:
                first, end = offset_ranges[partition]
                store = opened[partition] = self._open_store(identities[partition], first, end)
                close_on_failure.callback(store.close)
                start = first if store.checkpoint is None else store.checkpoint.offset
                ranges_to_read[partition] = OffsetRange(start, end)

            def apply_records(partition: int, changes: list[tuple[bytes, bytes | None]], offset: int) -> None:
                opened[partition].apply_changes(changes, Checkpoint(offset, self._clock()))

            if not self._changelog.read_records(ranges_to_read, apply_records):
                return False
            for store in opened.values():
                store.finish_restore()
            self._stores.update(opened)
            close_on_failure.pop_all()
        log.info("state store: partitions %s restored", ", ".join(map(str, missing)))
        return True

    def close_partitions(self, partitions: Iterable[int] | None = None) -> None:
        """Close the copies of these partitions, or of all."""
        for partition in list(self._stores) if partitions is None else partitions:
            store = self._stores.pop(partition, None)
            if store is not None:
                store.close()

    def close(self) -> None:
        """Close all copies and the backend."""
        self.close_partitions()
        self._backend.close()

    def create_overlay(self, previous: Overlay | None = None) -> Overlay:
        """Return the view of the state for the next batch.

        Args:
            previous: The overlay of the batch that is being committed, if there is one.
        """
        return Overlay(self._stores, previous)

    def apply_overlay(self, overlay: Overlay, changelog_ends: Mapping[int, int]) -> None:
        """Apply the changes of a committed transaction to the copies.

        Args:
            overlay: The overlay of its batch.
            changelog_ends: For each changed partition the offset after the last of its records; needed only if copies
                outlive the process.

        Raises:
            InfrastructureError: A copy cannot be written.
        """
        for partition, changes in overlay.changes.items():
            store = self._stores.get(partition)  # None if the partition has been revoked
            if store is not None:
                end = changelog_ends[partition] if self._backend.keeps_copies else 0
                store.apply_changes(changes.items(), Checkpoint(end, self._clock()))

    def _open_store(self, identity: StoreIdentity, first: int, end: int) -> PartitionStore:
        store = self._backend.open_store(identity)
        checkpoint = store.checkpoint
        if checkpoint is None:
            return store
        age_ms = self._clock() - checkpoint.reached_at_ms
        if first <= checkpoint.offset <= end and 0 <= age_ms <= COPY_AGE_MAX_MS:
            return store
        log.warning(
            "state store: the copy of %s[%s] does not match the topic any more or is too old; it is recreated",
            identity.topic,
            identity.partition,
        )
        store.close()
        return self._backend.recreate_store(identity)
