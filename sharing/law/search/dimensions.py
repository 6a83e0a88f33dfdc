"""The dimensions of all items: every combination of facts that a record can state and that tests can tell apart.

Facts that depend on each other share a dimension: the origin with the way of collection, the two parts of a grading.
Each element of a set is a separate dimension, so that the subsets of a set need not be listed. The first point of a
dimension is what a bare item has: an item that states only the required fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sharing.law.constraints import FactTest
from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, Fact, FactKind, FactScope
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
"""The facts of an item without any optional field; all its other facts are unknown."""

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
"""Among values that make no difference, these are shown: they read well in an example."""

UNKNOWN_IF_EMPTY = frozenset({CODES})
"""Sets that are unknown when nothing is stated; other sets can be known to be empty."""

ABSENT, PRESENT = 0b01, 0b10
"""The points of an element of a set: outside or inside. For a set that can be unknown: unknown or known."""

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


class ItemDimensions:
    """The dimensions of all items that tests can tell apart, regardless of the recipient.

    Args:
        tests: The tests on facts of the item, on `recipient.named` and on `recipient.authority`.
        own_state: The providing State.
        recipient_count: Number of points of the recipient dimension.
        known: Facts of an item, whose values the dimensions must have.

    Attributes:
        dimensions: The dimensions; that of the recipient has no facts and costs nothing.
        dimension_of: Fact name to its dimension; for a set, the dimension that says whether it is known, if it has one.
        elements: Name of a set to its elements, each with its dimension.
        combinations: For each dimension, except elements of sets: every combination of its facts, with its point.
    """

    def __init__(
        self, tests: Iterable[FactTest], own_state: str, recipient_count: int, known: Mapping[str, FactValue]
    ) -> None:
        self._tests: dict[str, list[FactTest]] = {}
        for test in dict.fromkeys(tests):
            self._tests.setdefault(test.fact, []).append(test)
        self._own_state = own_state
        self._known = known
        self.dimensions = [Dimension(({},) * recipient_count, (0,) * recipient_count)]
        self.dimension_of: dict[str, int] = {}
        self.elements: dict[str, dict[str, int]] = {}
        self.combinations: dict[int, list[tuple[Point, int]]] = {}
        self._build_dimensions()

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
        """Add a dimension; among combinations that no test distinguishes, the one that states least is its point."""
        tests = [test for name in names for test in self._tests.get(name, ())]
        listed = sorted(combinations, key=_count_stated)
        answers = [tuple(test.evaluate(point) for test in tests) for point in listed]
        distinct = list(dict.fromkeys(answers))
        points = [listed[answers.index(answer)] for answer in distinct]
        self.dimensions.append(Dimension(tuple(points), tuple(map(_count_stated, points))))
        number = len(self.dimensions) - 1
        self.dimension_of |= dict.fromkeys(names, number)
        self.combinations[number] = [
            (point, distinct.index(answer)) for point, answer in zip(listed, answers, strict=True)
        ]

    def _add_elements(self, fact: Fact) -> None:
        """Add one dimension for each element that a test names, and one for an element that none names."""
        named = {value for test in self._tests.get(fact.name, ()) for value in list_operands(test)}
        known = self._known.get(fact.name)
        named |= known if isinstance(known, frozenset) else frozenset()
        codes = fact.values if fact.name == CODES else named
        others = sorted(fact.values - codes)
        if fact.name not in {*_NEVER_UNKNOWN, *UNKNOWN_IF_EMPTY}:
            points: tuple[Point, ...] = ({fact.name: None}, {})
            self.dimensions.append(Dimension(points, (0, 1)))
            self.dimension_of[fact.name] = len(self.dimensions) - 1
        self.elements[fact.name] = {}
        for value in (*sorted(codes), *others[:1]):
            self.dimensions.append(Dimension(({}, {fact.name: frozenset({value})}), (0, 1)))
            self.elements[fact.name][value] = len(self.dimensions) - 1

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
        tested = {value for test in self._tests.get("origin.state", ()) for value in list_operands(test)}
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


def list_operands(test: FactTest) -> frozenset[str]:
    """Return the values of a set or a closed list that a test names."""
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
