"""The facts of every recipient State on every day, with days and States merged where they make no difference.

Treaties, memberships and assessments depend on the State and the day. They are therefore not free facts: the search
runs over real States on real days. The time line is cut wherever something changes, and one day represents each
interval.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, pairwise

from sharing.law.constraints import FactTest, Operator
from sharing.law.facts import FACTS, FactValue
from sharing.law.pack import Pack
from sharing.law.recipients import RecipientFactSource
from sharing.law.treaties import Period, TreatyTable
from sharing.model.vocabulary import OffenceCode

OFFENCE_CODES = "offence.codes"
DUAL_CRIMINALITY = "recipient.dual_criminality"
_DAY = dt.timedelta(days=1)
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
        dual_criminality: Offence code to YES or NO: whether the offence is criminal there. Unknown ones are left out.
    """

    state: str
    day: dt.date
    rule_interval: int
    facts: Mapping[str, FactValue]
    dual_criminality: Mapping[str, str]


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
    _changes_for_every_state: frozenset[dt.date] = field(init=False)

    def __post_init__(self) -> None:
        self.rule_intervals = tuple(sorted({day for rule in self.pack.rules for day in _change_days(rule.valid)}))
        instruments = self.treaties.instruments.values()
        own_periods = [treaty.parties[self.pack.state] for treaty in instruments if self.pack.state in treaty.parties]
        entries_into_force = {treaty.in_force for treaty in instruments if treaty.in_force is not None}
        own_changes = {day for period in own_periods for day in _change_days(period)}
        self._changes_for_every_state = frozenset(entries_into_force | own_changes)

    def find_rule_intervals(self, valid: Period) -> frozenset[int]:
        """Return the intervals in which a rule with this validity is in force."""
        return frozenset(index for index, day in enumerate(self.rule_intervals) if valid.contains(day))

    def iter_snapshots(self, *, with_dual_criminality: bool) -> Iterator[RecipientSnapshot]:
        """Yield the facts of every State in every interval.

        Args:
            with_dual_criminality: Whether a rule tests dual criminality, so that it must be looked up.
        """
        for state in sorted(FACTS["recipient.state"].values - {self.pack.state}):
            for first, end in self._find_intervals(state):
                recipients = self._recipients_on(first)
                facts, _ = recipients.look_up_facts(state, named=False, codes=None)
                dual_criminality = _find_dual_criminality(recipients, state) if with_dual_criminality else {}
                for rule_interval, day in self._find_overlaps(first, end):
                    yield RecipientSnapshot(state, day, rule_interval, facts, dual_criminality)

    def _recipients_on(self, day: dt.date) -> RecipientFactSource:
        if day not in self._recipients_by_day:
            self._recipients_by_day[day] = RecipientFactSource(self.pack, self.treaties, day, {})
        return self._recipients_by_day[day]

    def _find_intervals(self, state: str) -> list[tuple[dt.date, dt.date]]:
        """Return the half-open intervals in which nothing about a State changes, the latest first."""
        periods = [treaty.parties[state] for treaty in self.treaties.instruments.values() if state in treaty.parties]
        periods += [members[state] for members in self.treaties.memberships.values() if state in members]
        periods += [agreement.valid for agreement in self.pack.bilateral.values() if agreement.state == state]
        changes = {*self._changes_for_every_state, *(day for period in periods for day in _change_days(period))}
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


def _change_days(period: Period) -> Iterator[dt.date]:
    """Yield the first day of a period, and the day after its last."""
    yield period.start
    if period.end is not None:
        yield period.end + _DAY


def _find_dual_criminality(recipients: RecipientFactSource, state: str) -> dict[str, str]:
    answers = {}
    for code in OFFENCES:
        answer = recipients.look_up_facts(state, named=False, codes=frozenset({code}))[0][DUAL_CRIMINALITY]
        if isinstance(answer, str):
            answers[code] = answer
    return answers


def group_equivalent_values(values: Iterable[str], tests: Sequence[FactTest]) -> list[list[str]]:
    """Return the values of a closed list, grouped into classes that the tests cannot tell apart."""
    classes: dict[tuple[object, ...], list[str]] = {}
    for value in sorted(values):
        key = tuple(_distinguish(value, test) for test in tests)
        classes.setdefault(key, []).append(value)
    return list(classes.values())


def _distinguish(value: str, test: FactTest) -> object:
    listed = isinstance(test.operand, frozenset) and value in test.operand
    # `includes` requires every listed element, so each of them is a class of its own.
    return value if listed and test.operator is Operator.INCLUDES else listed


def iter_subsets(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every subset, the smallest first."""
    return chain.from_iterable(combinations(values, size) for size in range(len(values) + 1))


def iter_offence_points(
    classes: Sequence[Sequence[str]], dual_criminality: Mapping[str, str]
) -> Iterator[tuple[frozenset[str], str | None]]:
    """Yield sets of offence codes with the resulting dual criminality, one set for each distinguishable combination.

    The result is NO when one stated offence is not criminal there. Otherwise it is unknown when one of them is unknown,
    and YES only when all are YES.

    Args:
        classes: Offence codes in classes that the rules cannot tell apart.
        dual_criminality: Offence code to YES or NO for one State; unknown ones are left out.
    """
    by_answer = [{dual_criminality.get(code): code for code in reversed(members)} for members in classes]
    for chosen in iter_subsets([str(index) for index in range(len(classes))]):
        groups = [by_answer[int(index)] for index in chosen]
        if not groups:
            continue
        if all("YES" in group for group in groups):
            yield frozenset(group["YES"] for group in groups), "YES"
        for answer in ("NO", None):
            deciding = next((group for group in groups if answer in group), None)
            others = [group for group in groups if group is not deciding]
            if deciding is None or (answer is None and not all({"YES", None} & group.keys() for group in others)):
                continue
            codes = [group.get("YES", group.get(None, group.get("NO"))) for group in others]
            yield frozenset(code for code in (deciding[answer], *codes) if code is not None), answer
