"""The ledger: a lane's state, a dictionary for each partition, kept in a compacted topic of Kafka.

    batch.view.get(3, key)             as all batches before have left it
    batch.view.put(3, key, value)      seen by this batch at once, by later ones when this one is not aborted
    batch.view.delete(3, key)

**The topic is the truth.** A batch's changes are written to it in the transaction of its outputs and offsets, one
record for each changed key, to the partition of the same number; a deleted key is a tombstone. What is kept here is a
copy of the committed records, in a store for each partition: it is changed after the transaction is committed, so a
crash between leaves it behind the topic, never ahead.

**Restored when assigned.** Before the first batch of a partition its store is read up to the end that the topic then
has. `Changelog` says why that end holds all that an earlier owner has committed. A store that outlives the process
knows at which offset it stands, and is read on from there.

**Dropped when given up.** Who owns the partition next may change it. A store on disk is closed and stays there.

**A copy is never trusted.** It is used only if it is of this cluster, topic, partition and form, neither ahead of the
topic's end nor before its beginning, and young enough that compaction cannot have removed a tombstone that it has not
seen. Otherwise it is deleted and read anew; so is one that cannot be opened.

Nothing here is safe for two threads at once: a lane changes stores only when no batch is in its agent's hands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

Changes = dict[bytes, bytes | None]
"""New values by key; None deletes."""

COPY_AGE_MAX_MS = 12 * 60 * 60 * 1000
"""Half of Kafka's default for `delete.retention.ms`, for which a tombstone is kept at least."""


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """Which partition of which topic a store is a copy of. `topic_id` changes when a topic is made anew."""

    cluster: str
    topic: str
    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to where a store is a copy.

    Attributes:
        offset: The next one to read.
        at_ms: When it stood there, in UTC milliseconds.
    """

    offset: int
    at_ms: int


class PartitionStore(Protocol):
    """The copy of one partition."""

    @property
    def standing(self) -> Checkpoint | None:
        """Where it stands; None when it holds nothing yet."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries, in no particular order."""

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], standing: Checkpoint) -> None:
        """Change entries in this order and move on, both or neither."""

    def close(self) -> None:
        """Let go of it."""


class StoreBackend(Protocol):
    """Where stores come from."""

    def open(self, identity: StoreIdentity) -> PartitionStore:
        """Return the store as it was left, or an empty one where there is none that is sound and of this identity."""

    def renew(self, identity: StoreIdentity) -> PartitionStore:
        """Delete what there is, and return an empty store."""

    def close(self) -> None:
        """Let others have the place."""


class Changelog(Protocol):
    """The committed records of the ledger's topic."""

    def identify(self, partitions: Iterable[int]) -> Mapping[int, StoreIdentity]:
        """Return what the partitions are called."""

    def spans(self, partitions: Iterable[int]) -> Mapping[int, tuple[int, int]]:
        """Return for each partition its first offset and its end: past all that earlier owners have committed."""

    def read(
        self,
        spans: Mapping[int, tuple[int, int]],
        take: Callable[[int, list[tuple[bytes, bytes | None]], int], None],
    ) -> bool:
        """Give `take` the records of each span in their order, with the offset after them; return False to stop."""


class Overlay:
    """The ledger as one batch sees and changes it.

    Args:
        stores: Of the assigned partitions.
        below: What the batch before changes, while it is being committed.

    Attributes:
        changes: What this batch changes, by partition.
    """

    def __init__(self, stores: Mapping[int, PartitionStore], below: Overlay | None = None) -> None:
        self.changes: dict[int, Changes] = {}
        self._stores = stores
        self._below = below.changes if below is not None else {}
        self._sealed = False

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        for changes in (self.changes.get(partition), self._below.get(partition)):
            if changes is not None and key in changes:
                return changes[key]
        return self._store(partition).get(key)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries of a partition, in no particular order; change none meanwhile."""
        changed = {**self._below.get(partition, {}), **self.changes.get(partition, {})}
        yield from ((key, value) for key, value in self._store(partition).items() if key not in changed)
        yield from ((key, value) for key, value in changed.items() if value is not None)

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self._change(partition, key, value)

    def delete(self, partition: int, key: bytes) -> None:
        """Remove a key, if it is there."""
        self._change(partition, key, None)

    def seal(self) -> dict[int, Changes]:
        """Return what has changed; from now on nothing can."""
        self._sealed = True
        self._below = {}  # committed, and in the stores by now; kept, it would hold on to all that came before
        return self.changes

    def _change(self, partition: int, key: bytes, value: bytes | None) -> None:
        if self._sealed:
            raise RuntimeError("the changes of this batch are being committed already")
        self._store(partition)
        self.changes.setdefault(partition, {})[key] = value

    def _store(self, partition: int) -> PartitionStore:
        try:
            return self._stores[partition]
        except KeyError:
            raise LookupError(f"partition {partition} of the ledger is not assigned to this worker") from None


class StateStore:
    """The stores of the assigned partitions, kept as the topic says.

    Args:
        changelog: The topic.
        stores: Where the copies are.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(self, changelog: Changelog, stores: StoreBackend, clock: Callable[[], int]) -> None:
        self._changelog = changelog
        self._origin = stores
        self._clock = clock
        self._stores: dict[int, PartitionStore] = {}

    def assign(self, partitions: Iterable[int]) -> bool:
        """Read the stores of these partitions up to the end of the topic.

        Returns:
            Whether it was done; not if the worker is to stop.

        Raises:
            InfrastructureError: The topic cannot be read, or a copy not be written.
        """
        wanted = sorted(set(partitions) - self._stores.keys())
        if not wanted:
            return True
        names, spans = self._changelog.identify(wanted), self._changelog.spans(wanted)
        opened: dict[int, PartitionStore] = {}
        try:
            for partition in wanted:
                opened[partition] = self._open(names[partition], *spans[partition])
            rest = {
                partition: (
                    standing.offset if (standing := store.standing) else spans[partition][0],
                    spans[partition][1],
                )
                for partition, store in opened.items()
            }

            def take(partition: int, changes: list[tuple[bytes, bytes | None]], offset: int) -> None:
                opened[partition].apply(changes, Checkpoint(offset, self._clock()))

            if not self._changelog.read(rest, take):
                return False
            self._stores.update(opened)
            opened = {}
        finally:
            for store in opened.values():
                store.close()
        log.info("ledger: partitions %s restored", ", ".join(map(str, wanted)))
        return True

    def revoke(self, partitions: Iterable[int] | None = None) -> None:
        """Let go of these partitions, or of all."""
        for partition in list(self._stores) if partitions is None else partitions:
            store = self._stores.pop(partition, None)
            if store is not None:
                store.close()

    def close(self) -> None:
        """Let go of everything."""
        self.revoke()
        self._origin.close()

    def view(self, below: Overlay | None = None) -> Overlay:
        """Return what the next batch is to see.

        Args:
            below: What the batch that is being committed changes, if one is.
        """
        return Overlay(self._stores, below)

    def apply(self, view: Overlay, ends: Mapping[int, int]) -> None:
        """Take over what a committed transaction has changed.

        Args:
            view: Its batch's.
            ends: For each changed partition the offset after the last of its records.

        Raises:
            InfrastructureError: A copy cannot be written.
        """
        for partition, changes in view.changes.items():
            store = self._stores.get(partition)  # None: given up meanwhile
            if store is not None:
                store.apply(changes.items(), Checkpoint(ends[partition], self._clock()))

    def _open(self, identity: StoreIdentity, first: int, end: int) -> PartitionStore:
        store = self._origin.open(identity)
        standing = store.standing
        if standing is None:
            return store
        age_ms = self._clock() - standing.at_ms
        if first <= standing.offset <= end and 0 <= age_ms <= COPY_AGE_MAX_MS:
            return store
        log.warning(
            "ledger: the copy of %s[%s] is not of this topic's present and is made anew",
            identity.topic,
            identity.partition,
        )
        store.close()
        return self._origin.renew(identity)
