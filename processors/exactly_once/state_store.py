"""The state store of an exactly-once loop: a dictionary for each partition, kept in a compacted Kafka topic.

    batch.store_view.get(3, key)            the value after all earlier batches
    batch.store_view.put(3, key, value)     visible to this batch immediately, and to later batches unless this one
                                            is aborted
    batch.store_view.delete(3, key)

**The changelog topic is the source of truth.** A batch's changes are written to it in the same transaction as the
batch's outputs and offsets: one record for each changed key, to the partition with the same number; a deleted key is a
tombstone. A partition copy (`partition_store`) is a local copy of the committed records of one partition. It is changed
after the transaction is committed, so a crash in between leaves it behind the topic, never ahead. What a batch sees and
changes before that is its `overlay`.

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
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import NamedTuple, Protocol

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint, PartitionStore, StoreBackend, StoreIdentity

log = logging.getLogger(__name__)

COPY_AGE_MAX_MS = 12 * 60 * 60 * 1000
"""Half of Kafka's default for `delete.retention.ms`, the minimum time for which a tombstone is kept."""


class OffsetRange(NamedTuple):
    """Consecutive offsets of one partition.

    Attributes:
        first: The first offset.
        end: The offset after the last one.
    """

    first: int
    end: int


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
