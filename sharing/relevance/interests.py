"""Indexes declared interests: finding those that match an item costs the same for ten interests and for a million.

An interest is a conjunction of the criteria that it names. Interests that name the same criteria share a table keyed by
their values. An item is looked up once for each combination of criteria in use and of the item's own values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from sharing.model.directory import Interest

CRITERIA = ("offences", "types", "nexus", "modus_operandi", "urgency")


@dataclass(frozen=True, slots=True)
class IndicatorTraits:
    """The properties of an item that interests can name; each is a tuple of distinct values."""

    offences: tuple[str, ...]
    types: tuple[str, ...]
    nexus: tuple[str, ...]
    modus_operandi: tuple[str, ...]
    urgency: tuple[str, ...]


@dataclass(slots=True)
class InterestIndex:
    """Interests by the criteria and the values that they name."""

    _tables: dict[tuple[str, ...], dict[tuple[str, ...], dict[str, str]]] = field(default_factory=dict)

    @classmethod
    def build(cls, interests: Mapping[str, Iterable[Interest]]) -> InterestIndex:
        """Index the interests of each State. An interest without criteria matches nothing."""
        index = cls()
        for state in sorted(interests):
            for interest in interests[state]:
                index._add_interest(state, interest)
        return index

    def _add_interest(self, state: str, interest: Interest) -> None:
        named = tuple(name for name in CRITERIA if getattr(interest, name))
        if not named:
            return
        table = self._tables.setdefault(named, {})
        for values in product(*(getattr(interest, name) for name in named)):
            states = table.setdefault(values, {})
            # One reason for each State is enough; the smallest id makes the choice deterministic.
            states[state] = min(states.get(state, interest.id), interest.id)

    def find_matches(self, traits: IndicatorTraits) -> dict[str, str]:
        """Return each State with a matching interest, with the smallest id of its matching interests."""
        matches: dict[str, str] = {}
        for named, table in self._tables.items():
            for values in product(*(getattr(traits, name) for name in named)):
                for state, interest_id in table.get(values, {}).items():
                    matches[state] = min(matches.get(state, interest_id), interest_id)
        return matches
