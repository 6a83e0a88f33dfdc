"""Explains one State's outcome to a lawyer: why, why not, and what would change it.

The explanation uses the same rules and facts as the decision. Only the question "what if this fact were known?" needs
new decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from sharing.law.combination import RuleResult, combine_results
from sharing.law.constraints import AnyOf, FactTest
from sharing.law.counterfactuals import Counterfactual, find_counterfactuals
from sharing.law.fact_values import FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.model.decision import RecipientDecision
from sharing.model.effects import FORBIDDING_EFFECTS, PERMITTING_EFFECTS, RESTRICTING_EFFECTS
from sharing.model.indicator_record import WireRecord
from sharing.model.recipient_terms import UndecidedRule, describe_undecided
from sharing.model.relevance_reason import is_named_by_agency
from sharing.model.vocabulary import Effect, Nature, Outcome
from sharing.relevance.audience import Audience


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule in words.

    Attributes:
        effect: The effect that it has, or would have if it is undecided: APPROVAL if a person is asked.
        nature: What kind of text it encodes. A caution is not itself law.
        missing: The unknown facts that prevented it, or its exception, from being decided.
        lifted: Whether its exception lifted it; it then has no other effect than to be recorded.
    """

    id: str
    effect: Effect
    citation: str
    paraphrase: str
    verified: bool
    nature: Nature
    missing: tuple[str, ...] = ()
    lifted: bool = False


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that did not apply for a single reason."""

    id: str
    effect: Effect
    citation: str
    kept_out_by: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one State's outcome.

    Attributes:
        considered: Whether the item has a reason to consider this State; if not, the explanation is hypothetical.
        sentence: The outcome in one sentence.
        applied: The rules that have an effect, the decisive ones first.
        undecided: The rules that could not be decided, those that decide the outcome first.
        near: The rules that did not apply for a single reason.
        would_change: The missing facts that would change the outcome.
        human: What a person must do next, or an empty string.
    """

    state: str
    considered: bool
    outcome: str
    sentence: str
    applied: tuple[ExplainedRule, ...]
    undecided: tuple[ExplainedRule, ...]
    near: tuple[NearMiss, ...]
    would_change: tuple[Counterfactual, ...]
    human: str


def explain_outcomes(
    disclosure_filter: DisclosureFilter, record: WireRecord, audience: Audience, now_ms: int, only: str | None = None
) -> list[Explanation]:
    """Explain the outcome for each considered State.

    Args:
        disclosure_filter: The disclosure filter of the day.
        record: The indicator's record.
        audience: The States to consider.
        now_ms: The time of the decision, in UTC milliseconds.
        only: One State to explain, considered or not; None for all considered States.
    """
    decisions = {decision.state: decision for decision in disclosure_filter.decide(record, audience, now_ms).recipients}
    item = disclosure_filter.read_item_facts(record, now_ms)
    explanations = []
    for state in [only] if only else sorted(decisions):
        made = decisions.get(state)
        reasons = made.relevance if made else dict(audience.reasons_by_state).get(state, ())
        named = is_named_by_agency(reasons)
        profile = disclosure_filter.profile_recipient(state, item, named=named)
        recipient, basis = profile.facts, profile.basis
        facts = {**item, **recipient}
        results = disclosure_filter.evaluate_rules(item, recipient)
        decision = made or combine_results(state, results, basis, (), profile.to_authority)
        explanations.append(_explain_decision(disclosure_filter, facts, results, decision, considered=made is not None))
    return explanations


def _explain_decision(
    disclosure_filter: DisclosureFilter,
    facts: Mapping[str, FactValue],
    results: Sequence[RuleResult],
    decision: RecipientDecision,
    *,
    considered: bool,
) -> Explanation:
    return Explanation(
        state=decision.state,
        considered=considered,
        outcome=str(decision.outcome),
        sentence=_write_sentence(results, decision, considered=considered),
        applied=tuple(_explain_rule(result) for result in _sort_by_weight(results) if result.effect is not None),
        undecided=tuple(_explain_rule(result) for result in _sort_by_weight(results) if result.effect is None),
        near=tuple(_find_near_misses(disclosure_filter.rules, facts)),
        would_change=find_counterfactuals(disclosure_filter, facts, results, decision),
        human=_describe_next_step(disclosure_filter, decision),
    )


def _explain_rule(result: RuleResult) -> ExplainedRule:
    rule = result.rule
    return ExplainedRule(
        id=rule.id,
        effect=result.effect or rule.effect,
        citation=rule.citation,
        paraphrase=rule.paraphrase,
        verified=rule.verified,
        nature=rule.nature,
        missing=result.missing,
        lifted=result.lifted is True,
    )


def _sort_by_weight(results: Sequence[RuleResult]) -> list[RuleResult]:
    """Return the results by the precedence of their effects, so that what decides comes first.

    Among rules with the same effect, law comes before cautions; then they are ordered by id.
    """
    return sorted(results, key=_weigh)


def _weigh(result: RuleResult) -> tuple[int, bool, str]:
    effect = result.effect or result.rule.effect
    return _PRECEDENCE.index(effect), result.rule.nature is Nature.CAUTION, result.rule.id


_PRECEDENCE = tuple(Effect)
"""Effects by precedence; the last two do not change the outcome."""


def _write_sentence(results: Sequence[RuleResult], decision: RecipientDecision, *, considered: bool) -> str:
    state = decision.state
    prefix = "" if considered else f"Nothing points to {state}, so it is not considered. If it were: "
    match decision.outcome:
        case Outcome.DISCLOSE:
            conditions = " under the attached conditions" if decision.conditions else ""
            text = f"{state} receives the content immediately{conditions}."
        case Outcome.OFFER:
            text = f"{state} receives an offer; the content leaves once the conditions are accepted."
        case Outcome.HOLD:
            text = f"held for {state} until {describe_approval(decision)}."
        case Outcome.WITHHOLD:
            text = f"withheld from {state}: {_describe_refusal(results, decision)}."
        case _:
            assert_never(decision.outcome)
    return prefix + text


def describe_approval(decision: RecipientDecision) -> str:
    """Return who must approve what is held, as the end of a sentence that begins with `until`."""
    if decision.approvals == 1:
        return f"{decision.approver} approves"
    return f"two officers with the role {decision.approver} approve"


def _describe_refusal(results: Sequence[RuleResult], decision: RecipientDecision) -> str:
    denying = [result.rule for result in _sort_by_weight(results) if result.effect in FORBIDDING_EFFECTS]
    law = [rule.id for rule in denying if rule.nature is not Nature.CAUTION]
    if law:
        return f"{', '.join(law)} forbids it"
    if denying:
        return f"as a caution, {', '.join(rule.id for rule in denying)} withholds it"
    blocking = _describe_undecided_rules(results, RESTRICTING_EFFECTS)
    if blocking:
        return f"it is not known whether a restriction applies ({blocking})"
    undecided_permits = _describe_undecided_rules(results, PERMITTING_EFFECTS)
    if undecided_permits:
        return f"no rule is known to permit it ({undecided_permits})"
    if decision.condition_model is None:
        return "its treaties have not been looked up"
    return "no rule permits it"


def _describe_undecided_rules(results: Sequence[RuleResult], effects: Collection[Effect]) -> str:
    """Return why rules with some effects could not be decided, or an empty string if each was decided."""
    undecided = (result for result in results if result.effect is None and result.rule.effect in effects)
    return describe_undecided(UndecidedRule(result.rule.id, fact) for result in undecided for fact in result.missing)


def _describe_next_step(disclosure_filter: DisclosureFilter, decision: RecipientDecision) -> str:
    match decision.outcome:
        case Outcome.HOLD:
            if decision.approver is None:
                return ""
            by = f"Approval by {disclosure_filter.pack.approvers[decision.approver]}"
            return by if decision.approvals == 1 else f"{by}, and by a second officer with that role"
        case Outcome.OFFER:
            return f"Acceptance of the conditions by {decision.state}"
        case Outcome.DISCLOSE | Outcome.WITHHOLD:
            return ""
        case _:
            assert_never(decision.outcome)


def _find_near_misses(rules: Sequence[Rule], facts: Mapping[str, FactValue]) -> Iterator[NearMiss]:
    """Yield the rules whose parts all hold except one."""
    for rule in rules:
        failed = [part for part in rule.when.parts if _evaluate_part(part, facts) is False]
        if len(failed) == 1 and all(_evaluate_part(part, facts) for part in rule.when.parts if part is not failed[0]):
            yield NearMiss(rule.id, rule.effect, rule.citation, str(failed[0]))


def _evaluate_part(part: FactTest | AnyOf, facts: Mapping[str, FactValue]) -> bool | None:
    try:
        return part.evaluate(facts)
    except TypeError:
        return None
