"""Backends for the local copies of a state store: in memory, or in RocksDB for state that outgrows memory."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from rocksdict import DbClosedError, DBCompressionType, Options, Rdict, ReadOptions, WriteBatch

from processors.exactly_once.state_store import Checkpoint, PartitionStore, StoreIdentity
from sharing.errors import InfrastructureError

log = logging.getLogger(__name__)

FORMAT = 1
"""Format of the data that `RocksStore` writes. A new number discards all copies in an older format."""

_CHECKPOINT_KEY = b"m"
_ENTRY_PREFIX = b"e"
_WRITE_BUFFER_BYTES = 8 * 1024 * 1024
"""Each partition has two, and they are full while a copy is made from the topic: with 32 MiB, 10⁶ open Asks on four
partitions took about 130 MB more, and no less time (`tests/bench/conversation_state.py`)."""


class MemoryStore:
    """A dictionary in memory."""

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


class RocksStore:
    """A RocksDB database in its own folder. Entries and checkpoint are written in one atomic RocksDB batch.

    The write-ahead log is not synced: after a power failure the copy may be behind the topic, but is consistent.

    Args:
        folder: Folder of the database.
        identity: The topic partition that the database is a copy of.
    """

    def __init__(self, folder: Path, identity: StoreIdentity) -> None:
        self._folder = folder
        self._identity = identity
        self._database = Rdict(str(folder), _make_options())
        try:
            self.checkpoint = self._read_checkpoint()
        except BaseException:
            self._database.close()
            raise

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""
        try:
            return self._database.get(_ENTRY_PREFIX + key)
        except Exception as error:  # noqa: BLE001 rocksdict has no exception class of its own
            raise self._discard_copy(error) from None

    def find_known_keys(self, keys: set[bytes]) -> set[bytes]:
        """Return those of these keys that have a value."""
        ordered = list(keys)
        try:
            values = cast("list[bytes | None]", self._database.get([_ENTRY_PREFIX + key for key in ordered]))
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None
        return {key for key, value in zip(ordered, values, strict=True) if value is not None}

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin so; those before them are not read."""
        start = _ENTRY_PREFIX + prefix
        options = ReadOptions()
        # What is read once does not belong in the cache. The stub of rocksdict lacks the argument.
        options.fill_cache(False)  # type: ignore[call-arg]  # noqa: FBT003
        try:
            cursor = self._database.iter(options)
            cursor.seek(start)
            while cursor.valid() and (key := cast("bytes", cursor.key())).startswith(start):
                yield key[1:], cast("bytes", cursor.value())
                cursor.next()
            cursor.status()  # raises at a damaged block, where the cursor, like `Rdict.items`, just ends
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None

    def apply_changes(self, changes: Iterable[tuple[bytes, bytes | None]], checkpoint: Checkpoint) -> None:
        """Apply the changes and set the checkpoint."""
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in changes:
            if value is None:
                delete(_ENTRY_PREFIX + key)
            else:
                put(_ENTRY_PREFIX + key, value)
        put(_CHECKPOINT_KEY, self._encode_checkpoint(checkpoint))
        try:
            self._database.write(batch)
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None
        self.checkpoint = checkpoint

    def close(self) -> None:
        """Flush the write buffers and close the database."""
        with suppress(DbClosedError):  # a failed database is closed already
            self._database.close()

    def _read_checkpoint(self) -> Checkpoint | None:
        encoded = self._database.get(_CHECKPOINT_KEY)
        if encoded is None:
            cursor = self._database.iter()
            cursor.seek_to_first()
            if cursor.valid():
                raise ValueError("entries without a checkpoint")
            cursor.status()
            return None
        fields = json.loads(encoded)
        if fields.pop("format") != FORMAT or fields.pop("identity") != asdict(self._identity):
            raise ValueError("of another topic or format")
        return Checkpoint(fields["offset"], fields["at_ms"])

    def _encode_checkpoint(self, checkpoint: Checkpoint) -> bytes:
        fields = {
            "format": FORMAT,
            "identity": asdict(self._identity),
            "offset": checkpoint.offset,
            "at_ms": checkpoint.reached_at_ms,
        }
        return json.dumps(fields).encode()

    def _discard_copy(self, error: Exception) -> InfrastructureError:
        """Delete a copy that cannot be read or written, so that the next start restores it from the topic."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        return InfrastructureError(
            f"the local copy of changelog topic {self._identity.topic}[{self._identity.partition}] in {self._folder} "
            f"failed ({type(error).__name__}) and is deleted; restart the worker, and it is restored from the topic"
        )


class RocksBackend:
    """Opens RocksDB databases under a folder that belongs to this process alone.

    Args:
        folder: Created if it does not exist; each worker needs its own.

    Raises:
        InfrastructureError: Another process uses the folder, or it cannot be created.
    """

    keeps_copies = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
            return RocksStore(self._locate_store(identity), identity)
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
            return RocksStore(path, identity)
        except Exception as error:  # noqa: BLE001
            raise InfrastructureError(f"state cannot be stored in {path}: {error}") from None

    def close(self) -> None:
        """Release the folder for other processes."""
        os.close(self._lock)

    def _locate_store(self, identity: StoreIdentity) -> Path:
        return self._folder / identity.topic / str(identity.partition)


def _make_options() -> Any:
    options = Options(raw_mode=True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(1)
    return options
