"""The terms on which a State may have an item, from the decision for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sharing.conversation.terms import Terms, hash_condition
from sharing.law.fact_groups import is_absolute
from sharing.law.pack import Pack, Rule
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import APPROVALS_MAX
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Nature, Outcome

_WAIVABLE_KINDS: Final = frozenset({ConditionKind.CONFIDENTIALITY, ConditionKind.ONWARD_CONSENT})
"""Conditions in the interest of the providing State, which may therefore waive them."""

_ORIGIN: Final = "origin."


def list_optional_conditions(pack: Pack) -> frozenset[str]:
    """Return the codes of the conditions that the law of a State does not require.

    A pack says what kind of text a rule encodes, and what kind of condition it imposes. A condition is optional only if
    a State asks for it by its practice (`policy`) and in its own interest: that others keep an item confidential, and
    do not pass it on. Everything else is required: what a statute, a treaty, case law or a caution imposes; the common
    rules, which carry out the markings of the publishing agency; and what concerns another State's information, or
    death, mistreatment, persecution or the character of an item, no matter what kind of text imposes it.
    """
    return frozenset(rule.id for rule in pack.rules if _is_optional(rule))


def _is_optional(rule: Rule) -> bool:
    if rule.condition is None or rule.is_common or rule.nature is not Nature.POLICY:
        return False
    binds_for_others = any(is_absolute(name) or name.startswith(_ORIGIN) for name in rule.list_fact_names())
    return rule.condition.kind in _WAIVABLE_KINDS and not binds_for_others


def list_approvals(rules: Iterable[Rule]) -> dict[str, int]:
    """Return how many officers must approve for each rule that asks, by its id.

    Args:
        rules: The rules in force on one day.
    """
    return {rule.id: rule.asked_approvals for rule in rules if rule.asked_role is not None}


def count_approvals(recipient: RecipientDecision, approvals: Mapping[str, int]) -> int:
    """Return how many officers must approve what is held for a State: two if one of the rules asks for two.

    Decisions and drafts name the rules that ask but not the number, so the law in force determines the number. It is
    also two if that law does not have one of these rules: then a different version of it has decided.

    Args:
        recipient: The decision for the State.
        approvals: How many the rules in force ask for (`list_approvals`).
    """
    asking = (rule.id for rule in recipient.rules if rule.effect is Effect.APPROVAL)
    return max((approvals.get(rule_id, APPROVALS_MAX) for rule_id in asking), default=APPROVALS_MAX)


def make_terms(
    recipient: RecipientDecision,
    *,
    optional: Collection[str] = (),
    missing: frozenset[str] = frozenset(),
    approvals: int = APPROVALS_MAX,
) -> Terms:
    """Return the terms for a State.

    Args:
        recipient: The decision for it.
        optional: Codes of the conditions that the law does not require (`list_optional_conditions`).
        missing: The facts that people can supply (`sharing.disclosure.missing_facts`); ignored unless it is withheld.
        approvals: How many officers must approve (`count_approvals`); ignored unless it is held.
    """
    outcome = recipient.outcome
    conditions = frozenset(condition.code for condition in recipient.conditions)
    is_held = outcome is Outcome.HOLD
    return Terms(
        state=recipient.state,
        outcome=outcome,
        conditions=conditions,
        optional=conditions.intersection(optional),
        accept_first=_must_accept_first(recipient),
        redacted=frozenset(recipient.redacted),
        approver=recipient.approver if is_held else None,
        approvers_needed=approvals if is_held else 1,
        missing=missing if outcome is Outcome.WITHHOLD else frozenset(),
        texts=frozenset((each.code, hash_condition(each.code, each.text)) for each in recipient.conditions),
    )


def _must_accept_first(recipient: RecipientDecision) -> bool:
    """Return whether content waits for the acceptance of conditions: now, or once an approver has approved."""
    if recipient.outcome is Outcome.HOLD:
        return bool(recipient.conditions) and recipient.condition_model is not ConditionModel.ATTACHED_BINDING
    return recipient.outcome is Outcome.OFFER
