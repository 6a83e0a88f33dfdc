"""Combines the rules that hold, and those that cannot be decided, into one State's outcome.

DENY > APPROVAL > REDACT > CONDITION > PERMIT; OBLIGE and RECORD do not change the outcome. The default is to deny:
without a PERMIT that holds, the item is withheld. A restriction that a missing fact leaves undecided withholds; an
undecided permission does not permit. A rule whose evaluation failed counts as undecided, never as absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sharing.law.pack import Rule
from sharing.law.recipients import TreatyBasis
from sharing.model.decision import Reason, RecipientDecision, RecipientTerms, UndecidedRule
from sharing.model.effects import (
    APPROVAL_EFFECTS,
    EFFECTS_NAMED_IN_REFUSAL,
    FORBIDDING_EFFECTS,
    OBLIGING_EFFECTS,
    PERMITTING_EFFECTS,
    RESTRICTING_EFFECTS,
)
from sharing.model.vocabulary import ConditionModel, Effect, Outcome


class RuleResult(NamedTuple):
    """The result of a rule: it holds, or it cannot be decided (`held` is None) because `missing` facts are unknown."""

    rule: Rule
    held: bool | None
    missing: tuple[str, ...] = ()


def combine_results(
    state: str, results: Sequence[RuleResult], basis: TreatyBasis, relevance: tuple[Reason, ...]
) -> RecipientDecision:
    """Return the decision for one State.

    Args:
        state: The recipient.
        results: The rules that hold or are undecided, sorted by id; rules that do not hold are absent.
        basis: The treaty basis and its condition model.
        relevance: The reasons why the State is considered.
    """
    return RecipientDecision(state, relevance, combine_terms(results, basis))


def combine_terms(results: Sequence[RuleResult], basis: TreatyBasis) -> RecipientTerms:
    """Return the terms for any State with these results, which are sorted by the ids of the rules."""
    held = [result.rule for result in results if result.held]
    effects = {rule.effect for rule in held}
    undecided: list[UndecidedRule] = []
    blocked = False
    for result in results:
        if result.held is None:
            undecided += [UndecidedRule(result.rule.id, fact) for fact in result.missing]
            blocked = blocked or result.rule.effect in RESTRICTING_EFFECTS
    conditions = tuple([rule.condition for rule in held if rule.condition is not None])
    outcome = _choose_outcome(effects, basis, blocked=blocked, bound=bool(conditions))
    withheld = outcome is Outcome.WITHHOLD
    return RecipientTerms(
        outcome=outcome,
        basis=basis.instrument,
        condition_model=basis.condition_model,
        rules=tuple([rule.reference for rule in held if not withheld or rule.effect in EFFECTS_NAMED_IN_REFUSAL]),
        undecided=tuple(undecided),
        conditions=() if withheld else conditions,
        approver=_choose_approver(held) if outcome is Outcome.HOLD else None,
        is_obligatory=not effects.isdisjoint(OBLIGING_EFFECTS),
        redacted=() if withheld else tuple(sorted({name for rule in held for name in rule.redact})),
    )


def _choose_approver(held: Sequence[Rule]) -> str | None:
    """Return the one role that a decision names: a role of the State's own rules before a role of the common rules."""
    requiring = [rule for rule in held if rule.approver]
    return min(requiring, key=lambda rule: rule.approval_rank).approver if requiring else None


def _choose_outcome(effects: set[Effect], basis: TreatyBasis, *, blocked: bool, bound: bool) -> Outcome:
    if blocked or effects & FORBIDDING_EFFECTS or not effects & PERMITTING_EFFECTS or basis.condition_model is None:
        return Outcome.WITHHOLD
    if effects & APPROVAL_EFFECTS:
        return Outcome.HOLD
    # Budapest Convention art. 26(2): conditions are requested before the information is provided.
    if bound and basis.condition_model is ConditionModel.PRE_ACCEPT:
        return Outcome.OFFER
    return Outcome.DISCLOSE
