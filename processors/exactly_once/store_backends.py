"""Where the copies of a ledger are kept: in memory, or in RocksDB for what outgrows it."""

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

from rocksdict import DbClosedError, DBCompressionType, Options, Rdict, WriteBatch

from processors.exactly_once.state_store import Checkpoint, PartitionStore, StoreIdentity
from sharing.errors import InfrastructureError

log = logging.getLogger(__name__)

FORM = 1
"""Of what RocksStore writes; another number makes every copy of an earlier form be read anew."""

_MARK = b"m"
_ENTRY = b"e"
_WRITE_BUFFER_BYTES = 32 * 1024 * 1024


class MemoryStore:
    """A dictionary."""

    def __init__(self) -> None:
        self.standing: Checkpoint | None = None
        self._entries: dict[bytes, bytes] = {}
        self.get = self._entries.get

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries."""
        return iter(self._entries.items())

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], standing: Checkpoint) -> None:
        """Change entries."""
        entries = self._entries
        for key, value in changes:
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        self.standing = standing

    def close(self) -> None:
        """Forget nothing: who let go of it does."""


class MemoryBackend:
    """Empty ones, every time."""

    def open(self, _: StoreIdentity) -> PartitionStore:
        """Return an empty store."""
        return MemoryStore()

    def renew(self, _: StoreIdentity) -> PartitionStore:
        """Return an empty store."""
        return MemoryStore()

    def close(self) -> None:
        """There is nothing to close."""


class RocksStore:
    """A database of its own folder. Entries and standing are written in one batch of RocksDB, which is atomic.

    The write-ahead log is not synced: after a power cut the copy may be behind, and is whole up to there.

    Args:
        folder: Of the database.
        identity: What it is a copy of.
    """

    def __init__(self, folder: Path, identity: StoreIdentity) -> None:
        self._folder = folder
        self._identity = identity
        self._database = Rdict(str(folder), _options())
        try:
            self.standing = self._read_mark()
        except BaseException:
            self._database.close()
            raise

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""
        try:
            return self._database.get(_ENTRY + key)
        except Exception as error:  # noqa: BLE001 rocksdict has no exception of its own
            raise self._condemn(error) from None

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries."""
        try:
            cursor = self._database.iter()
            cursor.seek(_ENTRY)
            while cursor.valid() and (key := cast("bytes", cursor.key()))[:1] == _ENTRY:
                yield key[1:], cast("bytes", cursor.value())
                cursor.next()
            cursor.status()  # raises; at a damaged block a cursor just ends, and so does `Rdict.items`
        except Exception as error:  # noqa: BLE001
            raise self._condemn(error) from None

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], standing: Checkpoint) -> None:
        """Change entries."""
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in changes:
            if value is None:
                delete(_ENTRY + key)
            else:
                put(_ENTRY + key, value)
        put(_MARK, self._encode_mark(standing))
        try:
            self._database.write(batch)
        except Exception as error:  # noqa: BLE001
            raise self._condemn(error) from None
        self.standing = standing

    def close(self) -> None:
        """Write out what is in its buffers."""
        with suppress(DbClosedError):  # it failed, and is deleted
            self._database.close()

    def _read_mark(self) -> Checkpoint | None:
        mark = self._database.get(_MARK)
        if mark is None:
            cursor = self._database.iter()
            cursor.seek_to_first()
            if cursor.valid():
                raise ValueError("entries without a mark")
            cursor.status()
            return None
        said = json.loads(mark)
        if said.pop("form") != FORM or said.pop("identity") != asdict(self._identity):
            raise ValueError("of another topic or form")
        return Checkpoint(**said)

    def _encode_mark(self, standing: Checkpoint) -> bytes:
        return json.dumps({"form": FORM, "identity": asdict(self._identity), **asdict(standing)}).encode()

    def _condemn(self, error: Exception) -> InfrastructureError:
        """Delete what cannot be read or written, so that the next start reads it anew."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        return InfrastructureError(
            f"the local copy of ledger {self._identity.topic}[{self._identity.partition}] in {self._folder} failed "
            f"({type(error).__name__}) and is deleted; start again, and it is read from the topic"
        )


class RocksBackend:
    """Databases under a folder that is this process's alone.

    Args:
        folder: Made when it does not exist; another worker needs another one.

    Raises:
        InfrastructureError: Another process uses the folder, or it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InfrastructureError(
                f"another process keeps its ledger in {folder}; give each worker its own"
            ) from None
        except OSError as error:
            raise InfrastructureError(f"a ledger cannot be kept in {folder}: {error.strerror}") from None

    def open(self, identity: StoreIdentity) -> PartitionStore:
        """Return the store as it was left, or an empty one."""
        try:
            return RocksStore(self._path(identity), identity)
        except Exception as error:  # noqa: BLE001 whatever it is, the copy is no good
            log.warning(
                "ledger: the copy of %s[%s] is damaged or of something else (%s) and is made anew",
                identity.topic,
                identity.partition,
                type(error).__name__,
            )
            return self.renew(identity)

    def renew(self, identity: StoreIdentity) -> PartitionStore:
        """Delete what there is, and return an empty store."""
        path = self._path(identity)
        try:
            shutil.rmtree(path, ignore_errors=not path.exists())
            return RocksStore(path, identity)
        except Exception as error:  # noqa: BLE001
            raise InfrastructureError(f"a ledger cannot be kept in {path}: {error}") from None

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._lock)

    def _path(self, identity: StoreIdentity) -> Path:
        return self._folder / identity.topic / str(identity.partition)


def _options() -> Any:
    options = Options(raw_mode=True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(1)
    return options
