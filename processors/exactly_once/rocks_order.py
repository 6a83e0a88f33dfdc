"""An order of the entries that is kept in the RocksDB database of a copy, in the same write batches as the entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

from rocksdict import Rdict, ReadOptions, WriteBatch

from processors.exactly_once.entry_order import ORDERED, Derived, EntryOrder
from sharing.errors import InfrastructureError

ELEMENT_PREFIX: Final = b"o"
_ELEMENT_END: Final = b"p"
_BUILT_AT_ONCE: Final = 10_000
_NOTHING: Final[Derived] = (None, {})


class RocksOrder:
    """The order of one database.

    Args:
        database: The database.
        order: What is derived.
        counts: The counts as they are.
        fail: Returns what is raised when the database fails.
    """

    def __init__(
        self,
        database: Rdict,
        order: EntryOrder,
        counts: Mapping[str, int],
        fail: Callable[[Exception], InfrastructureError],
    ) -> None:
        self.counts = Counter(counts)
        self._database = database
        self._order = order
        self._fail = fail

    @property
    def name(self) -> str:
        """What names it."""
        return self._order.name

    def list_after(self, element: bytes, limit: int) -> list[bytes]:
        """Return the first elements that come after one, in order."""
        found: list[bytes] = []
        try:
            cursor = self._database.iter(ReadOptions())
            cursor.seek(ELEMENT_PREFIX + element)
            while cursor.valid() and (key := cast("bytes", cursor.key())).startswith(ELEMENT_PREFIX):
                if key[1:] != element:
                    found.append(key[1:])
                    if len(found) == limit:
                        break
                cursor.next()
            cursor.status()
        except Exception as error:  # noqa: BLE001 rocksdict has no exception class of its own
            raise self._fail(error) from None
        return found

    def stage_changes(
        self, batch: WriteBatch, changes: Mapping[bytes, bytes | None], entry_prefix: bytes
    ) -> Counter[str]:  # fmt: skip
        """Add to a write batch what changes of the order, and return the counts after it.

        Args:
            batch: The batch that changes the entries.
            changes: The new values by key; None deletes the key.
            entry_prefix: What stands before the keys of entries in the database.

        Raises:
            DecodeError: An entry is malformed.
        """
        concerned = [key for key in changes if self._order.concerns(key)]
        counts = Counter(self.counts)
        if not concerned:
            return counts
        before = cast("list[bytes | None]", self._database.get([entry_prefix + key for key in concerned]))
        for key, old in zip(concerned, before, strict=True):
            new = changes[key]
            was, counted = _NOTHING if old is None else self._order.derive(key, old)
            becomes, counting = _NOTHING if new is None else self._order.derive(key, new)
            if was != becomes:
                if was is not None:
                    batch.delete(ELEMENT_PREFIX + was)
                if becomes is not None:
                    batch.put(ELEMENT_PREFIX + becomes, b"")
                counts[ORDERED] += (becomes is not None) - (was is not None)
            if counted != counting:
                counts.subtract(counted)
                counts.update(counting)
        return counts

    def build(self, entries: Iterator[tuple[bytes, bytes]]) -> None:
        """Derive everything from the entries of the database.

        Raises:
            DecodeError: An entry is malformed.
        """
        self._database.delete_range(ELEMENT_PREFIX, _ELEMENT_END)
        counts: Counter[str] = Counter()
        while part := list(islice(entries, _BUILT_AT_ONCE)):
            batch: Any = WriteBatch(raw_mode=True)
            elements = self._order.derive_all(part, counts)
            for element in elements:
                batch.put(ELEMENT_PREFIX + element, b"")
            counts[ORDERED] += len(elements)
            self._database.write(batch)
        self.counts = counts
