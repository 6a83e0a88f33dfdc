"""The decision space of a pack: every combination of facts that can occur and that its rules can tell apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.facts import FACTS, NONE, Fact, FactKind, FactScope, FactValue, PartialValue
from sharing.law.lint.recipient_timeline import (
    CAPITAL_OFFENCE,
    DUAL_CRIMINALITY,
    OFFENCE_CODES,
    OFFENCE_FACTS,
    OFFENCES,
    RecipientSnapshot,
    RecipientTimeline,
    group_equivalent_values,
    iter_offence_points,
    iter_subsets,
)
from sharing.law.pack import Pack
from sharing.law.search.cubes import (
    Cover,
    Cube,
    FactTestMask,
    FactTestMasks,
    cover_where_possible,
    cover_where_true,
    find_uncovered,
    intersect_covers,
    intersect_cubes,
    subtract_cubes,
)
from sharing.law.treaties import Coverage, TreatyTable
from sharing.model.vocabulary import UNKNOWN

Point = Mapping[str, FactValue]
FactTestResults = tuple[object, ...]

RECIPIENT_DIMENSION = 0
"""The dimension of the recipient and the day, and of the offences when a rule tests dual criminality."""

EVIDENCE_TEST = FactTest("form", Operator.ANY_OF, frozenset({"EVIDENCE"}))
"""Part of every decision space, because conditions that forbid the use as evidence are checked against it."""

INDEPENDENT_OF_STATE = frozenset({"recipient.named", "recipient.authority"})
"""Recipient facts that come from the agency or the directory, not from the State and the day."""

NEVER_UNKNOWN = frozenset(
    {"action", "type", "handling", "tlp", "pap", "retention_expired", "recipient.named", "recipient.state",
     "recipient.eu", "recipient.schengen"}
)  # fmt: skip
"""Facts that are always known, from the record or from the list of States."""

_ORIGIN = ("collection", "origin.state", "origin.foreign")
_GRADING = ("grading.source", "grading.information")
_PENALTY_MAX = 100.0


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A combination of facts that demonstrates a finding. It can occur.

    Attributes:
        state: The recipient.
        day: The day of the decision.
        facts: Every fact that the pack tests.
        relevant: Names of the facts that the rules in question test.
    """

    state: str
    day: dt.date
    facts: Mapping[str, FactValue]
    relevant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecisionSpace:
    """All combinations of facts under a pack.

    Attributes:
        dimensions: The points of each dimension.
        all_points: All points of each dimension, as a bit mask.
        masks: Where each test is true, and where it is undecided.
        snapshots: State, day and rule interval of each point of the recipient dimension.
        without_treaty_basis: Points of the recipient dimension without a known treaty basis: nothing can be shared.
        impossible: Combinations that cannot occur: at their points of the recipient dimension an instrument covers the
            item although its scope or its authorities exclude that, or the other way round.
        timeline: The recipients of the pack over time.
        occurring_values: Fact and rule interval to the values that some State has in it. Only for facts that follow
            from the State and the day.
    """

    dimensions: tuple[tuple[Point, ...], ...]
    all_points: tuple[int, ...]
    masks: FactTestMasks
    snapshots: tuple[RecipientSnapshot, ...]
    without_treaty_basis: int
    impossible: Cover
    timeline: RecipientTimeline
    occurring_values: Mapping[tuple[str, int], frozenset[FactValue]]

    def points_in(self, rule_intervals: Iterable[int]) -> int:
        """Return the points of the recipient dimension in some rule intervals, as a bit mask."""
        wanted = frozenset(rule_intervals)
        return _to_mask(snapshot.rule_interval in wanted for snapshot in self.snapshots)

    def build_counterexample(self, cube: Cube, relevant: Iterable[str]) -> Counterexample:
        """Return one combination of a cube. It takes the first point of each dimension: known and current if possible.

        Args:
            cube: The combinations to choose from.
            relevant: Names of the facts that matter to the finding.
        """
        consolidated_at = self.timeline.pack.consolidated_at
        current = {RECIPIENT_DIMENSION: _to_mask(snapshot.day == consolidated_at for snapshot in self.snapshots)}
        for candidate in (intersect_cubes(cube, current), cube):
            possible = None
            if candidate is not None:
                possible = find_uncovered([candidate], self.impossible, self.all_points)
            if possible is not None:
                cube = possible
                break
        facts: dict[str, FactValue] = {}
        for dimension, points in enumerate(self.dimensions):
            facts |= points[_first_point(cube.get(dimension, self.all_points[dimension]))]
        recipient_points = cube.get(RECIPIENT_DIMENSION, self.all_points[RECIPIENT_DIMENSION])
        snapshot = self.snapshots[_first_point(recipient_points)]
        return Counterexample(snapshot.state, snapshot.day, facts, tuple(sorted(set(relevant))))


def build_decision_space(pack: Pack, treaties: TreatyTable) -> DecisionSpace:
    """Return every combination of facts under a pack."""
    tests = list(dict.fromkeys([EVIDENCE_TEST, *(test for rule in pack.rules for test in rule.iter_tests())]))
    timeline = RecipientTimeline(pack, treaties)
    instruments = timeline.list_relevant_instruments()
    tests = list(
        dict.fromkeys([*tests, *(test for part in instruments.values() for test in _cover(part).iter_tests())])
    )
    tested_facts = {test.fact for test in tests}
    recipients = _RecipientDimension(timeline, tests)
    dimensions, results, tests_by_dimension = [recipients.points], [recipients.results], [recipients.tests]
    for names, points in _iter_indicator_dimensions(tested_facts, tests, pack):
        own_tests = [test for test in tests if test.fact in names]
        distinct = {tuple(test.evaluate(point) for test in own_tests): point for point in reversed(list(points))}
        dimensions.append(list(reversed(distinct.values())))
        results.append(list(reversed(distinct)))
        tests_by_dimension.append(own_tests)
    masks: dict[FactTest, FactTestMask] = {}
    for dimension, (point_results, own_tests) in enumerate(zip(results, tests_by_dimension, strict=True)):
        for column, test in enumerate(own_tests):
            masks[test] = FactTestMask(
                dimension,
                true=_to_mask(row[column] is True for row in point_results),
                unknown=_to_mask(row[column] is None for row in point_results),
            )
    all_points = tuple((1 << len(points)) - 1 for points in dimensions)
    return DecisionSpace(
        dimensions=tuple(map(tuple, dimensions)),
        all_points=all_points,
        masks=masks,
        snapshots=tuple(recipients.snapshots),
        without_treaty_basis=_to_mask(point["condition_model"] is None for point in recipients.points),
        impossible=_find_impossible(instruments, recipients.snapshots, masks, all_points),
        timeline=timeline,
        occurring_values={key: frozenset(values) for key, values in recipients.occurring_values.items()},
    )


def _cover(coverage: Coverage) -> Conjunction:
    """Return when an instrument covers an item between two authorities."""
    senders = FactTest("source.authority", Operator.ANY_OF, coverage.senders)
    receivers = FactTest("recipient.authority", Operator.ANY_OF, coverage.receivers)
    return Conjunction((*coverage.scope.parts, senders, receivers))


def _find_impossible(
    instruments: Mapping[str, Coverage],
    snapshots: Sequence[RecipientSnapshot],
    masks: FactTestMasks,
    all_points: Sequence[int],
) -> Cover:
    """Return the combinations at which a snapshot and the other facts disagree on what an instrument covers."""
    impossible: Cover = []
    for name, coverage in instruments.items():
        covered = cover_where_true(_cover(coverage), masks)
        possibly_covered = cover_where_possible(_cover(coverage), masks)
        for answer in (True, False, None):
            points = _to_mask(name in snapshot.coverage and snapshot.coverage[name] is answer for snapshot in snapshots)
            if not points:
                continue
            here: Cover = [{RECIPIENT_DIMENSION: points}]
            if answer is True:
                impossible += subtract_cubes(here, covered, all_points)
            elif answer is False:
                impossible += intersect_covers(here, possibly_covered)
            else:
                impossible += intersect_covers(here, covered)
                impossible += subtract_cubes(here, possibly_covered, all_points)
    return impossible


class _RecipientDimension:
    """The dimension of the recipient and the day, built from the snapshots of a time line."""

    def __init__(self, timeline: RecipientTimeline, tests: Sequence[FactTest]) -> None:
        tested_facts = {test.fact for test in tests}
        self._tests_offences = bool(tested_facts & OFFENCE_FACTS)
        dependent_facts = {name for name in tested_facts if FACTS[name].scope is not FactScope.INDICATOR}
        dependent_facts -= INDEPENDENT_OF_STATE | OFFENCE_FACTS
        self._state_tests = [test for test in tests if test.fact in dependent_facts]
        self._offence_tests = (
            [test for test in tests if test.fact in {OFFENCE_CODES, *OFFENCE_FACTS}] if self._tests_offences else []
        )
        self._offence_classes = group_equivalent_values(
            OFFENCES, [test for test in tests if test.fact == OFFENCE_CODES]
        )
        self.tests = [*self._state_tests, *self._offence_tests]
        self.points: list[Point] = []
        self.snapshots: list[RecipientSnapshot] = []
        self.results: list[FactTestResults] = []
        self.occurring_values: dict[tuple[str, int], set[FactValue]] = {}
        self._seen: set[Hashable] = set()
        # Snapshots of the consolidation day come first, so that counterexamples show the law that readers know.
        snapshots = sorted(
            timeline.iter_snapshots(with_offences=self._tests_offences),
            key=lambda snapshot: snapshot.day != timeline.pack.consolidated_at,
        )
        results_by_facts: dict[int, FactTestResults] = {}
        for snapshot in snapshots:
            key = id(snapshot.facts)
            if key not in results_by_facts:
                results_by_facts[key] = tuple(test.evaluate(snapshot.facts) for test in self._state_tests)
            self._record_values(snapshot, dependent_facts)
            self._add_points(snapshot, results_by_facts[key])

    def _record_values(self, snapshot: RecipientSnapshot, names: set[str]) -> None:
        for name in names:
            value = snapshot.facts[name]
            if isinstance(value, PartialValue):
                continue  # each of its possible values occurs in another snapshot
            values = value if isinstance(value, frozenset) else (value,)
            self.occurring_values.setdefault((name, snapshot.rule_interval), set()).update(values)

    def _add_points(self, snapshot: RecipientSnapshot, state_results: FactTestResults) -> None:
        has_no_treaty_basis = snapshot.facts["condition_model"] is None
        state_key = (state_results, snapshot.rule_interval, has_no_treaty_basis, frozenset(snapshot.coverage.items()))
        answers = tuple(frozenset(snapshot.offences.get(code) for code in members) for members in self._offence_classes)
        if (state_key, answers) in self._seen:
            return
        self._seen.add((state_key, answers))
        for offences in self._iter_offences(snapshot):
            point = {**snapshot.facts, **offences}
            results = (*state_results, *(test.evaluate(point) for test in self._offence_tests))
            key = (results, *state_key[1:])
            if key not in self._seen:
                self._seen.add(key)
                self.points.append({name: value for name, value in point.items() if name not in INDEPENDENT_OF_STATE})
                self.snapshots.append(snapshot)
                self.results.append(results)

    def _iter_offences(self, snapshot: RecipientSnapshot) -> Iterator[Point]:
        if not self._tests_offences:
            yield {}
            return
        for codes, (dual_criminality, capital_offence) in iter_offence_points(self._offence_classes, snapshot.offences):
            yield {OFFENCE_CODES: codes, DUAL_CRIMINALITY: dual_criminality, CAPITAL_OFFENCE: capital_offence}
        yield {OFFENCE_CODES: None, DUAL_CRIMINALITY: None, CAPITAL_OFFENCE: None}


def _iter_indicator_dimensions(
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


def _to_mask(flags: Iterable[bool]) -> int:
    return sum(1 << index for index, flag in enumerate(flags) if flag)


def _first_point(points: int) -> int:
    return (points & -points).bit_length() - 1
