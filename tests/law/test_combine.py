"""How rules that hold, and rules that nobody can decide, make an outcome."""

from __future__ import annotations

import datetime as dt
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.law.combine import RESTRICTIONS, RuleFinding, combine
from sharing.law.constraints import Conjunction
from sharing.law.pack import Rule
from sharing.law.recipients import TreatyBasis
from sharing.law.treaties import Period
from sharing.model.decision import Condition, Reason, RecipientDecision, UndecidedRule
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Outcome, RelevanceKind
from tests.law.strategies import searched

PRE_ACCEPT = TreatyBasis("BUDAPEST", ConditionModel.PRE_ACCEPT)
ATTACHED = TreatyBasis("UNCAC", ConditionModel.ATTACHED_BINDING)
UNKNOWN_TREATY = TreatyBasis(None, None)
OPENNESS = [Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE]
REASONS = (Reason(RelevanceKind.NEXUS_STATED, "there"),)


def rule(effect: Effect, number: int = 0, **needs: Any) -> Rule:
    """Return a rule; its needs are those of its effect."""
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


def held(*effects: Effect) -> list[RuleFinding]:
    """Return findings of rules that hold."""
    return [RuleFinding(rule(effect, number), held=True) for number, effect in enumerate(effects)]


def undecided(effect: Effect, *missing: str) -> RuleFinding:
    """Return the finding of a rule that lacks facts."""
    return RuleFinding(rule(effect, 9), held=None, missing=missing or ("form",))


def decide(findings: list[RuleFinding], basis: TreatyBasis = PRE_ACCEPT) -> RecipientDecision:
    return combine("FR", findings, basis, REASONS)


# --- Precedence ---


def test_without_a_permission_nothing_leaves() -> None:
    assert decide([]).outcome is Outcome.WITHHOLD
    assert decide(held(Effect.OBLIGE, Effect.RECORD)).outcome is Outcome.WITHHOLD
    assert decide(held(Effect.CONDITION, Effect.APPROVAL, Effect.REDACT)).outcome is Outcome.WITHHOLD


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
    assert decide(held(*effects)).outcome is before_content
    assert decide(held(*effects), ATTACHED).outcome is attached


def test_where_nobody_looked_up_the_treaties_nothing_leaves() -> None:
    decision = decide(held(Effect.PERMIT, Effect.OBLIGE), UNKNOWN_TREATY)
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.basis is None
    assert decision.condition_model is None


def test_without_a_common_treaty_conditions_are_accepted_first() -> None:
    decision = decide(held(Effect.PERMIT, Effect.CONDITION), TreatyBasis("NONE", ConditionModel.PRE_ACCEPT))
    assert decision.outcome is Outcome.OFFER
    assert decision.basis is None


# --- What nobody can decide ---


@pytest.mark.parametrize("effect", sorted(RESTRICTIONS))
def test_an_undecided_restriction_withholds(effect: Effect) -> None:
    decision = decide([*held(Effect.PERMIT), undecided(effect, "form", "urgency")])
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.undecided == (
        UndecidedRule(f"t.9-{effect.lower()}", "form"),
        UndecidedRule(f"t.9-{effect.lower()}", "urgency"),
    )


def test_an_undecided_permission_does_not_permit() -> None:
    assert decide([undecided(Effect.PERMIT)]).outcome is Outcome.WITHHOLD
    assert decide([*held(Effect.PERMIT), undecided(Effect.PERMIT)]).outcome is Outcome.DISCLOSE


@pytest.mark.parametrize("effect", [Effect.OBLIGE, Effect.RECORD])
def test_what_rides_along_withholds_nothing_while_undecided(effect: Effect) -> None:
    decision = decide([*held(Effect.PERMIT), undecided(effect)])
    assert decision.outcome is Outcome.DISCLOSE
    assert not decision.obligation
    assert decision.undecided


# --- What goes with it ---


def test_a_refusal_names_what_forbids_and_no_terms() -> None:
    every = held(*Effect)
    decision = decide(every)
    assert [one.effect for one in decision.rules] == [Effect.DENY, Effect.OBLIGE, Effect.RECORD]
    assert (decision.conditions, decision.redacted, decision.approver) == ((), (), None)
    assert decision.obligation


def test_what_leaves_names_every_rule_that_holds_and_its_terms() -> None:
    effects = (Effect.PERMIT, Effect.CONDITION, Effect.REDACT, Effect.RECORD, Effect.OBLIGE)
    decision = decide(held(*effects))
    assert [one.effect for one in decision.rules] == list(effects)
    assert [one.citation for one in decision.rules] == [f"art. {number}" for number in range(5)]
    assert decision.conditions == (Condition("t.1-condition", ConditionKind.PURPOSE, "Only so."),)
    assert decision.redacted == ("value",)
    assert decision.obligation
    assert decision.relevance == REASONS


def test_only_what_is_held_names_an_approver() -> None:
    assert decide(held(Effect.PERMIT, Effect.APPROVAL)).approver == "JUDGE_1"
    assert decide(held(Effect.PERMIT, Effect.APPROVAL, Effect.DENY)).approver is None
    assert decide(held(Effect.PERMIT)).approver is None
    both = decide(held(Effect.PERMIT, Effect.APPROVAL, Effect.APPROVAL))
    assert both.approver == "JUDGE_1"
    assert [one.id for one in both.rules][1:] == ["t.1-approval", "t.2-approval"]


def test_whom_the_states_own_law_asks_comes_before_whom_every_law_asks() -> None:
    common = rule(Effect.APPROVAL, 0, approver="OFFICER", is_common=True)
    first, second = (rule(Effect.APPROVAL, number) for number in (1, 2))
    assert common.id < first.id
    permit = rule(Effect.PERMIT, 3)
    for approving, approver in (
        ((common,), "OFFICER"), ((common, first, second), "JUDGE_1"), ((common, second), "JUDGE_2"),
    ):  # fmt: skip
        decision = decide([RuleFinding(one, held=True) for one in (*approving, permit)])
        assert decision.approver == approver
        assert {one.id for one in decision.rules} == {one.id for one in (*approving, permit)}


def test_redactions_join() -> None:
    findings = [
        *held(Effect.PERMIT),
        RuleFinding(rule(Effect.REDACT, 1, redact=("value", "summary")), held=True),
        RuleFinding(rule(Effect.REDACT, 2, redact=("summary", "purpose")), held=True),
    ]
    assert decide(findings).redacted == ("purpose", "summary", "value")


# --- Properties ---

_FINDINGS = st.lists(st.tuples(st.sampled_from(list(Effect)), st.sampled_from([True, None])), max_size=6).map(
    lambda pairs: [
        RuleFinding(rule(effect, number), held=value, missing=() if value else ("form",))
        for number, (effect, value) in enumerate(pairs)
    ]
)
_BASES = st.sampled_from([PRE_ACCEPT, ATTACHED, UNKNOWN_TREATY, TreatyBasis("NONE", ConditionModel.PRE_ACCEPT)])


def opens(decision: RecipientDecision) -> int:
    return OPENNESS.index(decision.outcome)


@searched(0.1)
@given(_FINDINGS, _BASES, st.sampled_from(sorted(RESTRICTIONS)), st.sampled_from([True, None]))
def test_one_more_restriction_never_opens(
    findings: list[RuleFinding], basis: TreatyBasis, effect: Effect, value: bool | None
) -> None:
    more = [*findings, RuleFinding(rule(effect, 99), held=value, missing=() if value else ("form",))]
    before, after = decide(findings, basis), decide(more, basis)
    assert opens(after) <= opens(before)
    if after.outcome is not Outcome.WITHHOLD:
        assert set(after.redacted) >= set(before.redacted)
        assert set(after.conditions) >= set(before.conditions)


@searched(0.1)
@given(_FINDINGS, _BASES, st.data())
def test_one_fact_less_never_opens(findings: list[RuleFinding], basis: TreatyBasis, data: st.DataObject) -> None:
    """A rule that held, or did not, becomes undecided."""
    less = [
        RuleFinding(one.rule, held=None, missing=("form",)) if data.draw(st.booleans()) else one for one in findings
    ]
    unheld = [one for one in less if one.held is None or data.draw(st.booleans())]
    doubted = [*unheld, undecided(data.draw(st.sampled_from(list(Effect))))]
    assert opens(decide(less, basis)) <= opens(decide(findings, basis))
    assert opens(decide(doubted, basis)) <= opens(decide(unheld, basis))


@pytest.mark.parametrize(("basis", "first", "second"), list(product([PRE_ACCEPT, ATTACHED], Effect, Effect)))
def test_the_order_of_two_findings_makes_no_outcome(basis: TreatyBasis, first: Effect, second: Effect) -> None:
    findings = held(Effect.PERMIT, first, second)
    assert decide(findings, basis).outcome is decide(findings[::-1], basis).outcome
