"""Compares two packs over all facts: what the new one opens that was closed, and what it closes that was open.

The comparison covers every item that a record can state, every recipient, every kind of receiving authority, and every
day from a first one on; rules, exceptions, assessments, agreements, the treaty preference and the treaty table count
alike. For each kind of difference the smallest item is searched, which states the fewest facts, and the engine decides
it under both packs before it is shown. Where nothing is found, there is nothing: the search is exact, unless it was cut
short (`Comparison.complete`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from sharing.errors import InputError
from sharing.law.combine import OPENED_BY_EXCULPATION, RuleResult
from sharing.law.facts import FACTS, FactValue
from sharing.law.pack import Pack
from sharing.law.search.cheapest import CheapestSearch, SearchLimitError
from sharing.law.search.cubes import Cover, Cube, intersect_covers
from sharing.law.search.dimensions import AUTHORITY, NAMED, RECIPIENT_DIMENSION, ItemSpace
from sharing.law.search.engine_decisions import EngineDecisions
from sharing.law.search.example_items import build_example_item
from sharing.law.search.law_covers import LawCovers, list_space_tests
from sharing.law.search.recipients import list_days, list_recipient_points
from sharing.law.search.regions import LawRegions, RuleRegion, compute_regions, list_covers
from sharing.law.search.ternary import simplify
from sharing.law.treaties import TreatyTable
from sharing.model.decision import Condition, RecipientDecision
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Outcome

STEPS_MAX = 300_000
"""The search is cut short after this many steps: a minute or two. The shipped packs need a few thousand."""

_OPENNESS = (Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE)


class LawVersion(NamedTuple):
    """A pack with the treaty table that it uses."""

    pack: Pack
    treaties: TreatyTable


class DifferenceKind(StrEnum):
    """What differs for an item and a recipient."""

    OUTCOME = "outcome"
    CONDITION = "condition"
    EXCULPATORY = "exculpatory exception"
    REDACTION = "redaction"
    APPROVER = "approver"
    OBLIGATION = "duty to send"


@dataclass(frozen=True, slots=True)
class Difference:
    """The smallest item for which two packs differ in one way.

    Attributes:
        detail: The condition, field or roles that differ; empty for an outcome.
        item: The item in JSON form.
        facts: The facts that it states, by name.
        to: The recipient.
        authority: Kind of the receiving authority: NONE if none is competent, None if the State has no entry.
        day: The day of the decision.
        was, is_: The outcomes under the old and the new pack.
        basis_was, basis_is: The treaty bases, or None.
        rules: Ids of the rules that count under only one of the packs, or count differently.
    """

    kind: DifferenceKind
    detail: str
    item: Mapping[str, Any]
    facts: Mapping[str, FactValue]
    to: str
    authority: str | None
    day: dt.date
    was: Outcome
    is_: Outcome
    basis_was: str | None
    basis_is: str | None
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        opens: What the new pack opens: a more open outcome, a condition, redaction or approver that is gone, a duty.
        closes: The same with the packs exchanged; `was` is still the old one's outcome.
        complete: Whether the search was not cut short, so that there is nothing else.
    """

    opens: tuple[Difference, ...]
    closes: tuple[Difference, ...]
    complete: bool


def compare_laws(old: LawVersion, new: LawVersion, first_day: dt.date, steps_max: int = STEPS_MAX) -> Comparison:
    """Compare two packs of one State.

    Args:
        old: The current law.
        new: The amended law.
        first_day: The first day that counts, in UTC.
        steps_max: The search is cut short after this many steps.

    Raises:
        InputError: The packs are the law of two States, or templates that no State has adopted.
        RuntimeError: The search and the engine disagree: a defect of this program.
    """
    if old.pack.state != new.pack.state or old.pack.is_template:
        raise InputError(f"{old.pack.state} and {new.pack.state}: only packs of one State can be compared")
    comparer = _Comparer((old, new), first_day, steps_max)
    opens = comparer.find_openings(0, 1)
    closes = comparer.find_openings(1, 0)
    return Comparison(tuple(opens), tuple(closes), comparer.is_complete)


class _Comparer:
    """Two laws over one space of items and recipients."""

    def __init__(self, laws: tuple[LawVersion, LawVersion], first_day: dt.date, steps_max: int) -> None:
        self._laws = laws
        states = FACTS["recipient.state"].values - {laws[0].pack.state}
        self._points = list_recipient_points(laws, states, list_days(laws, first_day))
        tests = [test for law in laws for test in list_space_tests(*law)]
        self._space = ItemSpace(tests, laws[0].pack.state, len(self._points))
        self._regions = [self._compute_regions(number) for number in range(len(laws))]
        costs = [dimension.costs for dimension in self._space.dimensions]
        self._search = CheapestSearch(self._space.all_points, costs, steps_max)
        self._engines = [EngineDecisions(*law) for law in laws]
        self.is_complete = True
        self._permitted_by_both = simplify(intersect_covers(*(regions.permitted for regions in self._regions)))

    def _compute_regions(self, number: int) -> LawRegions:
        pack, treaties = self._laws[number]
        views = [point.views[number] for point in self._points]
        return compute_regions(LawCovers(pack, treaties, self._space, views), self._space)

    def find_openings(self, old: int, new: int) -> list[Difference]:
        """Return how one law, by its number, opens what is closed under another one."""
        found = [
            *self._find_outcomes(old, new),
            *self._find_lost_conditions(old, new),
            *self._find_lost_redactions(old, new),
            *self._find_other_approvers(old, new),
            *self._find_duties(old, new),
        ]
        return list({(one.kind, one.detail, repr(one.item), one.to): one for one in found}.values())

    # --- The searches ---

    def _find(self, starts: Cover, covering: Cover) -> Cube | None:
        """Return the part of some cubes, outside of others, that has the smallest item; None also if cut short."""
        try:
            return self._search.find(starts, covering)
        except SearchLimitError:
            self.is_complete = False
            return None

    def _find_outcomes(self, old: int, new: int) -> Iterator[Difference]:
        """Yield the smallest item that reaches each outcome, or a more open one, only under the new law."""
        shown, shown_size = 0, 0
        for outcome in _OPENNESS[1:]:
            blocking, was_blocking = (self._regions[law].find_blocking(outcome) for law in (new, old))
            permitted, was_permitted = self._regions[new].permitted, self._regions[old].permitted
            closed = intersect_covers(_without(was_blocking, blocking), permitted)
            unpermitted = _without(permitted, was_permitted)
            cubes = [
                cube
                for cube in (self._find(closed, blocking), self._find(unpermitted, [*blocking, *was_permitted]))
                if cube is not None
            ]
            if not cubes:
                continue
            cube = min(cubes, key=self._search.bound.of_cube)
            size = self._search.bound.of_cube(cube)
            if _OPENNESS.index(outcome) <= shown and size >= shown_size:
                continue  # an item that is no larger demonstrates this, too
            found = self._build(DifferenceKind.OUTCOME, "", cube, (old, new), lambda was, is_: _rank(is_) > _rank(was))
            shown, shown_size = _OPENNESS.index((found.was, found.is_)[new]), size
            yield found

    def _find_lost(
        self, kind: DifferenceKind, detail: str, lost: Cover, kept: Cover, laws: tuple[int, int],
        confirm: Callable[[RecipientDecision, RecipientDecision], bool],
    ) -> Iterator[Difference]:  # fmt: skip
        """Yield the smallest item that leaves under both laws, with a restriction that only the old one imposes."""
        both = self._permitted_by_both
        withheld = [cube for regions in self._regions for cube in regions.withheld]
        cube = self._find(intersect_covers(_without(lost, kept), both), [*kept, *withheld])
        if cube is not None:
            yield self._build(kind, detail, cube, laws, confirm)

    def _find_lost_conditions(self, old: int, new: int) -> Iterator[Difference]:
        imposed, imposes = (_group(self._regions[law].conditions, _get_condition) for law in (old, new))
        for condition, cover in imposed.items():
            kind, text = condition

            yield from self._find_lost(
                DifferenceKind.CONDITION, f"({kind}) {text}", cover, imposes.get(condition, []), (old, new),
                partial(_loses_condition, condition),
            )  # fmt: skip
            if kind in OPENED_BY_EXCULPATION and condition in imposes:
                yield from self._find_opened_condition(condition, (old, new), cover, imposes[condition])

    def _find_opened_condition(
        self, condition: tuple[str, str], laws: tuple[int, int], imposed: Cover, imposes: Cover
    ) -> Iterator[Difference]:
        """Yield the smallest item for which only the new law's basis opens a condition to what clears an accused."""
        old, new = laws
        opened = _without(self._regions[new].exculpatory, self._regions[old].exculpatory)
        yield from self._find_lost(
            DifferenceKind.EXCULPATORY, f"({condition[0]}) {condition[1]}",
            intersect_covers(intersect_covers(imposed, imposes), opened), self._regions[old].exculpatory, laws,
            partial(_opens_condition, condition),
        )  # fmt: skip

    def _find_lost_redactions(self, old: int, new: int) -> Iterator[Difference]:
        redacted, redacts = (self._regions[law].redactions for law in (old, new))
        for name in sorted({name for region in redacted for name in region.rule.redact}):
            lost, kept = (
                list_covers([region for region in regions if name in region.rule.redact])
                for regions in (redacted, redacts)
            )
            yield from self._find_lost(
                DifferenceKind.REDACTION, name, lost, kept, (old, new),
                partial(_loses_redaction, name),
            )  # fmt: skip

    def _find_other_approvers(self, old: int, new: int) -> Iterator[Difference]:
        """Yield, for each pair of roles, the smallest item that one holds for the first and one for the second."""
        asked, asks = (self._regions[law].approvals for law in (old, new))
        roles: dict[tuple[str, str], list[tuple[Cover, Cover]]] = {}
        for (earlier, before), (later, after) in product(enumerate(asked), enumerate(asks)):
            if before.approver != after.approver:
                # The rules that rank higher name the approver instead.
                higher = list_covers([*asked[:earlier], *asks[:later]])
                both = intersect_covers(before.cover, after.cover)
                if both and self._find(both, higher) is not None:
                    roles.setdefault((before.approver, after.approver), []).append((both, higher))
        for (was_role, is_role), searches in roles.items():
            for both, higher in searches:
                found = next(
                    self._find_lost(
                        DifferenceKind.APPROVER, f"{was_role} → {is_role}", both, higher, (old, new),
                        partial(_changes_approver, (was_role, is_role)),
                    ), None,
                )  # fmt: skip
                if found is not None:
                    yield found
                    break

    def _find_duties(self, old: int, new: int) -> Iterator[Difference]:
        """Yield the smallest item that leaves, and that only the new law obliges to send."""
        regions = self._regions[new]
        duty, was_duty = list_covers(regions.obligations), list_covers(self._regions[old].obligations)
        cube = self._find(intersect_covers(_without(duty, was_duty), regions.permitted), [*regions.withheld, *was_duty])
        if cube is not None:
            yield self._build(
                DifferenceKind.OBLIGATION, "", cube, (old, new),
                lambda was, is_: is_.is_obligatory and not was.is_obligatory,
            )  # fmt: skip

    # --- The engine's word ---

    def _build(
        self, kind: DifferenceKind, detail: str, cube: Cube, laws: tuple[int, int],
        confirm: Callable[[RecipientDecision, RecipientDecision], bool],
    ) -> Difference:  # fmt: skip
        """Return the smallest item of a cube, decided by the engine under both laws."""
        facts = self._space.build_facts(cube)
        points = cube.get(RECIPIENT_DIMENSION, self._space.all_points[RECIPIENT_DIMENSION])
        point = self._points[(points & -points).bit_length() - 1]
        named = facts.get(NAMED) == "YES"
        authority = facts.get(AUTHORITY)
        item = build_example_item(facts, self._laws[0].pack.state, point.day, point.state if named else None)
        record = Indicator.parse(item).to_record()
        kind_of_authority = authority if isinstance(authority, str) else None
        decided = [
            engine.decide(record, point.state, point.day, kind_of_authority, named=named) for engine in self._engines
        ]
        decisions = [one.decision for one in decided]
        if not confirm(decisions[laws[0]], decisions[laws[1]]):
            raise RuntimeError(f"the search found a difference ({kind} {detail}) that the engine does not: {item}")
        was, is_ = decisions
        return Difference(
            kind=kind,
            detail=detail,
            item=item,
            facts=_list_stated(facts, self._space),
            to=point.state,
            authority=kind_of_authority,
            day=point.day,
            was=was.outcome,
            is_=is_.outcome,
            basis_was=was.basis,
            basis_is=is_.basis,
            rules=_find_differing_rules(decided[0].results, decided[1].results),
        )


def _loses_condition(condition: tuple[str, str], was: RecipientDecision, is_: RecipientDecision) -> bool:
    return bool(_list_conditions(was, condition)) and not _list_conditions(is_, condition)


def _opens_condition(condition: tuple[str, str], was: RecipientDecision, is_: RecipientDecision) -> bool:
    before, after = _list_conditions(was, condition), _list_conditions(is_, condition)
    return any(one.exculpatory_exception for one in after) and not any(one.exculpatory_exception for one in before)


def _list_conditions(decision: RecipientDecision, condition: tuple[str, str]) -> list[Condition]:
    return [one for one in decision.conditions if (str(one.kind), one.text) == condition]


def _loses_redaction(name: str, was: RecipientDecision, is_: RecipientDecision) -> bool:
    return name in was.redacted and name not in is_.redacted


def _changes_approver(roles: tuple[str, str], was: RecipientDecision, is_: RecipientDecision) -> bool:
    return (was.approver, is_.approver) == roles


def _rank(decision: RecipientDecision) -> int:
    return _OPENNESS.index(decision.outcome)


def _get_condition(region: RuleRegion) -> tuple[str, str]:
    condition = region.rule.condition
    return (str(condition.kind), condition.text) if condition is not None else ("", "")


def _group(regions: list[RuleRegion], get_key: Callable[[RuleRegion], tuple[str, str]]) -> dict[tuple[str, str], Cover]:
    groups: dict[tuple[str, str], Cover] = {}
    for region in regions:
        groups.setdefault(get_key(region), []).extend(region.cover)
    return groups


def _without(cover: Cover, removed: Cover) -> Cover:
    """Return the cubes of a cover that are not among other cubes as they are."""
    known = {frozenset(cube.items()) for cube in removed}
    return [cube for cube in cover if frozenset(cube.items()) not in known]


def _list_stated(facts: Mapping[str, FactValue], space: ItemSpace) -> dict[str, FactValue]:
    bare = space.build_facts({})
    return {name: value for name, value in facts.items() if value != bare.get(name) and name not in {NAMED, AUTHORITY}}


def _find_differing_rules(before: Sequence[RuleResult], after: Sequence[RuleResult]) -> tuple[str, ...]:
    """Return the rules that count under only one law, or count differently, sorted by id."""
    counts, counted = (
        {result.rule.id: (result.effect, result.approver, result.rule.effect, _get_terms(result)) for result in results}
        for results in (after, before)
    )
    return tuple(sorted(name for name in counts.keys() | counted.keys() if counts.get(name) != counted.get(name)))


def _get_terms(result: RuleResult) -> tuple[object, ...]:
    condition = result.rule.condition
    return (None if condition is None else replace(condition, code=""), result.rule.redact)
