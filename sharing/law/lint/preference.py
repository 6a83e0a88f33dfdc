"""Permissions that a preferred instrument makes unreachable for a State, although their own instrument covers the item.

A rule that tests `treaty_basis` holds only while its instrument is the basis. If the pack prefers another instrument
that covers the same items too, the basis is that other one, and the rule can never apply for the State. So a new
agreement with one State, listed first, can stop everything to that State without any rule saying so.

States with the same facts are one point of the decision space, so this check examines each State separately: on one
day, the consolidation date of the pack if the rule is in force on it. What the rule requires of assessments by offence,
of other treaties and of the condition model is left out. So everything that is reported is unreachable, but some
findings that depend on these facts may be missed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sharing.law.constraints import AnyOf, Conjunction, FactTest
from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, FactScope
from sharing.law.lint.analysis import PackAnalysis
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, join_names
from sharing.law.lint.item_dimensions import INDEPENDENT_OF_STATE, OFFENCE_FACTS, cover_of_instrument
from sharing.law.lint_codes import LintCode
from sharing.law.pack import BilateralAgreement, Rule
from sharing.law.recipients import RecipientFactSource
from sharing.law.search.cubes import cover_where_possible, cover_where_true, find_uncovered
from sharing.law.treaties import Instrument
from sharing.model.effects import PERMITTING_EFFECTS

_BASIS = "treaty_basis"
_OPEN = frozenset({_BASIS, "recipient.treaties", "condition_model", *OFFENCE_FACTS})
"""Facts about a State that also depend on the item."""

Tests = tuple[FactTest, ...]


@dataclass(frozen=True, slots=True)
class _StateOnDay:
    """What is known about a State on a day without an item.

    Attributes:
        binding: The instruments that bind both States, in the order of preference.
    """

    facts: Mapping[str, FactValue]
    binding: Mapping[str, Instrument | BilateralAgreement]


@dataclass(frozen=True, slots=True)
class _CutOff:
    """Why a permission can never apply for a State: the instruments that it requires, and those that are preferred."""

    required: frozenset[str]
    preferred: frozenset[str]


def find_permissions_cut_off(analysis: PackAnalysis, locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield the pack's own permissions that a preferred instrument makes unreachable for some States."""
    search = _Search(analysis)
    for number in analysis.list_rules_with_effect(*PERMITTING_EFFECTS):
        rule = analysis.pack.rules[number]
        if number not in analysis.own_rules or not any(test.fact == _BASIS for test in rule.when.iter_tests()):
            continue
        cut_off = search.find_states_cut_off(rule)
        by_cause: dict[_CutOff, list[str]] = {}
        for state, cause in cut_off.items():
            by_cause.setdefault(cause, []).append(state)
        for cause, states in by_cause.items():
            sentence = (
                f"the rule can never apply for {join_names(states)}: {join_names(sorted(cause.required), 'or')} covers "
                f"the item, but the pack prefers {join_names(sorted(cause.preferred))}, which always covers it as well"
            )
            stopped = [state for state in states if not search.is_anything_permitted(state, rule)]
            if stopped:
                sentence += f"; nothing else is permitted to {join_names(stopped)}"
            within = ("when", _BASIS)
            yield locator.make_finding(
                LintSeverity.WARNING, LintCode.PREFERRED_TREATY, (number, rule.id), sentence, within=within
            )


class _Search:
    """The search in one pack."""

    def __init__(self, analysis: PackAnalysis) -> None:
        self._analysis = analysis
        self._sources: dict[dt.date, RecipientFactSource] = {}
        self._states: dict[tuple[dt.date, str], _StateOnDay] = {}

    def find_states_cut_off(self, rule: Rule) -> dict[str, _CutOff]:
        """Return the States for which a permission can never apply, and why."""
        day = self._choose_day(rule)
        alternatives = list(_iter_alternatives(rule.when))
        cut_off: dict[str, _CutOff] = {}
        for state in sorted(FACTS["recipient.state"].values - {self._analysis.pack.state}):
            results = [self._examine(tests, self._look_up(state, day)) for tests in alternatives]
            causes = [result for result in results if isinstance(result, _CutOff)]
            if causes and True not in results:
                required = frozenset().union(*(cause.required for cause in causes))
                cut_off[state] = _CutOff(required, frozenset().union(*(cause.preferred for cause in causes)))
        return cut_off

    def is_anything_permitted(self, state: str, rule: Rule) -> bool:
        """Return whether, on the day of a rule, some permission can apply for a State."""
        day = self._choose_day(rule)
        return any(
            self._examine(tests, self._look_up(state, day)) is True
            for number in self._analysis.list_rules_with_effect(*PERMITTING_EFFECTS)
            if (other := self._analysis.pack.rules[number]).valid.contains(day)
            for tests in _iter_alternatives(other.when)
        )

    def _choose_day(self, rule: Rule) -> dt.date:
        """Return the consolidation date, or the nearest day on which a rule is in force."""
        day = self._analysis.pack.consolidated_at
        return max(rule.valid.start, min(day, rule.valid.end or day))

    def _look_up(self, state: str, day: dt.date) -> _StateOnDay:
        pack, treaties = self._analysis.pack, self._analysis.space.timeline.treaties
        if (day, state) not in self._states:
            source = self._sources.setdefault(day, RecipientFactSource(pack, treaties, day, {}))
            facts, _ = next(source.iter_facts_by_coverage(state, lambda _: [{}]))
            bound = treaties.list_instruments_binding(state, day) or ()
            self._states[day, state] = _StateOnDay(
                facts,
                {
                    name: entry
                    for name, entry in source.list_relevant_instruments().items()
                    if (entry.state == state if isinstance(entry, BilateralAgreement) else name in bound)
                },
            )
        return self._states[day, state]

    def _examine(self, tests: Tests, state: _StateOnDay) -> bool | _CutOff:
        """Return whether tests that must all hold can hold for a State, or a preferred instrument prevents it."""
        if any(_depends_on_state(test) and test.evaluate(state.facts) is not True for test in tests):
            return False
        bases = [test for test in tests if test.fact == _BASIS and isinstance(test.operand, frozenset)]
        if not bases:
            return True
        preference = self._analysis.pack.treaty_preference
        candidates = [name for name in preference if name in state.binding]
        allowed = [name for name in (*candidates, NONE) if all(_accepts(test, name) for test in bases)]
        if NONE in allowed or not allowed:
            return bool(allowed)
        of_item = tuple(test for test in tests if _is_open(test))
        preferred: set[str] = set()
        for name in allowed:
            before = candidates[: candidates.index(name)]
            covering = self._find_covering(of_item, state.binding, name, before)
            if covering is None:
                return True
            preferred.update(covering)
        return _CutOff(frozenset(allowed), frozenset(preferred))

    def _find_covering(
        self, of_item: Tests, binding: Mapping[str, Instrument | BilateralAgreement], name: str, before: Sequence[str]
    ) -> list[str] | None:
        """Return the preferred instruments that cover all that an instrument covers of some items; None if none do."""
        space = self._analysis.space
        own = cover_of_instrument(binding[name].coverage)
        items = cover_where_true(Conjunction((*of_item, *own.parts)), space.masks)
        if not items:
            return None
        covers = {
            other: cover_where_possible(cover_of_instrument(binding[other].coverage), space.masks) for other in before
        }
        for other, cover in covers.items():
            if find_uncovered(items, cover, space.all_points) is None:
                return [other]
        together = [cube for cover in covers.values() for cube in cover]
        return list(before) if before and find_uncovered(items, together, space.all_points) is None else None


def _iter_alternatives(when: Conjunction) -> Iterator[Tests]:
    """Yield the tests of each choice of alternatives; a `when` holds if all tests of one choice do."""
    choices: list[list[Tests]] = [
        [tests for alternative in part.alternatives for tests in _iter_alternatives(alternative)]
        if isinstance(part, AnyOf)
        else [(part,)]
        for part in when.parts
    ]
    for choice in product(*choices):
        yield tuple(test for tests in choice for test in tests)


def _depends_on_state(test: FactTest) -> bool:
    """Return whether a test depends only on the State and the day."""
    return FACTS[test.fact].scope is not FactScope.INDICATOR and test.fact not in _OPEN | INDEPENDENT_OF_STATE


def _is_open(test: FactTest) -> bool:
    """Return whether a test depends on the item, the agency's choice or the directory."""
    return FACTS[test.fact].scope is FactScope.INDICATOR or test.fact in INDEPENDENT_OF_STATE


def _accepts(test: FactTest, name: str) -> bool:
    return isinstance(test.operand, frozenset) and (name in test.operand) is not test.negated
