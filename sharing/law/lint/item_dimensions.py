"""The facts of an item as dimensions: the combinations of their values that can occur and that tests can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations, product
from typing import Any, NamedTuple

from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.fact_groups import NEVER_UNKNOWN
from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, Fact, FactKind, FactScope
from sharing.law.pack import Pack
from sharing.law.search.cubes import FactTestMask
from sharing.law.treaties import Coverage
from sharing.model.vocabulary import UNKNOWN

Point = Mapping[str, FactValue]
FactTestResults = tuple[object, ...]

OFFENCE_CODES = "offence.codes"
DUAL_CRIMINALITY = "recipient.dual_criminality"
CAPITAL_OFFENCE = "recipient.capital_offence"
OFFENCE_FACTS = frozenset({DUAL_CRIMINALITY, CAPITAL_OFFENCE})
"""Facts about a recipient that follow from the offence codes."""

INDEPENDENT_OF_STATE = frozenset({"recipient.named", "recipient.authority"})
"""Recipient facts that come from the agency or the directory, not from the State and the day."""

_ORIGIN = ("collection", "origin.state", "origin.foreign")
_GRADING = ("grading.source", "grading.information")
_PENALTY_MAX = 100.0


class ItemDimension(NamedTuple):
    """A dimension.

    Attributes:
        points: Its points, known values first.
        results: For each point, the results of the tests.
        tests: The tests of its facts.
    """

    points: list[Point]
    results: list[FactTestResults]
    tests: list[FactTest]


def list_item_dimensions(tested_facts: set[str], tests: Sequence[FactTest], pack: Pack) -> list[ItemDimension]:
    """Return the dimensions of the facts that do not follow from the recipient and the day.

    Offence codes are left out if a test asks what follows from them about the recipient.
    """
    dimensions = []
    for names, points in _iter_dimensions(tested_facts, tests, pack):
        own_tests = [test for test in tests if test.fact in names]
        distinct = {tuple(test.evaluate(point) for test in own_tests): point for point in reversed(list(points))}
        dimensions.append(ItemDimension(list(reversed(distinct.values())), list(reversed(distinct)), own_tests))
    return dimensions


def make_masks(
    results: Sequence[Sequence[FactTestResults]], tests: Sequence[Sequence[FactTest]]
) -> dict[FactTest, FactTestMask]:
    """Return where each test is true and where it is undecided.

    Args:
        results: For each dimension and point, the results of the tests.
        tests: For each dimension its tests.
    """
    return {
        test: FactTestMask(
            dimension,
            true=to_mask(row[column] is True for row in point_results),
            unknown=to_mask(row[column] is None for row in point_results),
        )
        for dimension, (point_results, own_tests) in enumerate(zip(results, tests, strict=True))
        for column, test in enumerate(own_tests)
    }


def cover_of_instrument(coverage: Coverage) -> Conjunction:
    """Return when an instrument covers an item between two authorities."""
    senders = FactTest("source.authority", Operator.ANY_OF, coverage.senders)
    receivers = FactTest("recipient.authority", Operator.ANY_OF, coverage.receivers)
    return Conjunction((*coverage.scope.parts, senders, receivers))


def group_equivalent_values(values: Iterable[str], tests: Sequence[FactTest]) -> list[list[str]]:
    """Return the values of a closed list, grouped into classes that the tests cannot tell apart."""
    classes: dict[tuple[object, ...], list[str]] = {}
    for value in sorted(values):
        key = tuple(_distinguish(value, test) for test in tests)
        classes.setdefault(key, []).append(value)
    return list(classes.values())


def _distinguish(value: str, test: FactTest) -> object:
    listed = isinstance(test.operand, frozenset) and value in test.operand
    # `includes` requires every listed element, so each of them is a separate class.
    return value if listed and test.operator is Operator.INCLUDES else listed


def iter_subsets(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every subset, the smallest first."""
    return chain.from_iterable(combinations(values, size) for size in range(len(values) + 1))


def _iter_dimensions(
    tested_facts: set[str], tests: Sequence[FactTest], pack: Pack
) -> Iterator[tuple[tuple[str, ...], Iterable[Point]]]:
    """Yield the other dimensions: the names of their facts, and their points, known ones first."""
    dependent: list[tuple[tuple[str, ...], Callable[[], Iterable[Point]]]] = [
        (_ORIGIN, lambda: _iter_origins(tests, pack.state)),
        (_GRADING, _iter_gradings),
    ]
    done = {OFFENCE_CODES} if tested_facts & OFFENCE_FACTS else set()
    for names, make_points in dependent:
        if tested_facts & set(names) - {"collection"}:
            yield names, make_points()
            done |= set(names)
    for name in sorted(tested_facts - done):
        fact = FACTS[name]
        if fact.scope is FactScope.INDICATOR or name in INDEPENDENT_OF_STATE:
            own_tests = [test for test in tests if test.fact == name]
            yield (name,), ({name: value} for value in _iter_values(fact, own_tests))


def _iter_values(fact: Fact, tests: Sequence[FactTest]) -> Iterator[FactValue]:
    match fact.kind:
        case FactKind.SET:
            representatives = [members[0] for members in group_equivalent_values(fact.values, tests)]
            sets = [frozenset(chosen) for chosen in iter_subsets(representatives)]
            yield from (value for value in sets if value or fact.name != OFFENCE_CODES)
        case FactKind.NUMBER:
            bounds = {test.operand for test in tests if isinstance(test.operand, float)}
            yield from sorted({0.0, *(bound for bound in bounds if 0 < bound <= _PENALTY_MAX)})
        case _:
            yield from sorted(fact.values)
    if fact.name not in NEVER_UNKNOWN:
        yield None


def _iter_origins(tests: Sequence[FactTest], own_state: str) -> Iterator[Point]:
    """Yield every origin that a record can state. The facts are read from a record, as the engine reads them."""
    tested_states = {
        value
        for test in tests
        if test.fact == "origin.state" and isinstance(test.operand, frozenset)
        for value in test.operand
    }
    excluded = {*tested_states, own_state, NONE}
    another_state = next(state for state in sorted(FACTS["origin.state"].values) if state not in excluded)
    for state, collection in product(
        [None, *sorted(tested_states - {NONE}), own_state, another_state],
        [*sorted(FACTS["collection"].values), UNKNOWN],
    ):
        record: dict[str, Any] = {"origin": {"state": state}, "source": {"state": own_state}, "collection": collection}
        yield {name: _read_fact(name, record) for name in _ORIGIN}


def _read_fact(name: str, record: Mapping[str, Any]) -> FactValue:
    fact = FACTS[name]
    return fact.interpret_raw(fact.read_raw(record, 0)) if fact.read_raw is not None else None


def _iter_gradings() -> Iterator[Point]:
    """Yield the gradings that a record can hold: both parts or neither; the information is graded from 1 to 4."""
    for source, information in product(sorted(FACTS["grading.source"].values), (1.0, 2.0, 3.0, 4.0)):
        yield {"grading.source": source, "grading.information": information}
    yield dict.fromkeys(_GRADING)


def to_mask(flags: Iterable[bool]) -> int:
    """Return flags as a bit mask, the first one as the lowest bit."""
    digits = ["1" if flag else "0" for flag in flags]
    return int("".join(reversed(digits)), 2) if digits else 0
