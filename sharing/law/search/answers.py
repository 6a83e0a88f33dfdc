"""Where, among all items, a fact has each of the possible answers to its question, or none.

Facts that belong together are answered together: naming the State of origin says that the item comes from abroad.
"""

from __future__ import annotations

from typing import Final

from sharing.law.fact_values import NONE, Facts
from sharing.law.facts import FACTS, FactKind
from sharing.law.search.cubes import Cube
from sharing.law.search.dimensions import CODES, Point
from sharing.law.search.item_space import ItemSpace
from sharing.model.vocabulary import Collection as CollectionWay

ORIGIN_STATE: Final = "origin.state"
COLLECTION: Final = "collection"

STATED_BY_OFFICERS: Final = frozenset(FACTS) - {"origin.foreign"}
"""The facts that do not follow from others."""


class AnswerCubes:
    """The answers to questions about one item.

    Args:
        space: All items.
        known: The facts of the item that are known.
    """

    def __init__(self, space: ItemSpace, known: Facts) -> None:
        self._space = space
        self._known = known

    def locate_unanswered(self, name: str) -> Cube | None:
        """Return where a fact is unknown; None if the known facts exclude that."""
        if self._space.list_elements(name):
            return self._space.locate_set(name, None)

        def is_unanswered(point: Point) -> bool:
            if not self._fits_known(point) or point[name] is not None:
                return False
            if name == ORIGIN_STATE:
                return point[COLLECTION] == CollectionWay.FOREIGN_STATE
            return name != COLLECTION or ORIGIN_STATE in self._known or point[ORIGIN_STATE] is None

        cube = self._space.select_combinations(name, is_unanswered)
        return cube if all(cube.values()) else None

    def locate_answers(self, name: str) -> dict[str, Cube]:
        """Return each answer to a question, with where the fact has it."""
        fact = FACTS[name]
        elements = self._space.list_elements(name)
        if elements:
            sets = {value: self._space.locate_set(name, frozenset({value})) for value in elements}
            return sets if name == CODES else {"none": self._space.locate_set(name, frozenset()), **sets}
        combinations = [point for point in self._space.list_combinations(name) if self._is_answer(name, point)]
        values = list(dict.fromkeys(point[name] for point in combinations))
        if fact.kind is FactKind.NUMBER:
            values.sort(key=lambda value: value if isinstance(value, float) else 0.0)
            labels = _label_intervals([value for value in values if isinstance(value, float)])
        else:
            values.sort(key=str)
            labels = [str(value) for value in values]
        return {
            label: self._space.select_combinations(
                name,
                lambda point, value=value: self._is_answer(name, point) and point[name] == value,  # type: ignore[misc]
            )
            for label, value in zip(labels, values, strict=True)
        }

    def _is_answer(self, name: str, point: Point) -> bool:
        if not self._fits_known(point) or point[name] is None:
            return False
        if name == ORIGIN_STATE:
            return point[COLLECTION] == CollectionWay.FOREIGN_STATE
        if name == COLLECTION:
            return ORIGIN_STATE in self._known or point[ORIGIN_STATE] in {None, NONE}
        return True

    def _fits_known(self, point: Point) -> bool:
        return all(self._known.get(name, value) == value for name, value in point.items() if name in STATED_BY_OFFICERS)


def _label_intervals(bounds: list[float]) -> list[str]:
    """Return words for the intervals that begin at some bounds, the first of which is 0."""
    labels = []
    for index, bound in enumerate(bounds):
        below = f"below {bounds[index + 1]:g}" if index + 1 < len(bounds) else ""
        labels.append(" and ".join(part for part in (f"at least {bound:g}" if bound else "", below) if part) or "any")
    return labels
