"""The facts of every recipient State on every day, with days and States merged if they make no difference.

Treaties, memberships and assessments depend on the State and the day. They are therefore not free facts: the search
runs over real States on real days. The time line is cut wherever something changes, and one day represents each
interval.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product

from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS
from sharing.law.lint.item_dimensions import iter_subsets
from sharing.law.lint.possible_coverages import PossibleCoverages
from sharing.law.pack import Pack
from sharing.law.recipients import OffenceAnswers, RecipientFactSource, combine_offences
from sharing.law.treaties import Coverage, Period, TreatyTable
from sharing.model.vocabulary import OffenceCode

_FAR_FUTURE = dt.date.max

OFFENCES = tuple(map(str, OffenceCode))


@dataclass(frozen=True, slots=True)
class RecipientSnapshot:
    """The facts of one State that stay the same throughout an interval of days.

    Attributes:
        state: The recipient.
        day: A day of the interval.
        rule_interval: Index of the interval between two changes of the set of rules in force.
        facts: Facts of the recipient and the decision that follow from the State and the day.
        coverage: For each instrument that matters in the facts, whether it covers the item; None for undecided.
        offences: Offence code to its dual criminality and whether it is a capital offence there; None for unknown.
    """

    state: str
    day: dt.date
    rule_interval: int
    facts: Mapping[str, FactValue]
    coverage: Mapping[str, bool | None]
    offences: Mapping[str, OffenceAnswers]


@dataclass(slots=True)
class RecipientTimeline:
    """The days on which the law or a recipient changes, and the facts of each State between these days.

    Attributes:
        rule_intervals: First day of each interval with the same rules in force; the last interval is open-ended.
    """

    pack: Pack
    treaties: TreatyTable
    rule_intervals: tuple[dt.date, ...] = field(init=False)
    _recipients_by_day: dict[dt.date, RecipientFactSource] = field(init=False, default_factory=dict)
    _coverages: PossibleCoverages | None = field(init=False, default=None)
    _changes_for_every_state: frozenset[dt.date] = field(init=False)

    def __post_init__(self) -> None:
        self.rule_intervals = tuple(sorted({day for rule in self.pack.rules for day in rule.valid.iter_change_days()}))
        instruments = self.treaties.instruments.values()
        own_periods = [treaty.parties[self.pack.state] for treaty in instruments if self.pack.state in treaty.parties]
        entries_into_force = {treaty.in_force for treaty in instruments if treaty.in_force is not None}
        own_changes = {day for period in own_periods for day in period.iter_change_days()}
        self._changes_for_every_state = frozenset(entries_into_force | own_changes)

    def find_rule_intervals(self, valid: Period) -> frozenset[int]:
        """Return the intervals in which a rule with this validity is in force."""
        return frozenset(index for index, day in enumerate(self.rule_intervals) if valid.contains(day))

    def iter_snapshots(self, *, with_offences: bool) -> Iterator[RecipientSnapshot]:
        """Yield the facts of every State in every interval.

        Args:
            with_offences: Whether a rule tests what follows from the offence codes, so that it must be looked up.
        """
        list_coverages = self.possible_coverages.list_coverages
        for state in self._list_recipients():
            for first, end in self._find_intervals(state):
                recipients = self._list_recipients_on(first)
                offences = recipients.assess_offences(state, OFFENCES) if with_offences else {}
                overlaps = list(self._find_overlaps(first, end))
                for facts, coverage in recipients.iter_facts_by_coverage(state, list_coverages):
                    for rule_interval, day in overlaps:
                        yield RecipientSnapshot(state, day, rule_interval, facts, coverage, offences)

    def iter_offence_answers(self) -> Iterator[Mapping[str, OffenceAnswers]]:
        """Yield, for every State in every interval, what is known about each offence code there."""
        for state in self._list_recipients():
            for first, _ in self._find_intervals(state):
                yield self._list_recipients_on(first).assess_offences(state, OFFENCES)

    def list_relevant_instruments(self) -> dict[str, Coverage]:
        """Return what the instruments cover that may matter on some day, by name."""
        days = (day for day in self._list_change_days() if day >= self.rule_intervals[0])
        return {
            name: instrument.coverage
            for day in (self.rule_intervals[0], *days)
            for name, instrument in self._list_recipients_on(day).list_relevant_instruments().items()
        }

    @property
    def possible_coverages(self) -> PossibleCoverages:
        """Which instruments can cover an item at the same time."""
        if self._coverages is None:
            self._coverages = PossibleCoverages(self.pack, self.list_relevant_instruments())
        return self._coverages

    def _list_recipients(self) -> list[str]:
        return sorted(FACTS["recipient.state"].values - {self.pack.state})

    def _list_change_days(self) -> list[dt.date]:
        """Return the days on which an instrument begins or ceases to bind the providing State."""
        agreements = (day for agreement in self.pack.bilateral.values() for day in agreement.valid.iter_change_days())
        return sorted({*self._changes_for_every_state, *agreements})

    def _list_recipients_on(self, day: dt.date) -> RecipientFactSource:
        if day not in self._recipients_by_day:
            self._recipients_by_day[day] = RecipientFactSource(self.pack, self.treaties, day, {})
        return self._recipients_by_day[day]

    def _find_intervals(self, state: str) -> list[tuple[dt.date, dt.date]]:
        """Return the half-open intervals in which nothing about a State changes, the latest first."""
        periods = [treaty.parties[state] for treaty in self.treaties.instruments.values() if state in treaty.parties]
        periods += [members[state] for members in self.treaties.memberships.values() if state in members]
        periods += [agreement.valid for agreement in self.pack.bilateral.values() if agreement.state == state]
        changes = {*self._changes_for_every_state, *(day for period in periods for day in period.iter_change_days())}
        changes |= {assessment.date for assessment in self.pack.assessments if state in assessment.states}
        first = self.rule_intervals[0]
        return list(reversed(list(pairwise([first, *sorted(day for day in changes if day > first), _FAR_FUTURE]))))

    def _find_overlaps(self, first: dt.date, end: dt.date) -> Iterator[tuple[int, dt.date]]:
        """Yield the rule intervals that share days with an interval, each with one shared day."""
        for index, begin in enumerate(self.rule_intervals):
            is_last = index + 1 == len(self.rule_intervals)
            low = max(first, begin)
            high = min(end, _FAR_FUTURE if is_last else self.rule_intervals[index + 1])
            if low < high:
                preferred = self.pack.consolidated_at
                yield index, preferred if low <= preferred < high else low


def iter_offence_points(
    classes: Sequence[Sequence[str]], offences: Mapping[str, OffenceAnswers]
) -> Iterator[tuple[frozenset[str], OffenceAnswers]]:
    """Yield sets of offence codes with what follows from them, one set for each distinguishable combination.

    Args:
        classes: Offence codes in classes that the rules cannot tell apart.
        offences: Offence code to the answers for one State; codes without known answers may be left out.
    """
    unknown = OffenceAnswers(None, None)
    groups = [list({offences.get(code, unknown): code for code in reversed(members)}.values()) for members in classes]
    # For a choice of classes, and for each of them at most as many codes as there are answers to combine.
    seen: set[tuple[tuple[int, ...], OffenceAnswers]] = set()
    for size in range(1, len(groups) + 1):
        for chosen in combinations(range(len(groups)), size):
            pending = [frozenset[str]()]
            for index in chosen:
                subsets = [frozenset(codes) for codes in iter_subsets(groups[index]) if codes]
                distinct: dict[OffenceAnswers, frozenset[str]] = {}
                for codes, more in product(pending, subsets):
                    both = codes | more
                    distinct.setdefault(combine_offences(offences.get(code, unknown) for code in both), both)
                pending = list(distinct.values())
            for codes in pending:
                answers = combine_offences(offences.get(code, unknown) for code in codes)
                if (chosen, answers) not in seen:
                    seen.add((chosen, answers))
                    yield codes, answers
