"""How the rules that hold, and those that cannot be decided, make one State's outcome.

DENY > APPROVAL > REDACT > CONDITION > PERMIT; OBLIGE and RECORD ride along. Default deny: without a PERMIT that
holds, nothing leaves. A restriction that a missing fact leaves undecided withholds; an undecided permission does
not permit. A rule whose evaluation failed counts as undecided, never as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sharing.law.pack import Rule
from sharing.law.recipients import TreatyBasis
from sharing.model.decision import Reason, RecipientDecision, UndecidedRule
from sharing.model.vocabulary import ConditionModel, Effect, Outcome

RESTRICTIONS = frozenset({Effect.DENY, Effect.APPROVAL, Effect.REDACT, Effect.CONDITION})


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that holds (`held` is True), or that cannot be decided (None) for want of the `missing` facts."""

    rule: Rule
    held: bool | None
    missing: tuple[str, ...] = ()


def combine(
    state: str, findings: Sequence[Finding], basis: TreatyBasis, relevance: tuple[Reason, ...]
) -> RecipientDecision:
    """Return what one State gets.

    Args:
        state: The recipient.
        findings: The rules that hold or are undecided, in the order of their ids; rules that do not hold are absent.
        basis: The treaty basis and its condition model.
        relevance: Why the State is considered.
    """
    held = [finding.rule for finding in findings if finding.held]
    undecided = tuple(
        UndecidedRule(finding.rule.id, fact) for finding in findings if finding.held is None for fact in finding.missing
    )
    blocked = any(finding.held is None and finding.rule.effect in RESTRICTIONS for finding in findings)
    conditions = tuple(rule.condition for rule in held if rule.condition is not None)
    outcome = _outcome({rule.effect for rule in held}, basis, blocked=blocked, bound=bool(conditions))
    withheld = outcome is Outcome.WITHHOLD
    return RecipientDecision(
        state=state,
        outcome=outcome,
        basis=basis.basis,
        condition_model=basis.condition_model,
        rules=tuple(rule.reference for rule in _makers(held, outcome)),
        undecided=undecided,
        conditions=() if withheld else conditions,
        approver=next((rule.approver for rule in held if rule.approver), None) if outcome is Outcome.HOLD else None,
        obligation=any(rule.effect is Effect.OBLIGE for rule in held),
        relevance=relevance,
        redacted=() if withheld else tuple(sorted({name for rule in held for name in rule.redact})),
    )


def _outcome(effects: set[Effect], basis: TreatyBasis, *, blocked: bool, bound: bool) -> Outcome:
    if blocked or Effect.DENY in effects or Effect.PERMIT not in effects or basis.condition_model is None:
        return Outcome.WITHHOLD
    if Effect.APPROVAL in effects:
        return Outcome.HOLD
    # Budapest Convention art. 26(2): conditions are requested before the information is provided.
    if bound and basis.condition_model is ConditionModel.PRE_ACCEPT:
        return Outcome.OFFER
    return Outcome.DISCLOSE


def _makers(held: Iterable[Rule], outcome: Outcome) -> list[Rule]:
    """Return the rules that made the outcome: for a refusal the prohibitions, else all that hold."""
    if outcome is not Outcome.WITHHOLD:
        return list(held)
    return [rule for rule in held if rule.effect in {Effect.DENY, Effect.OBLIGE, Effect.RECORD}]
