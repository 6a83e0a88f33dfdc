"""Declared interests, indexed: finding those that an item meets costs the same for ten and for a million.

An interest is a conjunction over the criteria it names. Interests that name the same criteria share a table keyed
by their values, so an item is looked up once for each combination of criteria in use and of its own values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from sharing.model.directory import Interest

CRITERIA = ("offences", "types", "nexus", "modus_operandi", "urgency")


@dataclass(frozen=True, slots=True)
class Traits:
    """What of an item an interest can ask for; each a tuple of distinct values."""

    offences: tuple[str, ...]
    types: tuple[str, ...]
    nexus: tuple[str, ...]
    modus_operandi: tuple[str, ...]
    urgency: tuple[str, ...]


@dataclass(slots=True)
class InterestIndex:
    """Interests by the criteria they name and the values they ask for."""

    _tables: dict[tuple[str, ...], dict[tuple[str, ...], dict[str, str]]] = field(default_factory=dict)

    @classmethod
    def build(cls, interests: Mapping[str, Iterable[Interest]]) -> InterestIndex:
        """Index the interests of each State. One with no criterion meets nothing."""
        index = cls()
        for state in sorted(interests):
            for interest in interests[state]:
                index._add(state, interest)
        return index

    def _add(self, state: str, interest: Interest) -> None:
        named = tuple(name for name in CRITERIA if getattr(interest, name))
        if not named:
            return
        table = self._tables.setdefault(named, {})
        for values in product(*(getattr(interest, name) for name in named)):
            states = table.setdefault(values, {})
            # One reason a State is enough; the first id in order makes it the same every time.
            states[state] = min(states.get(state, interest.id), interest.id)

    def meet(self, traits: Traits) -> dict[str, str]:
        """Return each State that declared an interest which the item meets, with the id of one."""
        found: dict[str, str] = {}
        for named, table in self._tables.items():
            for values in product(*(getattr(traits, name) for name in named)):
                for state, interest_id in table.get(values, {}).items():
                    found[state] = min(found.get(state, interest_id), interest_id)
        return found
