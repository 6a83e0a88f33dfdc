"""The States that an item may help, each with the reasons: what relevance finds and the law filter decides on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.model.vocabulary import RelevanceKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sharing.model.decision import Reason


class Audience:
    """Considered States in the order of their codes. Empty means nobody.

    A value with its hash kept: it is part of the key of every remembered decision.

    Attributes:
        states: Each State with its reasons.
        named: Those that the agency itself named as concerned.
    """

    __slots__ = ("_hash", "named", "states")

    states: tuple[tuple[str, tuple[Reason, ...]], ...]
    named: frozenset[str]

    def __init__(self, states: Iterable[tuple[str, tuple[Reason, ...]]] = ()) -> None:
        self.states = tuple(sorted(states, key=lambda entry: entry[0]))
        self.named = frozenset(
            state
            for state, reasons in self.states
            if any(reason.kind is RelevanceKind.NEXUS_STATED for reason in reasons)
        )
        self._hash = hash(self.states)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Audience) and self.states == other.states)

    def __repr__(self) -> str:
        return f"Audience({', '.join(state for state, _ in self.states)})"


NOBODY = Audience()
