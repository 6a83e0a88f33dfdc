"""Repairs of faults that are planned, and of which some must come earlier."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class PlannedRepair(NamedTuple):
    """The repair of a fault.

    Attributes:
        at_s: When it is due, in seconds of the monotonic clock.
        target: What it repairs.
        repair: Repairs it.
    """

    at_s: float
    target: str
    repair: Callable[[], None]


class Repairs:
    """The repairs that have not been made."""

    def __init__(self) -> None:
        self._planned: list[PlannedRepair] = []

    def add(self, at_s: float, target: str, repair: Callable[[], None]) -> None:
        """Plan a repair."""
        self._planned.append(PlannedRepair(at_s, target, repair))

    def run(self, is_due: Callable[[PlannedRepair], bool]) -> None:
        """Make the repairs that are due, in the order in which they were planned. One may plan further ones."""
        due = [planned for planned in self._planned if is_due(planned)]
        self._planned = [planned for planned in self._planned if planned not in due]
        for planned in due:
            planned.repair()
