"""Combines the rules that hold, and those that cannot be decided, into one State's outcome.

DENY > APPROVAL > REDACT > CONDITION > PERMIT; OBLIGE and RECORD do not change the outcome. The default is to deny:
without a PERMIT that holds, the item is withheld. A restriction that a missing fact leaves undecided withholds; an
undecided permission does not permit. A rule whose evaluation failed counts as undecided, never as absent.

A DENY may have an exception that a person decides where the facts do not. It lifts its own rule and no other, and does
not permit anything by itself (`docs/adr/0026`):

| the rule     | exception YES     | exception NO, or none | exception UNKNOWN          | exception failed |
|--------------|-------------------|-----------------------|----------------------------|------------------|
| holds        | lifted: as RECORD | denies                | asks its role: as APPROVAL | withholds        |
| is undecided | lifted: as RECORD | withholds             | asks its role: as APPROVAL | withholds        |
| does not     | absent            | absent                | absent                     | absent           |

In an emergency an undecided APPROVAL also asks its role: whatever the fact is, asking is at least as strict. This does
not apply if it tests what no urgency outweighs (`sharing.law.fact_groups`), or if its evaluation failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sharing.law.pack import Rule
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.decision import RecipientDecision
from sharing.model.effects import (
    APPROVAL_EFFECTS,
    EFFECTS_NAMED_IN_REFUSAL,
    FORBIDDING_EFFECTS,
    OBLIGING_EFFECTS,
    PERMITTING_EFFECTS,
    RESTRICTING_EFFECTS,
)
from sharing.model.recipient_terms import Condition, RecipientTerms, RuleReference, UndecidedRule
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Outcome

OPENED_BY_EXCULPATION = frozenset({ConditionKind.NO_EVIDENCE, ConditionKind.CONFIDENTIALITY})
"""Conditions that do not prevent disclosing what clears an accused, if the treaty basis has such an exception."""


class RuleResult(NamedTuple):
    """The result of a rule: it holds, or it cannot be decided (`held` is None) because `missing` facts are unknown.

    Attributes:
        lifted: Whether its exception lifts it; None if a person is asked. Either that is unknown, and `missing` also
            has the facts that the exception lacks, or the rule is an APPROVAL that is undecided in an emergency.
    """

    rule: Rule
    held: bool | None
    missing: tuple[str, ...] = ()
    lifted: bool | None = False

    @property
    def effect(self) -> Effect | None:
        """The effect that it has in this decision; None if it is undecided and no person is asked instead."""
        if self.lifted:
            return Effect.RECORD
        if self.lifted is None:
            return Effect.APPROVAL
        return self.rule.effect if self.held else None

    @property
    def approver(self) -> str | None:
        """The role that it asks, or None."""
        if self.lifted is None and self.rule.exception is not None:
            return self.rule.exception.approver
        return self.rule.approver

    @property
    def approvals(self) -> int:
        """How many officers with that role it asks."""
        if self.lifted is None and self.rule.exception is not None:
            return self.rule.exception.approvals
        return self.rule.approvals


def combine_results(
    state: str,
    results: Sequence[RuleResult],
    basis: TreatyBasis,
    relevance: tuple[Reason, ...],
    to_authority: str | None = None,
) -> RecipientDecision:
    """Return the decision for one State.

    Args:
        state: The recipient.
        results: The rules that hold or are undecided, sorted by id; rules that do not hold are absent.
        basis: The treaty basis and its condition model.
        relevance: The reasons why the State is considered.
        to_authority: Kind of the competent authority that was chosen.
    """
    return RecipientDecision(state, relevance, combine_terms(results, basis, to_authority))


def combine_terms(results: Sequence[RuleResult], basis: TreatyBasis, to_authority: str | None = None) -> RecipientTerms:
    """Return the terms for any State with these results, which are sorted by the ids of the rules."""
    applied: list[tuple[RuleResult, Effect]] = []
    undecided: list[UndecidedRule] = []
    blocked = False
    for result in results:
        effect = result.effect
        if effect is None:
            blocked = blocked or result.rule.effect in RESTRICTING_EFFECTS
        else:
            applied.append((result, effect))
        if result.missing:
            undecided += [UndecidedRule(result.rule.id, fact) for fact in result.missing]
    effects = {effect for _, effect in applied}
    conditions = tuple(
        [_attach_condition(result.rule.condition, basis) for result, _ in applied if result.rule.condition is not None]
    )
    outcome = _choose_outcome(effects, basis, blocked=blocked, bound=bool(conditions))
    withheld = outcome is Outcome.WITHHOLD
    asking = [result for result, _ in applied if result.approver] if outcome is Outcome.HOLD else []
    return RecipientTerms(
        outcome=outcome,
        basis=basis.instrument,
        condition_model=basis.condition_model,
        rules=tuple(
            [
                RuleReference(result.rule.id, result.rule.citation, effect)
                for result, effect in applied
                if not withheld or effect in EFFECTS_NAMED_IN_REFUSAL
            ]
        ),
        undecided=tuple(undecided),
        conditions=() if withheld else conditions,
        approver=_choose_approver(asking),
        # Two if any of them asks for two: naming the role of another rule must not reduce the number of officers.
        approvals=max((result.approvals for result in asking), default=None),
        is_obligatory=not effects.isdisjoint(OBLIGING_EFFECTS),
        redacted=() if withheld else tuple(sorted({name for result, _ in applied for name in result.rule.redact})),
        to_authority=to_authority,
    )


def _attach_condition(condition: Condition, basis: TreatyBasis) -> Condition:
    """Return the condition as it binds under this basis.

    Under UNCAC art. 46(5) and similar articles, what clears an accused may be disclosed despite it, after notice.
    """
    opens = basis.exculpatory_exception and condition.kind in OPENED_BY_EXCULPATION
    return replace(condition, exculpatory_exception=True) if opens else condition


def _choose_approver(asking: Sequence[RuleResult]) -> str | None:
    """Return the one role that a decision names: a role of the State's own rules before a role of the common rules."""
    return min(asking, key=lambda result: result.rule.approval_rank).approver if asking else None


def _choose_outcome(effects: set[Effect], basis: TreatyBasis, *, blocked: bool, bound: bool) -> Outcome:
    if blocked or effects & FORBIDDING_EFFECTS or not effects & PERMITTING_EFFECTS or basis.condition_model is None:
        return Outcome.WITHHOLD
    if effects & APPROVAL_EFFECTS:
        return Outcome.HOLD
    # Budapest Convention art. 26(2): conditions are requested before the information is provided.
    if bound and basis.condition_model is ConditionModel.PRE_ACCEPT:
        return Outcome.OFFER
    return Outcome.DISCLOSE
