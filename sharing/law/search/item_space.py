"""The space of all items: where a test holds, where facts have given values, and which item a place represents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from sharing.law.constraints import FactTest, Operator
from sharing.law.fact_values import FactValue
from sharing.law.search.cubes import Cover, Cube
from sharing.law.search.dimensions import ABSENT, CODES, PRESENT, UNKNOWN_IF_EMPTY, ItemDimensions, Point, list_operands
from sharing.law.search.ternary import Ternary, negate


class ItemSpace:
    """All items that tests can tell apart, regardless of the recipient.

    Args:
        tests: The tests on facts of the item, on `recipient.named` and on `recipient.authority`.
        own_state: The providing State.
        recipient_count: Number of points of the recipient dimension.
        known: Facts of an item, whose values the dimensions must have.

    Attributes:
        dimensions: The dimensions; that of the recipient has no facts and costs nothing.
        all_points: All points of each dimension, as bit masks.
    """

    def __init__(
        self,
        tests: Iterable[FactTest],
        own_state: str,
        recipient_count: int,
        known: Mapping[str, FactValue] = MappingProxyType({}),
    ) -> None:
        built = ItemDimensions(tests, own_state, recipient_count, known)
        self.dimensions = built.dimensions
        self._dimension_of = built.dimension_of
        self._elements = built.elements
        self._combinations = built.combinations
        self.all_points = tuple(dimension.mask for dimension in self.dimensions)
        self._covers: dict[FactTest, Ternary] = {}

    # --- Tests ---

    def cover_test(self, test: FactTest) -> Ternary:
        """Return where a test on a fact of these dimensions is true, and where it is true or undecided."""
        cover = self._covers.get(test)
        if cover is None:
            cover = self._covers[test] = self._compute_cover(test)
        return cover

    def _compute_cover(self, test: FactTest) -> Ternary:
        if test.fact in self._elements:
            return self._cover_set_test(test)
        number = self._dimension_of[test.fact]
        dimension = self.dimensions[number]
        answers = [test.evaluate(point) for point in dimension.points]
        true = dimension.select(answer is True for answer in answers)
        possible = dimension.select(answer is not False for answer in answers)
        return Ternary([{number: true}] if true else [], [{number: possible}] if possible else [])

    def _cover_set_test(self, test: FactTest) -> Ternary:
        elements = self._elements[test.fact]
        known = {self._dimension_of[test.fact]: PRESENT} if test.fact in self._dimension_of else {}
        members = sorted(list_operands(test))
        present: Cover
        if test.operator is Operator.INCLUDES:
            present = [{**known, **{elements[member]: PRESENT for member in members}}]
        else:
            present = [{**known, elements[member]: PRESENT} for member in members]
        plain = Ternary(present, [*present, *self.cover_unknown_set(test.fact)])
        return negate(plain, self.all_points) if test.negated else plain

    def cover_unknown_set(self, name: str) -> Cover:
        """Return where a set is unknown: nothing is stated."""
        if name in self._dimension_of:
            return [{self._dimension_of[name]: ABSENT}]
        if name in UNKNOWN_IF_EMPTY:
            return [dict.fromkeys(self._elements[name].values(), ABSENT)]
        return []

    def cover_answers_by_code(self, answers: Mapping[str, str], decisive: str) -> tuple[Cover, Cover, Cover]:
        """Return where a fact that is assessed for each offence code is decisive, the opposite, and unknown.

        Args:
            answers: Offence code to YES or NO; unassessed codes are left out.
            decisive: The answer for which one stated offence is enough. The opposite needs all of them.
        """
        elements = self._elements[CODES]
        deciding = [number for code, number in elements.items() if answers.get(code) == decisive]
        opposite = [number for code, number in elements.items() if code in answers and number not in deciding]
        unknown = [number for code, number in elements.items() if code not in answers]
        none_decides = dict.fromkeys(deciding, ABSENT)
        only_opposite = {**none_decides, **dict.fromkeys(unknown, ABSENT)}
        return (
            [{number: PRESENT} for number in deciding],
            [{**only_opposite, number: PRESENT} for number in opposite],
            [*({**none_decides, number: PRESENT} for number in unknown), dict.fromkeys(elements.values(), ABSENT)],
        )

    # --- Facts ---

    @property
    def fact_names(self) -> frozenset[str]:
        """Names of the facts that have a dimension."""
        return frozenset({*self._dimension_of, *self._elements})

    def list_dimensions(self, name: str) -> frozenset[int]:
        """Return the dimensions of a fact."""
        own = {self._dimension_of[name]} if name in self._dimension_of else set()
        return frozenset({*own, *self._elements.get(name, {}).values()})

    def list_elements(self, name: str) -> Mapping[str, int]:
        """Return the elements of a set, each with its dimension; nothing for other facts."""
        return self._elements.get(name, {})

    def list_combinations(self, name: str) -> Sequence[Point]:
        """Return every combination of a fact with those that depend on it."""
        return [point for point, _ in self._combinations[self._dimension_of[name]]]

    def select_combinations(self, name: str, predicate: Callable[[Point], bool]) -> Cube:
        """Return where a fact and those that depend on it have some of their combinations."""
        number = self._dimension_of[name]
        chosen = {index for point, index in self._combinations[number] if predicate(point)}
        return {number: sum(1 << index for index in chosen)}

    def locate_set(self, name: str, members: frozenset[str] | None) -> Cube:
        """Return where a set has exactly these members; None: where it is unknown."""
        elements = self._elements[name]
        if members is None:
            return dict(self.cover_unknown_set(name)[0])
        known = {self._dimension_of[name]: PRESENT} if name in self._dimension_of else {}
        return known | {number: PRESENT if value in members else ABSENT for value, number in elements.items()}

    def locate(self, facts: Mapping[str, FactValue]) -> Cube:
        """Return where these facts have their values."""
        cube: dict[int, int] = {}
        for name, value in facts.items():
            found: Cube = {}
            if name in self._elements:
                if value is None or isinstance(value, frozenset):
                    found = self.locate_set(name, value)
            elif name in self._dimension_of:
                found = self.select_combinations(
                    name,
                    lambda point, name=name, value=value: point[name] == value,  # type: ignore[misc]
                )
            for number, points in found.items():
                cube[number] = cube.get(number, points) & points
        return cube

    def find_cheapest_point(self, number: int, points: int) -> Point:
        """Return the point of a dimension that states least, of some points."""
        dimension = self.dimensions[number]
        chosen = min(_iter_bits(points), key=lambda index: (dimension.costs[index], index))
        return dimension.points[chosen]

    def build_facts(self, cube: Mapping[int, int]) -> dict[str, FactValue]:
        """Return the facts of the combination in a cube that states least."""
        facts: dict[str, FactValue] = {name: frozenset() for name in self._elements}
        unknown = set()
        for number in range(1, len(self.dimensions)):
            point = self.find_cheapest_point(number, cube.get(number, self.all_points[number]))
            for name, value in point.items():
                if name not in self._elements:
                    facts[name] = value
                elif value is None:
                    unknown.add(name)
                elif isinstance(value, frozenset):
                    facts[name] = (facts[name] or frozenset()) | value  # type: ignore[operator]  # sets only
        for name in self._elements:
            if name in unknown or (name in UNKNOWN_IF_EMPTY and not facts[name]):
                facts[name] = None
        return facts


def _iter_bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit.bit_length() - 1
        mask ^= bit
