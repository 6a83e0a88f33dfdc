"""Which States cosign the checkpoints of which other States.

Unless a partners file says otherwise, the next two States in alphabetical order witness a State, wrapping around after
the last one. So each State has as many witnesses as it witnesses itself, and everybody computes the same from the list
of States.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

WITNESSES_DEFAULT: Final = 2


class WitnessPlan(NamedTuple):
    """Who witnesses whom, from the point of view of one State.

    Attributes:
        witnesses: The States that cosign its checkpoints.
        witnessed: The States whose checkpoints it cosigns.
    """

    witnesses: tuple[str, ...] = ()
    witnessed: tuple[str, ...] = ()


def choose_witnesses(states: Iterable[str], state: str, count: int = WITNESSES_DEFAULT) -> tuple[str, ...]:
    """Return the States that witness a State: the next ones in alphabetical order, as many as there are.

    Args:
        states: All States.
        state: The State.
        count: How many.
    """
    ordered = sorted(set(states) | {state})
    place = ordered.index(state)
    others = [*ordered[place + 1 :], *ordered[:place]]
    return tuple(sorted(others[:count]))
