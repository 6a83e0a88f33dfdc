"""How rules that hold, and rules that cannot be decided, determine an outcome."""

from __future__ import annotations

import datetime as dt
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.law.combination import RuleResult, combine_results
from sharing.law.constraints import Conjunction
from sharing.law.pack import Rule
from sharing.law.treaties import Period
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.decision import RecipientDecision
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.model.recipient_terms import Condition, UndecidedRule
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Outcome, RelevanceKind
from tests.law.strategies import search_settings

PRE_ACCEPT = TreatyBasis("BUDAPEST", ConditionModel.PRE_ACCEPT)
ATTACHED = TreatyBasis("UNCAC", ConditionModel.ATTACHED_BINDING)
UNKNOWN_TREATY = TreatyBasis(None, None)
OPENNESS = [Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE]
REASONS = (Reason(RelevanceKind.NEXUS_STATED, "hosted there"),)


def make_rule(effect: Effect, number: int = 0, **needs: Any) -> Rule:
    """Return a rule with the needs of its effect."""
    rule_id = f"t.{number}-{effect.lower()}"
    if effect is Effect.APPROVAL:
        needs = {"approver": f"JUDGE_{number}", **needs}
    if effect is Effect.CONDITION:
        needs = {"condition": Condition(rule_id, ConditionKind.PURPOSE, "Only so."), **needs}
    if effect is Effect.REDACT:
        needs = {"redact": ("value",), **needs}
    return Rule(
        id=rule_id, citation=f"art. {number}", paraphrase="p", source="K", verified=False,
        valid=Period(dt.date(2000, 1, 1)), when=Conjunction(()), effect=effect, **needs,
    )  # fmt: skip


def make_held(*effects: Effect) -> list[RuleResult]:
    """Return the results of rules that hold."""
    return [RuleResult(make_rule(effect, number), held=True) for number, effect in enumerate(effects)]


def make_undecided(effect: Effect, *missing: str) -> RuleResult:
    """Return the result of a rule that lacks facts."""
    return RuleResult(make_rule(effect, 9), held=None, missing=missing or ("form",))


def decide(results: list[RuleResult], basis: TreatyBasis = PRE_ACCEPT) -> RecipientDecision:
    return combine_results("FR", results, basis, REASONS)


# --- Precedence ---


def test_without_a_permission_everything_is_withheld() -> None:
    assert decide([]).outcome is Outcome.WITHHOLD
    assert decide(make_held(Effect.OBLIGE, Effect.RECORD)).outcome is Outcome.WITHHOLD
    assert decide(make_held(Effect.CONDITION, Effect.APPROVAL, Effect.REDACT)).outcome is Outcome.WITHHOLD


@pytest.mark.parametrize(
    ("effects", "before_content", "attached"),
    [
        ((Effect.PERMIT,), Outcome.DISCLOSE, Outcome.DISCLOSE),
        ((Effect.PERMIT, Effect.CONDITION), Outcome.OFFER, Outcome.DISCLOSE),
        ((Effect.PERMIT, Effect.REDACT), Outcome.DISCLOSE, Outcome.DISCLOSE),
        ((Effect.PERMIT, Effect.APPROVAL), Outcome.HOLD, Outcome.HOLD),
        ((Effect.PERMIT, Effect.CONDITION, Effect.APPROVAL), Outcome.HOLD, Outcome.HOLD),
        ((Effect.PERMIT, Effect.DENY), Outcome.WITHHOLD, Outcome.WITHHOLD),
        ((Effect.PERMIT, Effect.PERMIT, Effect.APPROVAL, Effect.DENY), Outcome.WITHHOLD, Outcome.WITHHOLD),
        ((Effect.PERMIT, Effect.OBLIGE), Outcome.DISCLOSE, Outcome.DISCLOSE),
        ((Effect.DENY, Effect.OBLIGE), Outcome.WITHHOLD, Outcome.WITHHOLD),
    ],
)
def test_the_more_restrictive_effect_prevails(
    effects: tuple[Effect, ...], before_content: Outcome, attached: Outcome
) -> None:
    assert decide(make_held(*effects)).outcome is before_content
    assert decide(make_held(*effects), ATTACHED).outcome is attached


def test_without_looked_up_treaties_everything_is_withheld() -> None:
    decision = decide(make_held(Effect.PERMIT, Effect.OBLIGE), UNKNOWN_TREATY)
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.basis is None
    assert decision.condition_model is None


def test_without_a_common_treaty_conditions_must_be_accepted_first() -> None:
    decision = decide(make_held(Effect.PERMIT, Effect.CONDITION), TreatyBasis("NONE", ConditionModel.PRE_ACCEPT))
    assert decision.outcome is Outcome.OFFER
    assert decision.basis is None


# --- Undecided rules ---


@pytest.mark.parametrize("effect", sorted(RESTRICTING_EFFECTS))
def test_an_undecided_restriction_withholds(effect: Effect) -> None:
    decision = decide([*make_held(Effect.PERMIT), make_undecided(effect, "form", "urgency")])
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.undecided == (
        UndecidedRule(f"t.9-{effect.lower()}", "form"),
        UndecidedRule(f"t.9-{effect.lower()}", "urgency"),
    )


def test_an_undecided_permission_does_not_permit() -> None:
    assert decide([make_undecided(Effect.PERMIT)]).outcome is Outcome.WITHHOLD
    assert decide([*make_held(Effect.PERMIT), make_undecided(Effect.PERMIT)]).outcome is Outcome.DISCLOSE


@pytest.mark.parametrize("effect", [Effect.OBLIGE, Effect.RECORD])
def test_an_undecided_obligation_or_record_withholds_nothing(effect: Effect) -> None:
    decision = decide([*make_held(Effect.PERMIT), make_undecided(effect)])
    assert decision.outcome is Outcome.DISCLOSE
    assert not decision.is_obligatory
    assert decision.undecided


# --- The terms of an outcome ---


def test_a_refusal_names_the_denying_rules_and_has_no_terms() -> None:
    decision = decide(make_held(*Effect))
    assert [entry.effect for entry in decision.rules] == [Effect.DENY, Effect.OBLIGE, Effect.RECORD]
    assert (decision.conditions, decision.redacted, decision.approver) == ((), (), None)
    assert decision.is_obligatory


def test_a_disclosure_names_every_rule_that_holds_and_its_terms() -> None:
    effects = (Effect.PERMIT, Effect.CONDITION, Effect.REDACT, Effect.RECORD, Effect.OBLIGE)
    decision = decide(make_held(*effects))
    assert [entry.effect for entry in decision.rules] == list(effects)
    assert [entry.citation for entry in decision.rules] == [f"art. {number}" for number in range(5)]
    assert decision.conditions == (Condition("t.1-condition", ConditionKind.PURPOSE, "Only so."),)
    assert decision.redacted == ("value",)
    assert decision.is_obligatory
    assert decision.relevance == REASONS


def test_only_a_hold_names_an_approver() -> None:
    assert decide(make_held(Effect.PERMIT, Effect.APPROVAL)).approver == "JUDGE_1"
    assert decide(make_held(Effect.PERMIT, Effect.APPROVAL, Effect.DENY)).approver is None
    assert decide(make_held(Effect.PERMIT)).approver is None
    both = decide(make_held(Effect.PERMIT, Effect.APPROVAL, Effect.APPROVAL))
    assert both.approver == "JUDGE_1"
    assert [entry.id for entry in both.rules][1:] == ["t.1-approval", "t.2-approval"]


def test_an_approver_of_the_states_own_rules_precedes_one_of_the_common_rules() -> None:
    common = make_rule(Effect.APPROVAL, 0, approver="OFFICER", is_common=True)
    first, second = (make_rule(Effect.APPROVAL, number) for number in (1, 2))
    assert common.id < first.id
    permit = make_rule(Effect.PERMIT, 3)
    for approving, approver in (
        ((common,), "OFFICER"), ((common, first, second), "JUDGE_1"), ((common, second), "JUDGE_2"),
    ):  # fmt: skip
        decision = decide([RuleResult(entry, held=True) for entry in (*approving, permit)])
        assert decision.approver == approver
        assert {entry.id for entry in decision.rules} == {entry.id for entry in (*approving, permit)}


def test_redactions_of_several_rules_are_combined() -> None:
    results = [
        *make_held(Effect.PERMIT),
        RuleResult(make_rule(Effect.REDACT, 1, redact=("value", "summary")), held=True),
        RuleResult(make_rule(Effect.REDACT, 2, redact=("summary", "purpose")), held=True),
    ]
    assert decide(results).redacted == ("purpose", "summary", "value")


# --- Properties ---

_RESULTS = st.lists(st.tuples(st.sampled_from(list(Effect)), st.sampled_from([True, None])), max_size=6).map(
    lambda pairs: [
        RuleResult(make_rule(effect, number), held=value, missing=() if value else ("form",))
        for number, (effect, value) in enumerate(pairs)
    ]
)
_BASES = st.sampled_from([PRE_ACCEPT, ATTACHED, UNKNOWN_TREATY, TreatyBasis("NONE", ConditionModel.PRE_ACCEPT)])


def openness(decision: RecipientDecision) -> int:
    return OPENNESS.index(decision.outcome)


@search_settings(0.1)
@given(_RESULTS, _BASES, st.sampled_from(sorted(RESTRICTING_EFFECTS)), st.sampled_from([True, None]))
def test_an_additional_restriction_never_makes_the_outcome_more_open(
    results: list[RuleResult], basis: TreatyBasis, effect: Effect, value: bool | None
) -> None:
    extended = [*results, RuleResult(make_rule(effect, 99), held=value, missing=() if value else ("form",))]
    before, after = decide(results, basis), decide(extended, basis)
    assert openness(after) <= openness(before)
    if after.outcome is not Outcome.WITHHOLD:
        assert set(after.redacted) >= set(before.redacted)
        assert set(after.conditions) >= set(before.conditions)


@search_settings(0.1)
@given(_RESULTS, _BASES, st.data())
def test_a_missing_fact_never_makes_the_outcome_more_open(
    results: list[RuleResult], basis: TreatyBasis, data: st.DataObject
) -> None:
    """A rule that held or did not hold becomes undecided."""
    without_facts = [
        RuleResult(entry.rule, held=None, missing=("form",)) if data.draw(st.booleans()) else entry for entry in results
    ]
    remaining = [entry for entry in without_facts if entry.held is None or data.draw(st.booleans())]
    with_undecided = [*remaining, make_undecided(data.draw(st.sampled_from(list(Effect))))]
    assert openness(decide(without_facts, basis)) <= openness(decide(results, basis))
    assert openness(decide(with_undecided, basis)) <= openness(decide(remaining, basis))


@pytest.mark.parametrize(("basis", "first", "second"), list(product([PRE_ACCEPT, ATTACHED], Effect, Effect)))
def test_the_order_of_two_results_does_not_change_the_outcome(
    basis: TreatyBasis, first: Effect, second: Effect
) -> None:
    results = make_held(Effect.PERMIT, first, second)
    assert decide(results, basis).outcome is decide(results[::-1], basis).outcome
