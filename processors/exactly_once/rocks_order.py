"""An order of the entries that is kept in the RocksDB database of a copy, in the same write batches as the entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

from rocksdict import Rdict, RdictIter, ReadOptions, WriteBatch

from processors.exactly_once.entry_order import Derived, EntryOrder
from sharing.errors import InfrastructureError

ELEMENT_PREFIX: Final = b"o"
_ELEMENT_END: Final = b"p"
_BUILT_AT_ONCE: Final = 10_000
_NOTHING: Final[Derived] = (None, {})
_LENGTH: Final = ""
"""Name of the number of elements in the totals."""


class RocksOrder:
    """The order of one database.

    Args:
        database: The database.
        order: What is derived.
        totals: The totals as they are.
        fail: Returns what is raised when the database fails.

    Attributes:
        totals: How much the entries count together, by name, and how many elements there are, as the checkpoint has
            them.
    """

    def __init__(
        self,
        database: Rdict,
        order: EntryOrder,
        totals: Mapping[str, int],
        fail: Callable[[Exception], InfrastructureError],
    ) -> None:
        self.totals = Counter(totals)
        self._database = database
        self._order = order
        self._fail = fail

    @property
    def name(self) -> str:
        """What names it."""
        return self._order.name

    @property
    def length(self) -> int:
        """How many elements there are."""
        return self.totals[_LENGTH]

    @property
    def counts(self) -> Counter[str]:
        """How much the entries count together, by name."""
        return Counter({name: count for name, count in self.totals.items() if name != _LENGTH})

    def list_after(self, element: bytes, limit: int) -> list[bytes]:
        """Return the first elements that come after one, in order."""
        try:
            keys = read_keys(self._database.iter(ReadOptions()), ELEMENT_PREFIX + element, ELEMENT_PREFIX)
            return list(islice((key[1:] for key in keys if key[1:] != element), limit))
        except Exception as error:  # noqa: BLE001 rocksdict has no exception class of its own
            raise self._fail(error) from None

    def stage_changes(
        self, batch: WriteBatch, changes: Mapping[bytes, bytes | None], entry_prefix: bytes
    ) -> Counter[str]:  # fmt: skip
        """Add to a write batch what changes of the order, and return the totals after it.

        Args:
            batch: The batch that changes the entries.
            changes: The new values by key; None deletes the key.
            entry_prefix: Prefix of the keys of entries in the database.

        Raises:
            DecodeError: An entry is malformed.
        """
        concerned = [key for key in changes if self._order.concerns(key)]
        totals = Counter(self.totals)
        if not concerned:
            return totals
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
                totals[_LENGTH] += (becomes is not None) - (was is not None)
            if counted != counting:
                totals.subtract(counted)
                totals.update(counting)
        return totals

    def build(self, entries: Iterator[tuple[bytes, bytes]]) -> None:
        """Derive everything from the entries of the database.

        Raises:
            DecodeError: An entry is malformed.
        """
        self._database.delete_range(ELEMENT_PREFIX, _ELEMENT_END)
        totals: Counter[str] = Counter()
        while part := list(islice(entries, _BUILT_AT_ONCE)):
            batch: Any = WriteBatch(raw_mode=True)
            elements = self._order.derive_all(part, totals)
            for element in elements:
                batch.put(ELEMENT_PREFIX + element, b"")
            totals[_LENGTH] += len(elements)
            self._database.write(batch)
        self.totals = totals


def read_keys(cursor: RdictIter, start: bytes, prefix: bytes) -> Iterator[bytes]:
    """Yield the keys that begin with a prefix, from one on, in order; the cursor is at the entry of each."""
    cursor.seek(start)
    while cursor.valid() and (key := cast("bytes", cursor.key())).startswith(prefix):
        yield key
        cursor.next()
    cursor.status()  # raises at a damaged block, where the cursor, like `Rdict.items`, just ends
