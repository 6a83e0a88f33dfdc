"""Builds the differences: makes the smallest item of a region, and has the engine decide it under both laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sharing.law.combination import RuleResult
from sharing.law.comparison.differences import Difference, DifferenceKind, LawVersion
from sharing.law.fact_values import FactValue
from sharing.law.search.cubes import Cube
from sharing.law.search.dimensions import AUTHORITY, NAMED, RECIPIENT_DIMENSION
from sharing.law.search.engine_decisions import EngineDecisions
from sharing.law.search.example_items import build_example_item
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.recipients import RecipientPoint
from sharing.model.decision import RecipientDecision
from sharing.model.indicator import Indicator


class DifferenceBuilder:
    """Builds differences between two laws over one space of items and recipients.

    Args:
        laws: The two laws.
        space: The items.
        points: The recipients on their days.
    """

    def __init__(self, laws: tuple[LawVersion, LawVersion], space: ItemSpace, points: Sequence[RecipientPoint]) -> None:
        self._own_state = laws[0].pack.state
        self._space = space
        self._points = points
        self._engines = [EngineDecisions(*law) for law in laws]

    def build(
        self, kind: DifferenceKind, detail: str, cube: Cube, laws: tuple[int, int],
        confirm: Callable[[RecipientDecision, RecipientDecision], bool],
    ) -> Difference:  # fmt: skip
        """Return the smallest item of a cube, decided by the engine under both laws."""
        facts = self._space.build_facts(cube)
        points = cube.get(RECIPIENT_DIMENSION, self._space.all_points[RECIPIENT_DIMENSION])
        point = self._points[(points & -points).bit_length() - 1]
        named = facts.get(NAMED) == "YES"
        authority = facts.get(AUTHORITY)
        item = build_example_item(facts, self._own_state, point.day, point.state if named else None)
        record = Indicator.parse(item).to_record()
        kind_of_authority = authority if isinstance(authority, str) else None
        decided = [
            engine.decide(record, point.state, point.day, kind_of_authority, named=named) for engine in self._engines
        ]
        decisions = [one.decision for one in decided]
        if not confirm(decisions[laws[0]], decisions[laws[1]]):
            raise RuntimeError(
                f"the search found a difference ({kind} {detail}) that the engine does not confirm: {item}"
            )
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


def _list_stated(facts: Mapping[str, FactValue], space: ItemSpace) -> dict[str, FactValue]:
    bare = space.build_facts({})
    return {name: value for name, value in facts.items() if value != bare.get(name) and name != AUTHORITY}


def _find_differing_rules(before: Sequence[RuleResult], after: Sequence[RuleResult]) -> tuple[str, ...]:
    """Return the rules that count under only one law, or count differently, sorted by id."""
    counts, counted = (
        {result.rule.id: (result.effect, result.rule.effect, _get_terms(result)) for result in results}
        for results in (after, before)
    )
    return tuple(sorted(name for name in counts.keys() | counted.keys() if counts.get(name) != counted.get(name)))


def _get_terms(result: RuleResult) -> tuple[object, ...]:
    condition = result.rule.condition
    unnamed = None if condition is None else replace(condition, code="")
    return (unnamed, result.rule.redact, result.approver, result.approvals)
