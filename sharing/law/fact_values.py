"""Values of facts during evaluation: a `str`, a `float`, a `frozenset[str]`, a `PartialValue`, or None for unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NONE = "NONE"
"""A known absence, for facts where absence is an answer: no TLP mark, no other State of origin, no common treaty."""


@dataclass(frozen=True, slots=True)
class PartialValue:
    """A value about instruments that is known only in part, because facts of the item are missing.

    Attributes:
        known: What a set certainly has; empty for a single value.
        possible: What a set may have, `known` included, or what a single value may be.
        missing: For each instrument in question, the facts that decide it.
        is_open: Whether it may also be anything else, because the treaties were not looked up.
    """

    known: frozenset[str]
    possible: frozenset[str]
    missing: tuple[tuple[str, tuple[str, ...]], ...]
    is_open: bool = False

    def list_missing_facts(self, names: frozenset[str] | None = None) -> tuple[str, ...]:
        """Return the facts that decide some of the instruments in question, or all of them."""
        found = (fact for name, facts in self.missing if names is None or name in names for fact in facts)
        return tuple(dict.fromkeys(found))


FactValue = str | float | frozenset[str] | PartialValue | None

Facts = Mapping[str, FactValue]
"""Fact values by name; None means unknown."""
