"""A bounded cache: results by key, so that equal questions are answered once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Caches at most `entries_max` results, and is cleared when full.

    A cache must change no result: after a clear, each result is computed again. Clearing everything is cheaper than
    tracking which entries were used last, and the bound is reached only when hardly any two keys are equal.

    Args:
        entries_max: Maximum number of results; one more clears the cache first.
        weight_max: Maximum weight of all results together; more clears the cache first. None for no limit.
        weigh: Returns the weight of a key and its result. A key may hold more memory than its result.

    Attributes:
        get: Returns the result for a key, or None. It is the `get` of the underlying dict, so a lookup costs no
            Python call; therefore None cannot be cached.
    """

    __slots__ = ("_entries", "_entries_max", "_weigh", "_weight", "_weight_max", "get")

    get: Callable[[K], V | None]

    def __init__(
        self, entries_max: int, weight_max: int | None = None, weigh: Callable[[K, V], int] = lambda _key, _value: 0
    ) -> None:
        self._entries_max = entries_max
        self._weight_max = weight_max
        self._weigh = weigh
        self._weight = 0
        self._entries: dict[K, V] = {}
        self.get = self._entries.get

    def put(self, key: K, value: V) -> V:
        """Cache a result that is not None, and return it."""
        entries = self._entries
        if len(entries) >= self._entries_max and key not in entries:
            self.clear()
        if self._weight_max is not None:
            weight = self._weigh(key, value)
            if self._weight + weight > self._weight_max:
                self.clear()
            self._weight += weight
        entries[key] = value
        return value

    def clear(self) -> None:
        """Remove every result."""
        self._entries.clear()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)
