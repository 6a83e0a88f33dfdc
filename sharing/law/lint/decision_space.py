"""The decision space of a pack: every combination of facts that can occur and that its rules can tell apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sharing.law.constraints import FactTest, Operator
from sharing.law.fact_values import FactValue, PartialValue
from sharing.law.facts import FACTS, FactScope
from sharing.law.lint.item_dimensions import (
    CAPITAL_OFFENCE,
    DUAL_CRIMINALITY,
    INDEPENDENT_OF_STATE,
    OFFENCE_CODES,
    OFFENCE_FACTS,
    FactTestResults,
    Point,
    cover_of_instrument,
    group_equivalent_values,
    list_item_dimensions,
    make_masks,
    to_mask,
)
from sharing.law.lint.recipient_timeline import OFFENCES, RecipientSnapshot, RecipientTimeline, iter_offence_points
from sharing.law.pack import Pack
from sharing.law.recipients import OffenceAnswers
from sharing.law.search.cubes import (
    Cover,
    Cube,
    FactTestMasks,
    cover_where_possible,
    cover_where_true,
    find_uncovered,
    intersect_covers,
    intersect_cubes,
    subtract_cubes,
)
from sharing.law.treaties import Coverage, TreatyTable

RECIPIENT_DIMENSION = 0
"""The dimension of the recipient and the day, and of the offences when a rule tests dual criminality."""

EVIDENCE_TEST = FactTest("form", Operator.ANY_OF, frozenset({"EVIDENCE"}))
"""Part of every decision space, because conditions that forbid the use as evidence are checked against it."""


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
            item although its scope or its authorities exclude that, or vice versa.
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

    def select_points(self, rule_intervals: Iterable[int]) -> int:
        """Return the points of the recipient dimension in some rule intervals, as a bit mask."""
        wanted = frozenset(rule_intervals)
        return to_mask(snapshot.rule_interval in wanted for snapshot in self.snapshots)

    def build_counterexample(self, cube: Cube, relevant: Iterable[str]) -> Counterexample:
        """Return one combination of a cube. It takes the first point of each dimension: known and current if possible.

        Args:
            cube: The combinations to choose from.
            relevant: Names of the facts that matter to the finding.
        """
        consolidated_at = self.timeline.pack.consolidated_at
        current = {RECIPIENT_DIMENSION: to_mask(snapshot.day == consolidated_at for snapshot in self.snapshots)}
        for candidate in (intersect_cubes(cube, current), cube):
            possible = None
            if candidate is not None:
                possible = find_uncovered([candidate], self.impossible, self.all_points)
            if possible is not None:
                cube = possible
                break
        facts: dict[str, FactValue] = {}
        for dimension, points in enumerate(self.dimensions):
            facts |= points[_find_first_point(cube.get(dimension, self.all_points[dimension]))]
        recipient_points = cube.get(RECIPIENT_DIMENSION, self.all_points[RECIPIENT_DIMENSION])
        snapshot = self.snapshots[_find_first_point(recipient_points)]
        return Counterexample(snapshot.state, snapshot.day, facts, tuple(sorted(set(relevant))))


def build_decision_space(pack: Pack, treaties: TreatyTable) -> DecisionSpace:
    """Return every combination of facts under a pack."""
    tests = list(dict.fromkeys([EVIDENCE_TEST, *(test for rule in pack.rules for test in rule.iter_tests())]))
    timeline = RecipientTimeline(pack, treaties)
    instruments = timeline.list_relevant_instruments()
    tests = list(
        dict.fromkeys(
            [*tests, *(test for part in instruments.values() for test in cover_of_instrument(part).iter_tests())]
        )
    )
    tested_facts = {test.fact for test in tests}
    recipients = _RecipientDimension(timeline, tests)
    dimensions, results, tests_by_dimension = [recipients.points], [recipients.results], [recipients.tests]
    for dimension in list_item_dimensions(tested_facts, tests, pack):
        dimensions.append(dimension.points)
        results.append(dimension.results)
        tests_by_dimension.append(dimension.tests)
    masks = make_masks(results, tests_by_dimension)
    all_points = tuple((1 << len(points)) - 1 for points in dimensions)
    return DecisionSpace(
        dimensions=tuple(map(tuple, dimensions)),
        all_points=all_points,
        masks=masks,
        snapshots=tuple(recipients.snapshots),
        without_treaty_basis=to_mask(point["condition_model"] is None for point in recipients.points),
        impossible=_find_impossible(instruments, recipients.snapshots, masks, all_points),
        timeline=timeline,
        occurring_values={key: frozenset(values) for key, values in recipients.occurring_values.items()},
    )


def _find_impossible(
    instruments: Mapping[str, Coverage],
    snapshots: Sequence[RecipientSnapshot],
    masks: FactTestMasks,
    all_points: Sequence[int],
) -> Cover:
    """Return the combinations where a snapshot and the other facts disagree on what an instrument covers."""
    impossible: Cover = []
    for name, coverage in instruments.items():
        covered = cover_where_true(cover_of_instrument(coverage), masks)
        possibly_covered = cover_where_possible(cover_of_instrument(coverage), masks)
        for answer in (True, False, None):
            points = to_mask(name in snapshot.coverage and snapshot.coverage[name] is answer for snapshot in snapshots)
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
        self._offence_points: dict[tuple[OffenceAnswers | None, ...], list[Point]] = {}
        self._coverages = timeline.possible_coverages
        for state_results, snapshot in self._select_snapshots(timeline, dependent_facts):
            self._add_points(snapshot, state_results)

    def _select_snapshots(
        self, timeline: RecipientTimeline, dependent_facts: set[str]
    ) -> Iterator[tuple[FactTestResults, RecipientSnapshot]]:
        """Yield the snapshots that the tests can tell apart, with the results of the tests.

        Of snapshots with equal results, one is left out if its instruments leave no more open than those of another:
        every item that is possible with it is possible with the other.
        """
        # Snapshots of the consolidation day come first, so that counterexamples show the law that readers know.
        snapshots = sorted(
            timeline.iter_snapshots(with_offences=self._tests_offences),
            key=lambda snapshot: snapshot.day != timeline.pack.consolidated_at,
        )
        results_by_facts: dict[int, FactTestResults] = {}
        groups: dict[Hashable, dict[frozenset[tuple[str, bool | None]], RecipientSnapshot]] = {}
        for snapshot in snapshots:
            key = id(snapshot.facts)
            if key not in results_by_facts:
                results_by_facts[key] = tuple(test.evaluate(snapshot.facts) for test in self._state_tests)
            self._record_values(snapshot, dependent_facts)
            has_no_treaty_basis = snapshot.facts["condition_model"] is None
            answers = tuple(
                frozenset(snapshot.offences.get(code) for code in members) for members in self._offence_classes
            )
            group = groups.setdefault((results_by_facts[key], snapshot.rule_interval, has_no_treaty_basis, answers), {})
            group.setdefault(frozenset(snapshot.coverage.items()), snapshot)
        for group in groups.values():
            for coverage, snapshot in group.items():
                if not any(other < coverage for other in group):
                    yield results_by_facts[id(snapshot.facts)], snapshot

    def _record_values(self, snapshot: RecipientSnapshot, names: set[str]) -> None:
        for name in names:
            value = snapshot.facts[name]
            if isinstance(value, PartialValue):
                continue  # each of its possible values occurs in another snapshot
            values = value if isinstance(value, frozenset) else (value,)
            self.occurring_values.setdefault((name, snapshot.rule_interval), set()).update(values)

    def _add_points(self, snapshot: RecipientSnapshot, state_results: FactTestResults) -> None:
        has_no_treaty_basis = snapshot.facts["condition_model"] is None
        state_key = (snapshot.rule_interval, has_no_treaty_basis, frozenset(snapshot.coverage.items()))
        for offences in self._iter_offences(snapshot):
            point = {**snapshot.facts, **offences}
            results = (*state_results, *(test.evaluate(point) for test in self._offence_tests))
            key = (results, *state_key)
            if key not in self._seen:
                self._seen.add(key)
                self.points.append({name: value for name, value in point.items() if name not in INDEPENDENT_OF_STATE})
                self.snapshots.append(snapshot)
                self.results.append(results)

    def _iter_offences(self, snapshot: RecipientSnapshot) -> Iterator[Point]:
        """Yield the offences of the items that the instruments cover as they do in a snapshot."""
        if not self._tests_offences:
            yield {}
            return
        key = tuple(snapshot.offences.get(code) for code in OFFENCES)
        if key not in self._offence_points:
            self._offence_points[key] = [
                {OFFENCE_CODES: codes, DUAL_CRIMINALITY: dual_criminality, CAPITAL_OFFENCE: capital_offence}
                for codes, (dual_criminality, capital_offence) in iter_offence_points(
                    self._offence_classes, snapshot.offences
                )
            ]
            self._offence_points[key].append(dict.fromkeys((OFFENCE_CODES, DUAL_CRIMINALITY, CAPITAL_OFFENCE)))
        for point in self._offence_points[key]:
            if self._coverages.allow_offences(snapshot.coverage, point[OFFENCE_CODES]):
                yield point


def _find_first_point(points: int) -> int:
    return (points & -points).bit_length() - 1
