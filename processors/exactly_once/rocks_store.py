"""The local copy of one partition of a state store in RocksDB: entries, checkpoint and order, in atomic writes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from rocksdict import DbClosedError, DBCompressionType, Options, Rdict, ReadOptions, WriteBatch

from processors.exactly_once.entry_order import EntryOrder
from processors.exactly_once.partition_store import Checkpoint, StoreIdentity
from processors.exactly_once.rocks_order import RocksOrder, read_keys
from sharing.errors import DecodeError, InfrastructureError

FORMAT = 1
"""Format of the data that `RocksStore` writes. A new number discards all copies in an older format."""

_CHECKPOINT_KEY = b"m"
_ENTRY_PREFIX = b"e"
_WRITE_BUFFER_BYTES = 8 * 1024 * 1024
"""Each partition has two, and they are full while a copy is made from the topic: with 32 MiB, 10⁶ open Asks on four
partitions took about 130 MB more, and no less time (`tests/bench/conversation_state.py`)."""


class RocksStore:
    """A RocksDB database in its own folder. Entries and checkpoint are written in one atomic RocksDB batch.

    The write-ahead log is not synced: after a power failure the copy may be behind the topic, but is consistent.

    Args:
        folder: Folder of the database.
        identity: The topic partition that the database is a copy of.
        order: The order of the entries that is kept with them; None for none.

    Attributes:
        order: That order; None as long as it is not derived.
    """

    def __init__(self, folder: Path, identity: StoreIdentity, order: EntryOrder | None = None) -> None:
        self.order: RocksOrder | None = None
        self._derived = order
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
            for key in read_keys(cursor, start, start):
                yield key[1:], cast("bytes", cursor.value())
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None

    def apply_changes(self, changes: Iterable[tuple[bytes, bytes | None]], checkpoint: Checkpoint) -> None:
        """Apply the changes and set the checkpoint."""
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        totals: Counter[str] | None = None
        if self.order is not None:
            latest = dict(changes)  # the last change of a key counts
            changes = latest.items()
            totals = self._stage_order(self.order, batch, latest)
        for key, value in changes:
            if value is None:
                delete(_ENTRY_PREFIX + key)
            else:
                put(_ENTRY_PREFIX + key, value)
        put(_CHECKPOINT_KEY, self._encode_checkpoint(checkpoint, totals))
        self._write(batch)
        self.checkpoint = checkpoint
        if self.order is not None and totals is not None:
            self.order.totals = totals

    def finish_restore(self) -> None:
        """Derive the order of the entries, if there is to be one and it is not there.

        If an entry is malformed, there is no order: a caller that reads all entries finds out which one it is.
        """
        if self._derived is None or self.order is not None:
            return
        order = RocksOrder(self._database, self._derived, {}, self._discard_copy)
        if self.checkpoint is None:  # there is no entry
            self.order = order
            return
        try:
            order.build(self.items())
        except DecodeError:
            return
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None
        self.order = order
        batch = WriteBatch(raw_mode=True)
        batch.put(_CHECKPOINT_KEY, self._encode_checkpoint(self.checkpoint, order.totals))
        self._write(batch)

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
        derived = fields.get("order")
        if self._derived is not None and derived is not None and derived["name"] == self._derived.name:
            self.order = RocksOrder(self._database, self._derived, derived["counts"], self._discard_copy)
        return Checkpoint(fields["offset"], fields["at_ms"])

    def _stage_order(
        self, order: RocksOrder, batch: WriteBatch, changes: Mapping[bytes, bytes | None]
    ) -> Counter[str] | None:
        """Add what changes of the order to a batch, and return the totals after it; None if there is no order now."""
        try:
            return order.stage_changes(batch, changes, _ENTRY_PREFIX)
        except DecodeError:
            self.order = None  # it is derived again when the copy is opened next
            return None
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None

    def _write(self, batch: WriteBatch) -> None:
        try:
            self._database.write(batch)
        except Exception as error:  # noqa: BLE001
            raise self._discard_copy(error) from None

    def _encode_checkpoint(self, checkpoint: Checkpoint, totals: Mapping[str, int] | None) -> bytes:
        # Written without it, the order is derived again: what a release without this one has changed, it lacks.
        order = {} if self.order is None or totals is None else {"order": {"name": self.order.name, "counts": totals}}
        fields = {
            **order,
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


def _make_options() -> Any:
    options = Options(raw_mode=True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(1)
    return options
