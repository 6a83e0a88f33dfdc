"""The search for differences between two laws: one search for each kind, each for the smallest item."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from sharing.law.combination import OPENED_BY_EXCULPATION
from sharing.law.comparison.decision_changes import (
    OPENNESS,
    changes_approver,
    gains_duty,
    loses_condition,
    loses_redaction,
    needs_fewer_approvals,
    opens_condition,
    opens_outcome,
)
from sharing.law.comparison.difference_builder import DifferenceBuilder
from sharing.law.comparison.differences import Difference, DifferenceKind, LawVersion
from sharing.law.facts import FACTS
from sharing.law.search.cheapest_search import CheapestSearch, SearchLimitError
from sharing.law.search.cubes import Cover, Cube, intersect_covers
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.law_covers import LawCovers, list_space_tests
from sharing.law.search.recipients import list_days, list_recipient_points
from sharing.law.search.regions import LawRegions, RuleRegion, compute_regions, list_covers
from sharing.law.search.ternary import simplify
from sharing.model.decision import RecipientDecision


class Comparer:
    """Searches for the differences between two laws, over one space of items and recipients.

    Args:
        laws: The two laws, of one State.
        first_day: The first day that counts, in UTC.
        steps_max: The search is cut short after this many steps.

    Attributes:
        is_complete: Whether the search was not cut short, so that there is nothing else.
    """

    def __init__(self, laws: tuple[LawVersion, LawVersion], first_day: dt.date, steps_max: int) -> None:
        self._laws = laws
        states = FACTS["recipient.state"].values - {laws[0].pack.state}
        self._points = list_recipient_points(laws, states, list_days(laws, first_day))
        tests = [test for law in laws for test in list_space_tests(*law)]
        self._space = ItemSpace(tests, laws[0].pack.state, len(self._points))
        self._regions = [self._compute_regions(number) for number in range(len(laws))]
        costs = [dimension.costs for dimension in self._space.dimensions]
        self._search = CheapestSearch(self._space.all_points, costs, steps_max)
        self._builder = DifferenceBuilder(laws, self._space, self._points)
        self.is_complete = True
        self._permitted_by_both = simplify(intersect_covers(*(regions.permitted for regions in self._regions)))

    def _compute_regions(self, number: int) -> LawRegions:
        pack, treaties = self._laws[number]
        views = [point.views[number] for point in self._points]
        return compute_regions(LawCovers(pack, treaties, self._space, views), self._space)

    def find_openings(self, old: int, new: int) -> list[Difference]:
        """Return how one law, by its number, opens what is closed under the other."""
        found = [
            *self._find_outcomes(old, new),
            *self._find_lost_conditions(old, new),
            *self._find_lost_redactions(old, new),
            *self._find_other_approvers(old, new),
            *self._find_fewer_approvals(old, new),
            *self._find_duties(old, new),
        ]
        return list({(one.kind, one.detail, repr(one.item), one.to): one for one in found}.values())

    # --- The searches ---

    def _find(self, starts: Cover, covering: Cover) -> Cube | None:
        """Return the part of some cubes, outside of others, that has the smallest item; also None if cut short."""
        try:
            return self._search.find(starts, covering)
        except SearchLimitError:
            self.is_complete = False
            return None

    def _find_outcomes(self, old: int, new: int) -> Iterator[Difference]:
        """Yield the smallest item that reaches each outcome, or a more open one, only under the new law."""
        shown, shown_size = 0, 0
        for outcome in OPENNESS[1:]:
            blocking, was_blocking = (self._regions[law].find_blocking(outcome) for law in (new, old))
            permitted, was_permitted = self._regions[new].permitted, self._regions[old].permitted
            closed = intersect_covers(_drop_cubes(was_blocking, blocking), permitted)
            unpermitted = _drop_cubes(permitted, was_permitted)
            cubes = [
                cube
                for cube in (self._find(closed, blocking), self._find(unpermitted, [*blocking, *was_permitted]))
                if cube is not None
            ]
            if not cubes:
                continue
            cube = min(cubes, key=self._search.bound.find_least_cost)
            size = self._search.bound.find_least_cost(cube)
            if OPENNESS.index(outcome) <= shown and size >= shown_size:
                continue  # an item that is no larger also demonstrates this
            found = self._builder.build(DifferenceKind.OUTCOME, "", cube, (old, new), opens_outcome)
            shown, shown_size = OPENNESS.index((found.was, found.is_)[new]), size
            yield found

    def _find_lost(
        self, kind: DifferenceKind, detail: str, lost: Cover, kept: Cover, laws: tuple[int, int],
        confirm: Callable[[RecipientDecision, RecipientDecision], bool],
    ) -> Iterator[Difference]:  # fmt: skip
        """Yield the smallest item that is sent under both laws, with a restriction that only the old one imposes."""
        both = self._permitted_by_both
        withheld = [cube for regions in self._regions for cube in regions.withheld]
        cube = self._find(intersect_covers(_drop_cubes(lost, kept), both), [*kept, *withheld])
        if cube is not None:
            yield self._builder.build(kind, detail, cube, laws, confirm)

    def _find_lost_conditions(self, old: int, new: int) -> Iterator[Difference]:
        imposed, imposes = (_group(self._regions[law].conditions, _get_condition) for law in (old, new))
        for condition, cover in imposed.items():
            kind, text = condition

            yield from self._find_lost(
                DifferenceKind.CONDITION, f"({kind}) {text}", cover, imposes.get(condition, []), (old, new),
                partial(loses_condition, condition),
            )  # fmt: skip
            if kind in OPENED_BY_EXCULPATION and condition in imposes:
                yield from self._find_opened_condition(condition, (old, new), cover, imposes[condition])

    def _find_opened_condition(
        self, condition: tuple[str, str], laws: tuple[int, int], imposed: Cover, imposes: Cover
    ) -> Iterator[Difference]:
        """Yield the smallest item for which only the new law's basis opens a condition to what clears an accused."""
        old, new = laws
        opened = _drop_cubes(self._regions[new].exculpatory, self._regions[old].exculpatory)
        yield from self._find_lost(
            DifferenceKind.EXCULPATORY, f"({condition[0]}) {condition[1]}",
            intersect_covers(intersect_covers(imposed, imposes), opened), self._regions[old].exculpatory, laws,
            partial(opens_condition, condition),
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
                partial(loses_redaction, name),
            )  # fmt: skip

    def _find_other_approvers(self, old: int, new: int) -> Iterator[Difference]:
        """Yield, for each pair of roles, the smallest item that the laws hold for the first and the second."""
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
                        partial(changes_approver, (was_role, is_role)),
                    ), None,
                )  # fmt: skip
                if found is not None:
                    yield found
                    break

    def _find_fewer_approvals(self, old: int, new: int) -> Iterator[Difference]:
        """Yield the smallest item that is held under both laws, and that two officers approve only under the old one.

        Two must approve if any rule that asks requires two, no matter which role the decision names.
        """
        both, several = (
            [region for region in self._regions[law].approvals if region.approvals > 1] for law in (old, new)
        )
        asked = intersect_covers(list_covers(both), list_covers(self._regions[new].approvals))
        yield from self._find_lost(
            DifferenceKind.APPROVALS, "", asked, list_covers(several), (old, new), needs_fewer_approvals
        )

    def _find_duties(self, old: int, new: int) -> Iterator[Difference]:
        """Yield the smallest item that is sent, and that only the new law obliges the State to send."""
        regions = self._regions[new]
        duty, was_duty = list_covers(regions.obligations), list_covers(self._regions[old].obligations)
        cube = self._find(
            intersect_covers(_drop_cubes(duty, was_duty), regions.permitted), [*regions.withheld, *was_duty]
        )
        if cube is not None:
            yield self._builder.build(
                DifferenceKind.OBLIGATION, "", cube, (old, new),
                gains_duty,
            )  # fmt: skip


def _get_condition(region: RuleRegion) -> tuple[str, str]:
    condition = region.rule.condition
    return (str(condition.kind), condition.text) if condition is not None else ("", "")


def _group(regions: list[RuleRegion], get_key: Callable[[RuleRegion], tuple[str, str]]) -> dict[tuple[str, str], Cover]:
    groups: dict[tuple[str, str], Cover] = {}
    for region in regions:
        groups.setdefault(get_key(region), []).extend(region.cover)
    return groups


def _drop_cubes(cover: Cover, removed: Cover) -> Cover:
    """Return the cubes of a cover that do not occur unchanged among other cubes."""
    known = {frozenset(cube.items()) for cube in removed}
    return [cube for cube in cover if frozenset(cube.items()) not in known]
