"""Backends for the local copies of a state store: in memory, or in RocksDB for state that outgrows memory."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from processors.exactly_once.entry_order import EntryOrder
from processors.exactly_once.partition_store import Checkpoint, PartitionStore, StoreIdentity
from processors.exactly_once.rocks_store import RocksStore
from sharing.errors import InfrastructureError

log = logging.getLogger(__name__)


class MemoryStore:
    """A dictionary in memory."""

    order = None

    def __init__(self) -> None:
        self.checkpoint: Checkpoint | None = None
        self._entries: dict[bytes, bytes] = {}
        self.get = self._entries.get

    def find_known_keys(self, keys: set[bytes]) -> set[bytes]:
        """Return those of these keys that have a value."""
        return self._entries.keys() & keys

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin so."""
        entries = self._entries.items()
        return iter(entries) if not prefix else (entry for entry in entries if entry[0].startswith(prefix))

    def apply_changes(self, changes: Iterable[tuple[bytes, bytes | None]], checkpoint: Checkpoint) -> None:
        """Apply the changes and set the checkpoint."""
        entries = self._entries
        for key, value in changes:
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        self.checkpoint = checkpoint

    def finish_restore(self) -> None:
        """Do nothing: there is no order on disk."""

    def close(self) -> None:
        """Do nothing: the garbage collector frees the entries."""


class MemoryBackend:
    """Opens an empty store in memory every time."""

    keeps_copies = False

    def open_store(self, _: StoreIdentity) -> PartitionStore:
        """Return an empty store."""
        return MemoryStore()

    def recreate_store(self, _: StoreIdentity) -> PartitionStore:
        """Return an empty store."""
        return MemoryStore()

    def close(self) -> None:
        """Do nothing."""


class RocksBackend:
    """Opens RocksDB databases under a folder that belongs to this process alone.

    Args:
        folder: Created if it does not exist; each worker needs its own.
        order: The order of the entries that is kept with them; None for none.

    Raises:
        InfrastructureError: Another process uses the folder, or it cannot be created.
    """

    keeps_copies = True

    def __init__(self, folder: Path, order: EntryOrder | None = None) -> None:
        self._folder = folder
        self._order = order
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InfrastructureError(
                f"another process keeps its state in {folder}; give each worker a folder of its own"
            ) from None
        except OSError as error:
            raise InfrastructureError(f"state cannot be stored in {folder}: {error.strerror}") from None

    def open_store(self, identity: StoreIdentity) -> PartitionStore:
        """Return the store as it was closed, or an empty one."""
        try:
            return RocksStore(self._locate_store(identity), identity, self._order)
        except Exception as error:  # noqa: BLE001 whatever the error is, the copy is unusable
            log.warning(
                "state store: the copy of %s[%s] is damaged or belongs to something else (%s); it is recreated",
                identity.topic,
                identity.partition,
                type(error).__name__,
            )
            return self.recreate_store(identity)

    def recreate_store(self, identity: StoreIdentity) -> PartitionStore:
        """Delete the store, and return an empty one."""
        path = self._locate_store(identity)
        try:
            shutil.rmtree(path, ignore_errors=not path.exists())
            return RocksStore(path, identity, self._order)
        except Exception as error:  # noqa: BLE001
            raise InfrastructureError(f"state cannot be stored in {path}: {error}") from None

    def close(self) -> None:
        """Release the folder for other processes."""
        os.close(self._lock)

    def _locate_store(self, identity: StoreIdentity) -> Path:
        return self._folder / identity.topic / str(identity.partition)
