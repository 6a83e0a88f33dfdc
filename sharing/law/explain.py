"""Why, why not, and what would change it: an explanation of one State's outcome for a lawyer.

Everything here is derived from the same rules and facts as the decision; nothing is decided anew except the
question «and if this fact were known?».
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sharing.law.combine import RESTRICTIONS, RuleFinding, combine
from sharing.law.constraints import AnyOf, Test
from sharing.law.counterfactuals import FactChange, find_fact_changes
from sharing.law.facts import FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.model.audience import Audience
from sharing.model.decision import RecipientDecision, UndecidedRule, describe_undecided
from sharing.model.record import WireRecord
from sharing.model.vocabulary import Effect, Outcome, RelevanceKind


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule in words. `missing` names the facts for want of which it could not be decided."""

    id: str
    effect: str
    citation: str
    paraphrase: str
    verified: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that did not apply for one reason only."""

    id: str
    effect: str
    citation: str
    kept_out_by: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one State gets what it gets.

    Attributes:
        considered: Whether anything points to this State at all; when not, the rest is hypothetical.
        sentence: The outcome in one sentence.
        human: What a person would have to do next, or an empty string.
    """

    state: str
    considered: bool
    outcome: str
    sentence: str
    applied: tuple[ExplainedRule, ...]
    undecided: tuple[ExplainedRule, ...]
    near: tuple[NearMiss, ...]
    would_change: tuple[FactChange, ...]
    human: str


def explain(
    law: DisclosureFilter, record: WireRecord, audience: Audience, now_ms: int, only: str | None = None
) -> list[Explanation]:
    """Explain what each considered State gets.

    Args:
        law: The disclosure filter of the day.
        record: The indicator's record.
        audience: The States to consider.
        now_ms: The instant, in UTC milliseconds.
        only: One State to explain, considered or not; all considered ones when None.
    """
    decided = {recipient.state: recipient for recipient in law.decide(record, audience, now_ms).recipients}
    item = law.item_facts(record, now_ms)
    explanations = []
    for state in [only] if only else sorted(decided):
        known = decided.get(state)
        reasons = known.relevance if known else dict(audience.states).get(state, ())
        named = any(reason.kind is RelevanceKind.NEXUS_STATED for reason in reasons)
        recipient, basis, _ = law.profile(state, item["offence.codes"], named=named)
        facts = {**item, **recipient}
        findings = law.findings(item, recipient)
        decision = known or combine(state, findings, basis, ())
        explanations.append(_explain_one(law, facts, findings, decision, considered=known is not None))
    return explanations


def _explain_one(
    law: DisclosureFilter,
    facts: Mapping[str, FactValue],
    findings: Sequence[RuleFinding],
    decision: RecipientDecision,
    *,
    considered: bool,
) -> Explanation:
    return Explanation(
        state=decision.state,
        considered=considered,
        outcome=str(decision.outcome),
        sentence=_sentence(findings, decision, considered=considered),
        applied=tuple(_explained(finding) for finding in findings if finding.held),
        undecided=tuple(_explained(finding) for finding in findings if finding.held is None),
        near=tuple(_near_misses(law.rules, facts)),
        would_change=find_fact_changes(law, facts, findings, decision),
        human=_human(law, decision),
    )


def _explained(finding: RuleFinding) -> ExplainedRule:
    rule = finding.rule
    return ExplainedRule(rule.id, str(rule.effect), rule.citation, rule.paraphrase, rule.verified, finding.missing)


def _sentence(findings: Sequence[RuleFinding], decision: RecipientDecision, *, considered: bool) -> str:
    state = decision.state
    prefix = "" if considered else f"Nothing points to {state}, so it is not considered. If it were: "
    denied = [finding.rule.id for finding in findings if finding.held and finding.rule.effect is Effect.DENY]
    blocked = _say_open(findings, RESTRICTIONS)
    open_permits = _say_open(findings, {Effect.PERMIT})
    match decision.outcome:
        case Outcome.DISCLOSE:
            bound = " under the conditions attached" if decision.conditions else ""
            text = f"{state} receives the content at once{bound}."
        case Outcome.OFFER:
            text = f"{state} is offered it; the content leaves once the conditions are accepted."
        case Outcome.HOLD:
            text = f"held for {state} until {decision.approver} approves."
        case _ if denied:
            text = f"withheld from {state}: {', '.join(denied)} forbids it."
        case _ if blocked:
            text = f"withheld from {state}: it is not known whether a restriction applies ({blocked})."
        case _ if open_permits:
            text = f"withheld from {state}: no rule is known to permit it ({open_permits})."
        case _ if decision.condition_model is None:
            text = f"withheld from {state}: its treaties have not been looked up."
        case _:
            text = f"withheld from {state}: no rule permits it."
    return prefix + text


def _say_open(findings: Sequence[RuleFinding], effects: Collection[Effect]) -> str:
    """Return why rules with some effects could not be decided; empty where each was."""
    open_rules = (finding for finding in findings if finding.held is None and finding.rule.effect in effects)
    return describe_undecided(UndecidedRule(each.rule.id, fact) for each in open_rules for fact in each.missing)


def _human(law: DisclosureFilter, decision: RecipientDecision) -> str:
    match decision.outcome:
        case Outcome.HOLD if decision.approver is not None:
            return f"Approval by {law.pack.approvers[decision.approver]}"
        case Outcome.OFFER:
            return f"Acceptance of the conditions by {decision.state}"
        case _:
            return ""


def _near_misses(rules: Sequence[Rule], facts: Mapping[str, FactValue]) -> Iterator[NearMiss]:
    """Yield rules of which all parts hold but one."""
    for rule in rules:
        failed = [part for part in rule.when.parts if _evaluate(part, facts) is False]
        if len(failed) == 1 and all(_evaluate(part, facts) for part in rule.when.parts if part is not failed[0]):
            yield NearMiss(rule.id, str(rule.effect), rule.citation, str(failed[0]))


def _evaluate(part: Test | AnyOf, facts: Mapping[str, FactValue]) -> bool | None:
    try:
        return part.evaluate(facts)
    except TypeError:
        return None
