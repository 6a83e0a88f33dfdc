"""Which States could receive an item, and on which terms, if relevance did not matter.

States with the same terms form a group. The groups are sorted from the most permissive outcome to the least, then by
the number of redacted fields and of conditions, so that the least restricted disclosure comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.model.decision import RecipientDecision
from sharing.model.directory import Directory
from sharing.model.effects import FORBIDDING_EFFECTS, PERMITTING_EFFECTS, RESTRICTING_EFFECTS
from sharing.model.indicator_record import WireRecord
from sharing.model.recipient_terms import EVALUATION_FAILED, describe_undecided
from sharing.model.urgency import get_effective_urgency
from sharing.model.vocabulary import Outcome, Urgency
from sharing.relevance.audience import Audience


@dataclass(frozen=True, slots=True)
class GroupTerms:
    """The terms that every State of a group gets.

    Attributes:
        basis: The treaty basis, or "" if there is none or the item is withheld.
        condition_model: When conditions bind, or "" if the item is withheld.
        ground: Why the item is withheld, or "" if it is not.
        redacted: Fields that are redacted.
        conditions: Each condition as (rule, text).
        approver: The role that must approve, or "".
        approvals: How many officers with that role must approve; 0 if none must.
    """

    outcome: str
    basis: str
    condition_model: str
    ground: str
    redacted: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...]
    approver: str
    approvals: int = 0


@dataclass(frozen=True, slots=True)
class RecipientGroup:
    """States that get the same terms, sorted."""

    terms: GroupTerms
    states: tuple[str, ...]


def list_candidate_states(disclosure_filter: DisclosureFilter, directory: Directory) -> tuple[str, ...]:
    """Return the States in the directory and in the treaty table, except the providing State."""
    states = set(directory.entries)
    for instrument in disclosure_filter.treaties.instruments.values():
        states |= instrument.parties.keys()
    return tuple(sorted(states - {disclosure_filter.pack.state}))


def group_recipients(
    disclosure_filter: DisclosureFilter, record: WireRecord, audience: Audience, states: Iterable[str], now_ms: int
) -> list[RecipientGroup]:
    """Decide on an item for some States, and group the States that get the same terms.

    Args:
        disclosure_filter: The disclosure filter of the day.
        record: The indicator's record.
        audience: The considered States; a State that the agency named stays named.
        states: The States to decide for.
        now_ms: The time of the decision, in UTC milliseconds.
    """
    reasons = dict(audience.reasons_by_state)
    extended_audience = Audience((state, reasons.get(state, ())) for state in states)
    rules = {rule.id: rule for rule in disclosure_filter.rules}
    is_emergency = get_effective_urgency(record) == Urgency.EMERGENCY
    states_by_terms: dict[GroupTerms, list[str]] = {}
    for decision in disclosure_filter.decide(record, extended_audience, now_ms).recipients:
        states_by_terms.setdefault(_summarise_terms(decision, rules, is_emergency=is_emergency), []).append(
            decision.state
        )
    groups = [RecipientGroup(terms, tuple(members)) for terms, members in states_by_terms.items()]
    return sorted(groups, key=_sort_key)


def _sort_key(group: RecipientGroup) -> tuple[object, ...]:
    terms = group.terms
    openness = list(Outcome).index(Outcome(terms.outcome))
    return openness, len(terms.redacted), len(terms.conditions), -len(group.states), group.states


def _summarise_terms(decision: RecipientDecision, rules: Mapping[str, Rule], *, is_emergency: bool) -> GroupTerms:
    is_withheld = decision.outcome is Outcome.WITHHOLD
    return GroupTerms(
        outcome=str(decision.outcome),
        basis="" if is_withheld else decision.basis or "",
        condition_model="" if is_withheld else str(decision.condition_model or ""),
        ground=_describe_ground(decision, rules, is_emergency=is_emergency) if is_withheld else "",
        redacted=decision.redacted,
        conditions=tuple((condition.code, condition.text) for condition in decision.conditions),
        approver=decision.approver or "",
        approvals=decision.approvals or 0,
    )


def _describe_ground(decision: RecipientDecision, rules: Mapping[str, Rule], *, is_emergency: bool) -> str:
    """Return why the item is withheld: rules that forbid it, else missing facts, else that no rule permits it.

    A rule that would ask a person although it, or its exception, is undecided withholds nothing.
    """
    asking = {
        entry.rule
        for entry in decision.undecided
        if (rule := rules.get(entry.rule)) is not None and _would_ask(rule, entry.fact, is_emergency=is_emergency)
    }
    effects = {rule.id: rule.effect for rule in rules.values() if rule.id not in asking}
    denying = [rule.id for rule in decision.rules if rule.effect in FORBIDDING_EFFECTS]
    if denying:
        return f"forbidden by {', '.join(denying)}"
    blocking = describe_undecided(
        undecided for undecided in decision.undecided if effects.get(undecided.rule) in RESTRICTING_EFFECTS
    )
    if blocking:
        return f"not known whether a restriction applies; {blocking}"
    if decision.condition_model is None:
        return "treaties not looked up"
    opening = describe_undecided(
        undecided for undecided in decision.undecided if effects.get(undecided.rule) in PERMITTING_EFFECTS
    )
    return f"not known whether it is permitted; {opening}" if opening else "nothing permits it"


def _would_ask(rule: Rule, missing: str, *, is_emergency: bool) -> bool:
    """Return whether a rule asks a person because a fact is missing."""
    if rule.exception is not None:
        return missing in rule.exception.when.list_fact_names()
    return is_emergency and rule.asks_undecided and missing != EVALUATION_FAILED
