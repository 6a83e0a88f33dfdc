"""The dimensions of all items: every combination of facts that a record can state and that tests can tell apart.

Facts that depend on each other share a dimension: the origin with the way of collection, the two parts of a grading.
Each element of a set is a dimension of its own, so that a set needs no list of its subsets. The first point of a
dimension is what a bare item has: an item that states only the required fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

from sharing.law.constraints import FactTest, Operator
from sharing.law.facts import FACTS, NONE, Fact, FactKind, FactScope, FactValue
from sharing.law.search.cubes import Cover, Cube
from sharing.law.search.ternary import Ternary, negate
from sharing.model.vocabulary import UNKNOWN

RECIPIENT_DIMENSION = 0
"""The dimension of the recipient State and the day; the caller makes its points."""

CODES = "offence.codes"
NAMED, AUTHORITY = "recipient.named", "recipient.authority"

FREE_RECIPIENT_FACTS = frozenset({NAMED, AUTHORITY})
"""Recipient facts that follow from the item and the directory, not from the State and the day."""

_ORIGIN = ("collection", "origin.state", "origin.foreign")
_GRADING = ("grading.source", "grading.information")
_DEPENDENT = frozenset({*_ORIGIN, *_GRADING})
_PENALTY_MAX = 100.0

_BARE: Mapping[str, FactValue] = {
    "action": "PUBLISH",
    "handling": frozenset(),
    "tlp": NONE,
    "pap": NONE,
    "retention_expired": "NO",
    NAMED: "NO",
}
"""What an item without any optional field has; every other fact of it is unknown."""

_NEVER_UNKNOWN = frozenset({"action", "type", "handling", "tlp", "pap", "retention_expired", NAMED})

_FREE_OF_COST = frozenset({"type", "origin.foreign", AUTHORITY})
"""Every item states its type; the others follow from other facts, or from the directory."""

_PREFERRED: Mapping[str, str] = {
    "type": "domain-name",
    "source.authority": "POLICE",
    AUTHORITY: "POLICE",
    "form": "INFORMATION",
    "purpose": "INVESTIGATION",
}
"""Of values that make no difference, these are shown: they read well in an example."""

_UNKNOWN_IF_EMPTY = frozenset({CODES})

_ABSENT, _PRESENT = 0b01, 0b10
"""The points of an element of a set: outside or inside. Of a set that can be unknown: unknown or known."""

Point = Mapping[str, FactValue]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One choice that is independent of all others.

    Attributes:
        points: What can be chosen: the values of the facts of this dimension. An element of a set is a set of one.
        costs: For each point, how many facts it states beyond those of a bare item.
    """

    points: tuple[Point, ...]
    costs: tuple[int, ...]

    @property
    def mask(self) -> int:
        """All points, as a bit mask."""
        return (1 << len(self.points)) - 1

    def select(self, points: Iterable[bool]) -> int:
        """Return the bit mask of the points for which a flag is set, in their order."""
        return sum(1 << index for index, flag in enumerate(points) if flag)


class ItemSpace:
    """All items that tests can tell apart, whatever the recipient.

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
        self._tests: dict[str, list[FactTest]] = {}
        for test in dict.fromkeys(tests):
            self._tests.setdefault(test.fact, []).append(test)
        self._own_state = own_state
        self._known = known
        recipients = Dimension(({},) * recipient_count, (0,) * recipient_count)
        self.dimensions = [recipients]
        self._dimension_of: dict[str, int] = {}
        self._elements: dict[str, dict[str, int]] = {}
        self._combinations: dict[int, list[tuple[Point, int]]] = {}
        self._build_dimensions()
        self.all_points = tuple(dimension.mask for dimension in self.dimensions)
        self._covers: dict[FactTest, Ternary] = {}

    def _build_dimensions(self) -> None:
        tested = self._tests.keys()
        if tested & set(_ORIGIN):
            self._add(_ORIGIN, self._iter_origins())
        if tested & set(_GRADING):
            self._add(_GRADING, _iter_gradings())
        for name in sorted({*tested, CODES} - _DEPENDENT):
            fact = FACTS[name]
            if fact.kind is FactKind.SET:
                self._add_elements(fact)
            else:
                self._add((name,), ({name: value} for value in self._list_values(fact)))

    def _add(self, names: Sequence[str], combinations: Iterable[Point]) -> None:
        """Add a dimension; of combinations that no test tells apart, the one that states least is its point."""
        tests = [test for name in names for test in self._tests.get(name, ())]
        listed = sorted(combinations, key=_count_stated)
        answers = [tuple(test.evaluate(point) for test in tests) for point in listed]
        distinct = list(dict.fromkeys(answers))
        points = [listed[answers.index(answer)] for answer in distinct]
        self.dimensions.append(Dimension(tuple(points), tuple(map(_count_stated, points))))
        number = len(self.dimensions) - 1
        self._dimension_of |= dict.fromkeys(names, number)
        self._combinations[number] = [
            (point, distinct.index(answer)) for point, answer in zip(listed, answers, strict=True)
        ]

    def _add_elements(self, fact: Fact) -> None:
        """Add one dimension for each element that a test names, and one for an element that none names."""
        named = {value for test in self._tests.get(fact.name, ()) for value in _list_operands(test)}
        known = self._known.get(fact.name)
        named |= known if isinstance(known, frozenset) else frozenset()
        codes = fact.values if fact.name == CODES else named
        others = sorted(fact.values - codes)
        if fact.name not in {*_NEVER_UNKNOWN, *_UNKNOWN_IF_EMPTY}:
            points: tuple[Point, ...] = ({fact.name: None}, {})
            self.dimensions.append(Dimension(points, (0, 1)))
            self._dimension_of[fact.name] = len(self.dimensions) - 1
        self._elements[fact.name] = {}
        for value in (*sorted(codes), *others[:1]):
            self.dimensions.append(Dimension(({}, {fact.name: frozenset({value})}), (0, 1)))
            self._elements[fact.name][value] = len(self.dimensions) - 1

    def _list_values(self, fact: Fact) -> Iterator[FactValue]:
        if fact.name not in _NEVER_UNKNOWN:
            yield None
        if fact.name in _BARE:
            yield _BARE[fact.name]
        if fact.kind is FactKind.NUMBER:
            bounds = {test.operand for test in self._tests[fact.name] if isinstance(test.operand, float)}
            known = self._known.get(fact.name)
            stated = {float(known)} if isinstance(known, int | float) else set()
            yield from sorted({0.0, *stated, *(bound for bound in bounds if bound <= _PENALTY_MAX)})
        else:
            yield from sorted(fact.values, key=lambda value: (value != _PREFERRED.get(fact.name), value))

    def _iter_origins(self) -> Iterator[Point]:
        """Yield every origin that a record can state. The facts are read from a record, as the engine reads them."""
        tested = {value for test in self._tests.get("origin.state", ()) for value in _list_operands(test)}
        excluded = {*tested, self._own_state, NONE}
        another = next(state for state in sorted(FACTS["origin.state"].values) if state not in excluded)
        known = self._known.get("origin.state")
        tested |= {known} if isinstance(known, str) else set()
        states = [None, *sorted(tested - {NONE, self._own_state, another}), self._own_state, another]
        for state, collection in product(states, [UNKNOWN, *sorted(FACTS["collection"].values)]):
            record: dict[str, Any] = {
                "origin": {"state": state},
                "source": {"state": self._own_state},
                "collection": collection,
            }
            yield {name: _read_fact(name, record) for name in _ORIGIN}

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
        known = {self._dimension_of[test.fact]: _PRESENT} if test.fact in self._dimension_of else {}
        members = sorted(_list_operands(test))
        present: Cover
        if test.operator is Operator.INCLUDES:
            present = [{**known, **{elements[member]: _PRESENT for member in members}}]
        else:
            present = [{**known, elements[member]: _PRESENT} for member in members]
        plain = Ternary(present, [*present, *self.cover_unknown_set(test.fact)])
        return negate(plain, self.all_points) if test.negated else plain

    def cover_unknown_set(self, name: str) -> Cover:
        """Return where a set is unknown: nothing is stated."""
        if name in self._dimension_of:
            return [{self._dimension_of[name]: _ABSENT}]
        if name in _UNKNOWN_IF_EMPTY:
            return [dict.fromkeys(self._elements[name].values(), _ABSENT)]
        return []

    def cover_answers_by_code(self, answers: Mapping[str, str], decisive: str) -> tuple[Cover, Cover, Cover]:
        """Return where a fact that is assessed for each offence code is decisive, the opposite, and unknown.

        Args:
            answers: Offence code to YES or NO; unassessed codes are left out.
            decisive: The answer that one stated offence is enough for. The opposite needs all of them.
        """
        elements = self._elements[CODES]
        deciding = [number for code, number in elements.items() if answers.get(code) == decisive]
        opposite = [number for code, number in elements.items() if code in answers and number not in deciding]
        unknown = [number for code, number in elements.items() if code not in answers]
        none_decides = dict.fromkeys(deciding, _ABSENT)
        only_opposite = {**none_decides, **dict.fromkeys(unknown, _ABSENT)}
        return (
            [{number: _PRESENT} for number in deciding],
            [{**only_opposite, number: _PRESENT} for number in opposite],
            [*({**none_decides, number: _PRESENT} for number in unknown), dict.fromkeys(elements.values(), _ABSENT)],
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
        known = {self._dimension_of[name]: _PRESENT} if name in self._dimension_of else {}
        return known | {number: _PRESENT if value in members else _ABSENT for value, number in elements.items()}

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

    def cheapest_point(self, number: int, points: int) -> Point:
        """Return the point of a dimension that states least, of some points."""
        dimension = self.dimensions[number]
        chosen = min(_iter_bits(points), key=lambda index: (dimension.costs[index], index))
        return dimension.points[chosen]

    def build_facts(self, cube: Mapping[int, int]) -> dict[str, FactValue]:
        """Return the facts of the combination in a cube that states least."""
        facts: dict[str, FactValue] = {name: frozenset() for name in self._elements}
        unknown = set()
        for number in range(1, len(self.dimensions)):
            point = self.cheapest_point(number, cube.get(number, self.all_points[number]))
            for name, value in point.items():
                if name not in self._elements:
                    facts[name] = value
                elif value is None:
                    unknown.add(name)
                elif isinstance(value, frozenset):
                    facts[name] = (facts[name] or frozenset()) | value  # type: ignore[operator]  # sets only
        for name in self._elements:
            if name in unknown or (name in _UNKNOWN_IF_EMPTY and not facts[name]):
                facts[name] = None
        return facts


def _iter_bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit.bit_length() - 1
        mask ^= bit


def _list_operands(test: FactTest) -> frozenset[str]:
    return test.operand if isinstance(test.operand, frozenset) else frozenset()


def _count_stated(point: Point) -> int:
    return sum(
        name not in _FREE_OF_COST and value != _BARE.get(name) and (name, value) != ("origin.state", NONE)
        for name, value in point.items()
    )


def _read_fact(name: str, record: Mapping[str, Any]) -> FactValue:
    fact = FACTS[name]
    return fact.interpret_raw(fact.read_raw(record, 0)) if fact.read_raw is not None else None


def _iter_gradings() -> Iterator[Point]:
    """Yield the gradings that a record can hold: both parts or neither; the information is graded from 1 to 4."""
    yield dict.fromkeys(_GRADING)
    for source, information in product(sorted(FACTS["grading.source"].values), (1.0, 2.0, 3.0, 4.0)):
        yield {"grading.source": source, "grading.information": information}


def is_item_test(test: FactTest) -> bool:
    """Return whether a test is on these dimensions, and not on the State, the day or the treaty basis."""
    return FACTS[test.fact].scope is FactScope.INDICATOR or test.fact in FREE_RECIPIENT_FACTS
