"""The local copy of one partition of the state store: which topic partition it mirrors, and how far it has read.

What a copy is for, and when it is used, is in `processors.exactly_once.state_store`; the copies themselves are in
`state_store_backends` and `rocks_store`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from processors.exactly_once.entry_order import StoredOrder


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
