"""Approvals that are undecided: in an emergency they ask the role that they name, otherwise they withhold."""

from __future__ import annotations

import datetime as dt
from itertools import product
from typing import Any

import pytest

from sharing.law.authorities import list_sole_authorities
from sharing.law.comparison import compare_laws
from sharing.law.comparison.differences import DifferenceKind, LawVersion
from sharing.law.fact_groups import ABSOLUTE_FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.questions import BARE_ITEM, find_questions
from sharing.law.reach import group_recipients
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import EVALUATION_FAILED, UndecidedRule
from sharing.model.vocabulary import Effect, Outcome
from sharing.relevance.audience import EMPTY_AUDIENCE
from tests.law.scenarios import PROVIDERS, STATES, decide_scenario
from tests.law.strategies import COMMON_RULES, DAY, DAYS, NOW_MS, TREATIES, dump_yaml
from tests.law.test_explanation import APPROVAL, CONDITION, PERMIT, RECORD, TO_US, explain_one, make_filter

EMERGENCY: dict[str, Any] = {
    "urgency": "EMERGENCY",
    "urgency_reason": "a threat",
    "source": {**RECORD["source"], "officer": "o-1"},
}
ASKING: dict[str, Any] = {**APPROVAL, "when": {"personal_data": True}}
OPENNESS = [Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE]


def decide(*rules: dict[str, Any], **changes: Any) -> RecipientDecision:
    (decision,) = make_filter(*rules).decide({**RECORD, **EMERGENCY, **changes}, TO_US, NOW_MS).recipients
    return decision


def test_in_an_emergency_an_undecided_approval_asks_its_role_and_names_what_is_missing() -> None:
    decision = decide(PERMIT, ASKING, personal_data="UNKNOWN")
    assert (decision.outcome, decision.approver) == (Outcome.HOLD, "JUDGE")
    assert decision.undecided == (UndecidedRule("t.1", "personal_data"),)
    assert {rule.id: rule.effect for rule in decision.rules if rule.id != "common.audit"} == {
        "t.0": Effect.PERMIT, "t.1": Effect.APPROVAL,
    }  # fmt: skip


@pytest.mark.parametrize("urgency", ["ORDINARY", "URGENT", "UNKNOWN"])
def test_otherwise_it_withholds(urgency: str) -> None:
    assert decide(PERMIT, ASKING, personal_data="UNKNOWN", urgency=urgency).outcome is Outcome.WITHHOLD


@pytest.mark.parametrize("lost", [{"urgency_reason": None}, {"source": {**RECORD["source"], "officer": None}}])
def test_an_emergency_that_nobody_answers_for_asks_nobody(lost: dict[str, Any]) -> None:
    assert decide(PERMIT, ASKING, personal_data="UNKNOWN", **lost).outcome is Outcome.WITHHOLD


def test_asking_is_at_least_as_strict_as_each_answer() -> None:
    asked = decide(PERMIT, CONDITION, ASKING, personal_data="UNKNOWN")
    for answer in ("YES", "NO"):
        known = decide(PERMIT, CONDITION, ASKING, personal_data=answer)
        assert OPENNESS.index(asked.outcome) <= OPENNESS.index(known.outcome)
        assert asked.conditions == known.conditions


def test_it_permits_nothing_and_lifts_nothing() -> None:
    other = {"effect": "DENY", "when": {"personal_data": True}}
    redaction = {"effect": "REDACT", "when": {"personal_data": True}, "needs": {"redact": ["summary"]}}
    for rules in ([ASKING], [PERMIT, ASKING, other], [PERMIT, ASKING, redaction]):
        assert decide(*rules, personal_data="UNKNOWN").outcome is Outcome.WITHHOLD


@pytest.mark.parametrize("fact", [*sorted(ABSOLUTE_FACTS), "findings.mistreatment_substantial_risk"])
def test_nobody_is_asked_about_death_mistreatment_or_persecution(fact: str) -> None:
    constraint = "POLITICAL" if fact == "character" else True
    unknown: dict[str, Any] = {"personal_data": "UNKNOWN", "character": None, "findings": {}}
    for when in ({fact: constraint}, {"any_of": [{"personal_data": True}, {fact: constraint}]}):
        decision = decide(PERMIT, {**APPROVAL, "when": when}, **unknown)
        assert decision.outcome is Outcome.WITHHOLD, when
        assert fact in {entry.fact for entry in decision.undecided}


def test_an_approval_whose_evaluation_fails_asks_nobody() -> None:
    rule = {**APPROVAL, "when": {"offence.max_penalty_years": {"at_least": 4}}}
    decision = decide(PERMIT, rule, offence={**RECORD["offence"], "max_penalty_years": "many"})
    assert decision.outcome is Outcome.WITHHOLD
    assert decision.undecided == (UndecidedRule("t.1", EVALUATION_FAILED),)


def test_an_approval_that_is_never_undecided_does_not_read_the_urgency() -> None:
    assert "urgency" in make_filter(PERMIT, ASKING).fact_names
    rule = {**APPROVAL, "when": {"handling": {"includes": "H3"}, "recipient.eu": True}}
    assert "urgency" not in make_filter(PERMIT, rule).fact_names


# --- The tools agree ---


def test_explain_shows_who_is_asked_and_what_the_answer_changes() -> None:
    explanation = explain_one(make_filter(PERMIT, ASKING), **EMERGENCY, personal_data="UNKNOWN")
    assert explanation.sentence == "held for US until JUDGE approves."
    assert {(change.facts, change.outcome) for change in explanation.would_change} == {
        ((("personal_data", "NO"),), "DISCLOSE")
    }
    (asking,) = (rule for rule in explanation.applied if rule.missing)
    assert (asking.id, asking.effect, asking.missing) == ("t.1", Effect.APPROVAL, ("personal_data",))


def test_the_ground_of_a_refusal_is_not_the_approval_that_would_be_asked() -> None:
    law = make_filter({**PERMIT, "when": {"minor": True}}, ASKING)
    record = {**RECORD, **EMERGENCY, "personal_data": "UNKNOWN", "minor": "UNKNOWN"}
    (group,) = group_recipients(law, record, EMPTY_AUDIENCE, ("US",), NOW_MS)
    assert group.terms.ground == "not known whether it is permitted; missing: minor"
    (group,) = group_recipients(law, {**record, "urgency": "ORDINARY"}, EMPTY_AUDIENCE, ("US",), NOW_MS)
    assert group.terms.ground == "not known whether a restriction applies; missing: personal_data"


def test_the_questions_show_what_remains_possible_without_the_answer() -> None:
    known = {**BARE_ITEM, "source.authority": "POLICE", "offence.codes": frozenset({"LAUNDERING"})}
    law = make_filter(PERMIT, ASKING)
    for urgency in ("EMERGENCY", "ORDINARY"):
        (question,) = find_questions(law, {**known, "urgency": urgency}, ["US"]).questions
        assert (question.fact, question.answers) == ("personal_data", {"NO": Outcome.DISCLOSE, "YES": Outcome.HOLD})
        assert question.rules == ("t.1",)


def test_a_comparison_finds_that_an_approval_asks_another_role_or_only_in_an_emergency() -> None:
    def read(*rules: dict[str, Any]) -> LawVersion:
        law = make_filter(PERMIT, *rules)
        return LawVersion(law.pack, TREATIES["small"])

    deny = {"effect": "DENY", "when": {"personal_data": True}}
    opened = compare_laws(read(deny), read(ASKING), DAY).opens
    assert {(one.kind, one.was, one.is_) for one in opened} == {
        (DifferenceKind.OUTCOME, Outcome.WITHHOLD, Outcome.HOLD)
    }
    officer = {**ASKING, "needs": {"approver": "OFFICER"}}
    assert {one.kind for one in compare_laws(read(ASKING), read(officer), DAY).opens} == {DifferenceKind.APPROVER}


# --- The packs ---


@pytest.mark.parametrize("state", ["DE", "NL", "FR", "GB", "US", "EU"])
def test_nobody_is_refused_in_an_emergency_because_privilege_was_not_asked_about(state: str) -> None:
    """The secrecy domain is unknown: the role that decides on secrets is asked, in each State that has one."""
    outcomes = {
        recipient: decide_scenario("EMERGENCY", state, recipient, secrecy_domain=None)
        for recipient in STATES
        if recipient != state
    }
    assert {decision.outcome for decision in outcomes.values()} == {Outcome.HOLD}
    assert all(decision.approver for decision in outcomes.values())


def test_without_any_finding_an_emergency_never_leaves_more_easily_than_with_favourable_ones() -> None:
    for provider, recipient in product(PROVIDERS, STATES):
        if provider != recipient:
            bare = decide_scenario("EMERGENCY", provider, recipient, findings={}, secrecy_domain=None)
            full = decide_scenario("EMERGENCY", provider, recipient)
            assert OPENNESS.index(bare.outcome) <= OPENNESS.index(full.outcome), (provider, recipient)


# --- What an agreement lacks ---

PACK: dict[str, Any] = {
    "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
    "treaty_preference": ["BILATERAL:police", "BUDAPEST"],
    "bilateral": {
        "police": {
            "state": "SO", "valid": {"from": DAYS[0]}, "condition_model": "ATTACHED_BINDING",
            "scope": {"offence.organised_group": True}, "authorities": {"from": ["POLICE"], "to": ["POLICE"]},
            "source": "K", "verified": False,
        }
    },
    "rules": [
        {"id": "t.1", "citation": "c", "paraphrase": "p", "nature": "statute", "source": "K", "verified": False,
         "valid": {"from": DAYS[0]}, "effect": "PERMIT", "when": {"treaty_basis": "BILATERAL:police"}},
        {"id": "t.2", "citation": "c", "paraphrase": "p", "nature": "statute", "source": "K", "verified": False,
         "valid": {"from": DAYS[0]}, "effect": "DENY", "when": {"treaty_basis": {"not": "BILATERAL:police"}}},
    ],
}  # fmt: skip


def read_agreement(day: dt.date = DAY) -> DisclosureFilter:
    pack = parse_pack(dump_yaml(PACK), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
    return DisclosureFilter(pack, TREATIES["small"], day, list_sole_authorities({"SO": "POLICE"}))


@pytest.mark.parametrize(
    ("organised", "outcome", "missing"),
    [
        ("YES", Outcome.DISCLOSE, set()),
        ("NO", Outcome.WITHHOLD, {"treaty_basis"}),
        ("UNKNOWN", Outcome.WITHHOLD, {"offence.organised_group"}),
    ],
)
def test_an_open_scope_of_the_only_agreement_is_named_by_the_fact_that_it_lacks(
    organised: str, outcome: Outcome, missing: set[str]
) -> None:
    """Whether or not the other treaties of the State have been looked up."""
    record = {**RECORD, "offence": {**RECORD["offence"], "organised_group": organised}}
    record["source"] = {**RECORD["source"], "authority": "POLICE"}
    verdict = read_agreement().decide(record, type(TO_US)([("SO", dict(TO_US.reasons_by_state)["US"])]), NOW_MS)
    (decision,) = verdict.recipients
    assert decision.outcome is outcome
    assert {entry.fact for entry in decision.undecided} == missing


def test_a_question_that_only_an_agreement_asks_names_the_agreement() -> None:
    known = {**BARE_ITEM, "source.authority": "POLICE", "offence.codes": frozenset({"LAUNDERING"})}
    (question,) = find_questions(read_agreement(), known, ["SO"]).questions
    assert (question.fact, question.rules) == ("offence.organised_group", ())
    assert question.citation == "agreement with Somalia (BILATERAL:police)"
