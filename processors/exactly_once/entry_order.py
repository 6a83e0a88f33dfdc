"""An order of the entries of a state store by something in them, such as when something is due.

It is kept with a copy that outlives the process, so that what comes first is found without reading all entries. It is
derived from the entries alone, and is not part of the changelog topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

Derived = tuple[bytes | None, Mapping[str, int]]
"""What is derived from one entry: the element under which it is found, if it is, and how much it counts, by name.

Elements are in the order of their bytes.
"""


class EntryOrder(Protocol):
    """Derives the elements of an order, and counts.

    Attributes:
        name: Names what is derived. What was derived under another name is derived again.
    """

    name: str

    def concerns(self, key: bytes) -> bool:
        """Return whether anything is derived from the entry of a key."""

    def derive(self, key: bytes, value: bytes) -> Derived:
        """Return what is derived from one entry.

        Raises:
            DecodeError: It is malformed.
        """

    def derive_all(self, entries: Iterable[tuple[bytes, bytes]], counts: Counter[str]) -> list[bytes]:
        """Return the elements of many entries, and add what they count.

        Raises:
            DecodeError: One of them is malformed.
        """


class StoredOrder(Protocol):
    """The order that is kept with a copy."""

    @property
    def length(self) -> int:
        """How many elements there are."""

    @property
    def counts(self) -> Counter[str]:
        """How much the entries count together, by name."""

    def list_after(self, element: bytes, limit: int) -> list[bytes]:
        """Return the first elements that come after one, in order.

        Raises:
            InfrastructureError: The copy cannot be read.
        """
