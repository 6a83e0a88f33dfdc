"""One law over all items and recipients: where each outcome, condition, redaction and approver is reached.

The regions follow `sharing.law.combination`: what withholds, what permits, what makes an item wait for a person, and
what makes it wait for the acceptance of conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from sharing.law.pack import Rule
from sharing.law.search.cubes import Cover, intersect_covers
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.law_covers import LawCovers
from sharing.law.search.ternary import Ternary, simplify, subtract
from sharing.model.vocabulary import Effect, Outcome


@dataclass(frozen=True, slots=True)
class RuleRegion:
    """Where a rule has an effect.

    Attributes:
        approver: The role that it asks, for an approval.
        approvals: How many officers with that role it asks.
    """

    rule: Rule
    cover: Cover
    approver: str = ""
    approvals: int = 1


@dataclass(slots=True)
class LawRegions:
    """Where one law withholds, permits, holds, binds by conditions and redacts.

    Attributes:
        permitted: Where a rule permits.
        withheld: Where a rule, or treaties that were not looked up, withhold, no matter what is permitted.
        unsent: Where a rule withholds or asks a person, no matter what is permitted: in fewer cubes than both
            separately.
        offered: Where conditions must be accepted first, if nothing withholds and nobody must approve.
        exculpatory: Where the treaty basis opens some conditions for what clears an accused.
        approvals: The rules that ask a person, and where, those that a decision would name first at the start.
        conditions: The rules that impose a condition, and where.
        redactions: The rules that redact, and where.
        obligations: The rules that oblige the State to send, and where.
    """

    permitted: Cover = field(default_factory=list)
    withheld: Cover = field(default_factory=list)
    unsent: Cover = field(default_factory=list)
    offered: Cover = field(default_factory=list)
    exculpatory: Cover = field(default_factory=list)
    approvals: list[RuleRegion] = field(default_factory=list)
    conditions: list[RuleRegion] = field(default_factory=list)
    redactions: list[RuleRegion] = field(default_factory=list)
    obligations: list[RuleRegion] = field(default_factory=list)

    def find_blocking(self, outcome: Outcome) -> Cover:
        """Return where, although a rule permits, the outcome is less open than this one."""
        match outcome:
            case Outcome.WITHHOLD:
                return []
            case Outcome.HOLD:
                return self.withheld
            case Outcome.OFFER:
                return self.unsent
            case Outcome.DISCLOSE:
                return [*self.unsent, *self.offered]
            case _:
                assert_never(outcome)


def compute_regions(covers: LawCovers, space: ItemSpace) -> LawRegions:
    """Return the regions of a law.

    Args:
        covers: Where the rules of the law hold.
        space: All items.
    """
    regions = LawRegions(
        withheld=list(covers.without_basis), unsent=list(covers.without_basis), exculpatory=covers.exculpatory
    )
    for number, rule in enumerate(covers.pack.rules):
        _add_rule(regions, rule, covers, covers.cover_rule(number), space)
    regions.approvals.sort(key=lambda region: region.rule.approval_rank)
    bound = simplify(list_covers(regions.conditions))
    regions.offered = simplify(intersect_covers(bound, covers.pre_accept))
    return regions


def _add_rule(regions: LawRegions, rule: Rule, covers: LawCovers, where: Ternary, space: ItemSpace) -> None:
    match rule.effect:
        case Effect.DENY:
            _add_deny(regions, rule, covers, where)
            return
        case Effect.PERMIT:
            regions.permitted += where.true
            return
        case Effect.OBLIGE:
            regions.obligations.append(RuleRegion(rule, where.true))
            return
        case Effect.RECORD:
            return
        case Effect.APPROVAL:
            _add_approval(regions, rule, covers, where, space)
            return
        case Effect.REDACT:
            regions.redactions.append(RuleRegion(rule, where.true))
        case Effect.CONDITION:
            regions.conditions.append(RuleRegion(rule, where.true))
        case _:
            assert_never(rule.effect)
    # A restriction that is undecided withholds.
    undecided = simplify(subtract(where.possible, where.true, space.all_points))
    regions.withheld += undecided
    regions.unsent += undecided


def _add_approval(regions: LawRegions, rule: Rule, covers: LawCovers, where: Ternary, space: ItemSpace) -> None:
    """Add an approval: where it is undecided it withholds, or asks its role if the item is an emergency."""
    asked, undecided = where.true, simplify(subtract(where.possible, where.true, space.all_points))
    if rule.asks_undecided:
        emergency = covers.cover_emergency()
        asked = [*asked, *intersect_covers(where.possible, emergency)]
        undecided = subtract(undecided, emergency, space.all_points)
    regions.approvals.append(RuleRegion(rule, asked, rule.approver or "", rule.approvals))
    regions.withheld += simplify(undecided)
    regions.unsent += where.possible


def _add_deny(regions: LawRegions, rule: Rule, covers: LawCovers, where: Ternary) -> None:
    """Add a prohibition: it withholds unless its exception lifts it, and asks a person where that is unknown."""
    exception = covers.cover_exception(rule)
    if exception is None:
        regions.withheld += where.possible
        regions.unsent += where.possible
        return
    denied = intersect_covers(where.possible, exception.false)
    regions.withheld += denied
    regions.unsent += denied
    asked = intersect_covers(where.possible, exception.undecided)
    regions.unsent += asked
    if asked:
        regions.approvals.append(RuleRegion(rule, asked, rule.asked_role or "", rule.asked_approvals))


def list_covers(regions: Sequence[RuleRegion]) -> Cover:
    """Return where at least one of some rules has its effect."""
    return [cube for region in regions for cube in region.cover]
