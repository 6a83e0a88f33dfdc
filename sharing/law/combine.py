"""How the rules that hold, and those that cannot be decided, make one State's outcome.

DENY > APPROVAL > REDACT > CONDITION > PERMIT; OBLIGE and RECORD ride along. Default deny: without a PERMIT that
holds, nothing leaves. A restriction that a missing fact leaves undecided withholds; an undecided permission does
not permit. A rule whose evaluation failed counts as undecided, never as absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sharing.law.pack import Rule
from sharing.law.recipients import TreatyBasis
from sharing.model.decision import Reason, RecipientDecision, Terms, UndecidedRule
from sharing.model.vocabulary import ConditionModel, Effect, Outcome

RESTRICTIONS = frozenset({Effect.DENY, Effect.APPROVAL, Effect.REDACT, Effect.CONDITION})

_MAKERS_OF_A_REFUSAL = frozenset({Effect.DENY, Effect.OBLIGE, Effect.RECORD})
"""A refusal names what forbids and what rides along; any other outcome names every rule that holds."""


class RuleFinding(NamedTuple):
    """A rule that holds (`held` is True), or that cannot be decided (None) for want of the `missing` facts."""

    rule: Rule
    held: bool | None
    missing: tuple[str, ...] = ()


def combine(
    state: str, findings: Sequence[RuleFinding], basis: TreatyBasis, relevance: tuple[Reason, ...]
) -> RecipientDecision:
    """Return what one State gets.

    Args:
        state: The recipient.
        findings: The rules that hold or are undecided, in the order of their ids; rules that do not hold are absent.
        basis: The treaty basis and its condition model.
        relevance: Why the State is considered.
    """
    return RecipientDecision(state, relevance, combine_terms(findings, basis))


def combine_terms(findings: Sequence[RuleFinding], basis: TreatyBasis) -> Terms:
    """Return what any State gets of which these rules hold or are undecided, in the order of their ids."""
    held = [finding.rule for finding in findings if finding.held]
    effects = {rule.effect for rule in held}
    undecided: list[UndecidedRule] = []
    blocked = False
    for finding in findings:
        if finding.held is None:
            undecided += [UndecidedRule(finding.rule.id, fact) for fact in finding.missing]
            blocked = blocked or finding.rule.effect in RESTRICTIONS
    conditions = tuple([rule.condition for rule in held if rule.condition is not None])
    outcome = _outcome(effects, basis, blocked=blocked, bound=bool(conditions))
    withheld = outcome is Outcome.WITHHOLD
    return Terms(
        outcome=outcome,
        basis=basis.basis,
        condition_model=basis.condition_model,
        rules=tuple([rule.reference for rule in held if not withheld or rule.effect in _MAKERS_OF_A_REFUSAL]),
        undecided=tuple(undecided),
        conditions=() if withheld else conditions,
        approver=_approver(held) if outcome is Outcome.HOLD else None,
        obligation=Effect.OBLIGE in effects,
        redacted=() if withheld else tuple(sorted({name for rule in held for name in rule.redact})),
    )


def _approver(held: Sequence[Rule]) -> str | None:
    """Return the one role that a decision names: whom the State's own law asks comes before whom every law asks."""
    asking = [rule for rule in held if rule.approver]
    return min(asking, key=lambda rule: rule.rank).approver if asking else None


def _outcome(effects: set[Effect], basis: TreatyBasis, *, blocked: bool, bound: bool) -> Outcome:
    if blocked or Effect.DENY in effects or Effect.PERMIT not in effects or basis.condition_model is None:
        return Outcome.WITHHOLD
    if Effect.APPROVAL in effects:
        return Outcome.HOLD
    # Budapest Convention art. 26(2): conditions are requested before the information is provided.
    if bound and basis.condition_model is ConditionModel.PRE_ACCEPT:
        return Outcome.OFFER
    return Outcome.DISCLOSE
