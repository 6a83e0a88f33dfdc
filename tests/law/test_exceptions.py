"""Exceptions of prohibitions: what the facts decide, what a person decides, and what nobody may weigh."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from sharing.errors import PackError
from sharing.law.explanation import explain_outcomes
from sharing.law.fact_groups import ABSOLUTE_FACTS
from sharing.law.facts import FACTS
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import EVALUATION_FAILED, UndecidedRule
from sharing.model.vocabulary import Effect, Outcome
from sharing.relevance.audience import Audience
from tests.law.strategies import NOW_MS
from tests.law.test_explanation import APPROVAL, CONDITION, DERIVED, PERMIT, RECORD, TO_US, explain_one, make_filter

ANSWERS = {"YES": True, "NO": False, "UNKNOWN": None}
DENY: dict[str, Any] = {"effect": "DENY", "when": {"personal_data": True}}
WEIGHED: dict[str, Any] = {**DENY, "exception": {"when": {"minor": True}, "approver": "JUDGE"}}


def decide(*rules: dict[str, Any], **changes: Any) -> RecipientDecision:
    (decision,) = make_filter(*rules).decide({**RECORD, **changes}, TO_US, NOW_MS).recipients
    return decision


def list_effects(decision: RecipientDecision) -> dict[str, Effect]:
    return {rule.id: rule.effect for rule in decision.rules if rule.id.startswith("t.")}


# --- The truth table ---

LIFTED, DENIES, WITHHOLDS, ASKS, ABSENT = "lifted", "denies", "withholds", "asks", "absent"
TRUTH_TABLE = {
    ("YES", "YES"): LIFTED, ("YES", "NO"): DENIES, ("YES", "UNKNOWN"): ASKS,
    ("UNKNOWN", "YES"): LIFTED, ("UNKNOWN", "NO"): WITHHOLDS, ("UNKNOWN", "UNKNOWN"): ASKS,
    ("NO", "YES"): ABSENT, ("NO", "NO"): ABSENT, ("NO", "UNKNOWN"): ABSENT,
}  # fmt: skip
"""The rule holds, and its exception applies, to what happens with the rule."""


@pytest.mark.parametrize(("holds", "excepted"), list(product(ANSWERS, ANSWERS)))
def test_a_rule_with_an_exception_follows_the_truth_table(holds: str, excepted: str) -> None:
    decision = decide(PERMIT, WEIGHED, personal_data=holds, minor=excepted)
    happens = TRUTH_TABLE[holds, excepted]
    missing = {UndecidedRule("t.1", "personal_data")} if holds == "UNKNOWN" else set()
    if happens in (LIFTED, ABSENT):
        assert decision.outcome is Outcome.DISCLOSE
        assert list_effects(decision).get("t.1") == (Effect.RECORD if happens == LIFTED else None)
        assert decision.undecided == ()
    elif happens == ASKS:
        assert (decision.outcome, decision.approver) == (Outcome.HOLD, "JUDGE")
        assert list_effects(decision)["t.1"] is Effect.APPROVAL
        assert set(decision.undecided) == {UndecidedRule("t.1", "minor"), *missing}
    else:
        assert decision.outcome is Outcome.WITHHOLD
        assert list_effects(decision) == ({"t.1": Effect.DENY} if happens == DENIES else {})
        assert set(decision.undecided) == missing


def test_an_exception_lifts_no_other_rule() -> None:
    assert decide(PERMIT, WEIGHED, DENY, personal_data="YES", minor="YES").outcome is Outcome.WITHHOLD
    other = {**WEIGHED, "exception": {"when": {"minor": False}, "approver": "JUDGE"}}
    decision = decide(PERMIT, WEIGHED, other, personal_data="YES", minor="YES")
    assert list_effects(decision) == {"t.1": Effect.RECORD, "t.2": Effect.DENY}


def test_an_exception_permits_nothing_by_itself() -> None:
    for answer in ANSWERS:
        assert decide(WEIGHED, personal_data="YES", minor=answer).outcome is Outcome.WITHHOLD
    undecided_permission = {**PERMIT, "when": {"live_case_harm": False}}
    decision = decide(undecided_permission, WEIGHED, personal_data="YES", minor="UNKNOWN", live_case_harm="UNKNOWN")
    assert (decision.outcome, decision.approver) == (Outcome.WITHHOLD, None)


def test_an_open_exception_holds_only_what_would_leave() -> None:
    undecided = {"effect": "REDACT", "when": {"live_case_harm": True}, "needs": {"redact": ["summary"]}}
    decision = decide(PERMIT, WEIGHED, undecided, personal_data="YES", minor="UNKNOWN", live_case_harm="UNKNOWN")
    assert decision.outcome is Outcome.WITHHOLD
    somalia = make_filter(PERMIT, WEIGHED, SO="POLICE")  # its treaties have not been looked up
    record = {**RECORD, "personal_data": "YES", "minor": "UNKNOWN"}
    (decision,) = somalia.decide(record, Audience([("SO", DERIVED)]), NOW_MS).recipients
    assert decision.outcome is Outcome.WITHHOLD


def test_conditions_bind_what_a_person_lets_leave() -> None:
    decision = decide(PERMIT, CONDITION, WEIGHED, personal_data="YES", minor="UNKNOWN")
    assert decision.outcome is Outcome.HOLD
    assert [condition.text for condition in decision.conditions] == ["Only so."]
    assert decide(PERMIT, CONDITION, WEIGHED, personal_data="YES", minor="YES").outcome is Outcome.OFFER


def test_a_decision_names_the_role_that_the_pack_lists_first() -> None:
    """Whether an approval or an exception asks it, and in whatever order the rules stand."""
    officer = {"approver": "OFFICER"}
    for asking in (
        (WEIGHED, {**APPROVAL, "needs": officer}),
        ({**WEIGHED, "exception": {"when": {"minor": True}, **officer}}, {**APPROVAL, "needs": {"approver": "JUDGE"}}),
    ):
        for rules in (asking, asking[::-1]):
            assert decide(PERMIT, *rules, personal_data="YES", minor="UNKNOWN").approver == "JUDGE"
    assert decide(PERMIT, {**APPROVAL, "needs": officer}, personal_data="YES").approver == "OFFICER"


def test_an_exception_on_facts_of_the_recipient_is_decided_for_each_recipient() -> None:
    rule = {**DENY, "exception": {"when": {"recipient.state": "US"}, "approver": "JUDGE"}}
    law = make_filter(PERMIT, rule, US="POLICE", GB="POLICE")
    record = {**RECORD, "personal_data": "YES"}
    decisions = law.decide(record, Audience([("US", DERIVED), ("GB", DERIVED)]), NOW_MS).recipients
    assert {one.state: one.outcome for one in decisions} == {"US": Outcome.DISCLOSE, "GB": Outcome.WITHHOLD}


def test_an_exception_whose_evaluation_fails_lifts_nothing_and_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    law = make_filter(PERMIT, {**DENY, "exception": {"when": {"offence.max_penalty_years": {"at_least": 4}},
                                                     "approver": "JUDGE"}})  # fmt: skip
    record = {**RECORD, "personal_data": "YES", "offence": {**RECORD["offence"], "max_penalty_years": "many"}}
    (decision,) = law.decide(record, TO_US, NOW_MS).recipients
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.undecided == (UndecidedRule("t.1", EVALUATION_FAILED),)
    assert law.rule_errors["t.1"] > 0


# --- What nobody may weigh ---

PROTECTED = sorted(
    name
    for name in FACTS
    if any(word in name for word in ("death_penalty", "capital_", "mistreatment", "persecution")) or name == "character"
)


def test_death_mistreatment_and_persecution_are_all_protected() -> None:
    assert set(PROTECTED) >= ABSOLUTE_FACTS
    assert len(PROTECTED) >= 9


@pytest.mark.parametrize("fact", PROTECTED)
def test_no_rule_on_death_mistreatment_or_persecution_has_an_exception(fact: str) -> None:
    constraint = "POLITICAL" if fact == "character" else True
    for when, exception in (({fact: constraint}, {"minor": True}), ({"personal_data": True}, {fact: constraint})):
        rule = {"effect": "DENY", "when": when, "exception": {"when": exception, "approver": "JUDGE"}}
        with pytest.raises(PackError, match=rf"a rule that tests {fact} must not have an exception \(rule t\.1\)"):
            make_filter(PERMIT, rule)
    nested = {"effect": "DENY", "when": {"any_of": [{"minor": True}, {fact: constraint}]}}
    with pytest.raises(PackError, match="must not have an exception"):
        make_filter(PERMIT, {**nested, "exception": {"when": {"personal_data": True}, "approver": "JUDGE"}})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({**WEIGHED, "effect": "PERMIT"}, r"exception: effect PERMIT must not have an exception: it lifts a DENY"),
        ({**DENY, "exception": {"when": {}, "approver": "JUDGE"}}, r"\.when: an exception that always applies"),
        ({**DENY, "exception": {"when": {"minor": True}, "approver": "JUGDE"}}, r"did you mean 'JUDGE'\?"),
        ({**DENY, "exception": {"when": {"minro": True}, "approver": "JUDGE"}},
         r"rules\.1\.exception\.when\.minro: unknown fact; did you mean 'minor'\?"),
        ({**DENY, "exception": {"when": {"minor": True}}}, r"exception\.approver: is missing"),
        ({**DENY, "exception": {"when": {"minor": True}, "approver": "JUDGE", "role": "x"}}, r"\.role: unknown"),
    ],
)  # fmt: skip
def test_a_broken_exception_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(PackError, match=message):
        make_filter(PERMIT, rule)


# --- Explained ---


def test_a_held_item_shows_what_the_answer_would_change() -> None:
    explanation = explain_one(make_filter(PERMIT, CONDITION, WEIGHED), personal_data="YES", minor="UNKNOWN")
    assert {(change.facts, change.outcome) for change in explanation.would_change} == {
        ((("minor", "YES"),), "OFFER"), ((("minor", "NO"),), "WITHHOLD"),
    }  # fmt: skip
    assert explanation.human == "Approval by A judge of the canton"
    (asking,) = (rule for rule in explanation.applied if rule.missing)
    assert (asking.id, asking.effect, asking.missing) == ("t.2", Effect.APPROVAL, ("minor",))


def test_what_would_change_a_withheld_item_counts_the_person_who_is_asked() -> None:
    law = make_filter({**PERMIT, "when": {"live_case_harm": False}}, WEIGHED)
    changes = explain_one(law, personal_data="YES", minor="UNKNOWN", live_case_harm="UNKNOWN").would_change
    assert {(change.facts, change.outcome) for change in changes} == {((("live_case_harm", "NO"),), "HOLD")}


def test_no_answer_changes_what_an_exception_does_not_lift() -> None:
    law = make_filter(PERMIT, WEIGHED)
    assert explain_one(law, personal_data="YES", minor="NO").would_change == ()
    assert explain_one(law, personal_data="YES", minor="YES").would_change == ()


def test_two_exceptions_need_two_answers() -> None:
    other = {**DENY, "exception": {"when": {"exculpatory": True}, "approver": "JUDGE"}}
    law = make_filter(PERMIT, WEIGHED, other)
    changes = explain_one(law, personal_data="YES", minor="UNKNOWN", exculpatory="UNKNOWN").would_change
    # Either NO withholds it already.
    assert {(change.facts, change.outcome) for change in changes} == {
        ((("exculpatory", "NO"),), "WITHHOLD"), ((("minor", "NO"),), "WITHHOLD"),
    }  # fmt: skip


def test_a_lifted_rule_is_shown_as_lifted() -> None:
    (explanation,) = explain_outcomes(
        make_filter(PERMIT, WEIGHED), {**RECORD, "personal_data": "YES", "minor": "YES"}, TO_US, NOW_MS
    )
    (lifted,) = (rule for rule in explanation.applied if rule.lifted)
    assert (lifted.id, lifted.effect) == ("t.1", Effect.RECORD)
