"""Explanations: they describe the actual decision, and their counterfactuals are true."""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.explanation import ExplainedRule, Explanation, explain_outcomes
from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS, FactKind
from sharing.law.filter import DisclosureFilter
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.decision import RecipientDecision
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance.audience import EMPTY_AUDIENCE, Audience
from tests.law.shipped import STATES, find_law, load_items, sample_items
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_RULES,
    DAY,
    DAYS,
    EDGES,
    NOW_MS,
    TREATIES,
    dump_yaml,
    packs,
    records,
    search_settings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

QUIET = list(HealthCheck)
DERIVED = (Reason(RelevanceKind.NEXUS_DERIVED, "ccTLD .us"),)
TO_US = Audience([("US", DERIVED)])
RECORD: dict[str, Any] = {**load_items("CH")[0].record(), "form": "INFORMATION", "action": "PUBLISH", "nexus": []}


def make_filter(*rules: dict[str, Any], **authorities: str) -> DisclosureFilter:
    """Return the filter of a pack with some rules, for which only `when` and `effect` are needed."""
    data = {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": ["BUDAPEST", "UNCAC"],
        "approvers": {"JUDGE": "A judge of the canton", "OFFICER": "An officer"},
        "rules": [
            {"id": f"t.{number}", "citation": f"art. {number}", "paraphrase": f"Paraphrase {number}.",
             "nature": "statute", "source": "K", "verified": number == 0, "valid": {"from": DAYS[0]},
             "when": {}, **rule}
            for number, rule in enumerate(rules)
        ],
    }  # fmt: skip
    pack = parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
    return DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities(authorities or {"US": "POLICE"}))


def explain_one(
    law: DisclosureFilter, only: str | None = None, audience: Audience = TO_US, **changes: Any
) -> Explanation:
    (explanation,) = explain_outcomes(law, {**RECORD, **changes}, audience, NOW_MS, only)
    return explanation


PERMIT: dict[str, Any] = {"effect": "PERMIT"}
CONDITION = {"effect": "CONDITION", "needs": {"condition": {"kind": "PURPOSE", "text": "Only so."}}}
APPROVAL = {"effect": "APPROVAL", "needs": {"approver": "JUDGE"}}


# --- The sentence ---


@pytest.mark.parametrize(
    ("rules", "sentence", "human"),
    [
        ([PERMIT], "US receives the content immediately.", ""),
        ([PERMIT, CONDITION], "US receives an offer; the content leaves once the conditions are accepted.",
         "Acceptance of the conditions by US"),
        ([PERMIT, APPROVAL], "held for US until JUDGE approves.", "Approval by A judge of the canton"),
        ([PERMIT, {"effect": "DENY"}], "withheld from US: t.1 forbids it.", ""),
        ([PERMIT, {"effect": "DENY", "when": {"live_case_harm": True, "urgency": "URGENT"}}],
         "withheld from US: it is not known whether a restriction applies (missing: live_case_harm, urgency).", ""),
        ([{**PERMIT, "when": {"live_case_harm": False}}],
         "withheld from US: no rule is known to permit it (missing: live_case_harm).", ""),
        ([{**PERMIT, "when": {"form": "EVIDENCE"}}], "withheld from US: no rule permits it.", ""),
    ],
)  # fmt: skip
def test_the_sentence_gives_the_reason(rules: list[dict[str, Any]], sentence: str, human: str) -> None:
    explanation = explain_one(make_filter(*rules), live_case_harm="UNKNOWN", urgency="UNKNOWN")
    assert explanation.sentence == sentence
    assert explanation.human == human


def test_attached_conditions_are_mentioned() -> None:
    law = make_filter(PERMIT, CONDITION, GB="POLICE")
    shipped = DisclosureFilter(
        law.pack, TREATIES["shipped"], DAY, list_sole_authorities({"IE": "POLICE"})
    )  # UNCAC only
    offence = {**RECORD["offence"], "codes": ["CORRUPTION"]}
    explanation = explain_one(shipped, audience=Audience([("IE", DERIVED)]), offence=offence)
    assert explanation.sentence == "IE receives the content immediately under the attached conditions."


def test_a_state_whose_treaties_were_not_looked_up_is_explained() -> None:
    explanation = explain_one(make_filter(PERMIT, SO="POLICE"), audience=Audience([("SO", DERIVED)]))
    assert explanation.sentence == "withheld from SO: its treaties have not been looked up."


def test_a_state_that_is_not_considered_is_explained_hypothetically() -> None:
    explanation = explain_one(make_filter(PERMIT), only="US", audience=EMPTY_AUDIENCE)
    assert not explanation.considered
    assert explanation.sentence.startswith("Nothing points to US, so it is not considered. If it were: US receives")
    assert explain_one(make_filter(PERMIT), only="US").considered


def test_an_obliged_state_is_explained_among_those_considered() -> None:
    law = make_filter(PERMIT, {"effect": "OBLIGE", "when": {"recipient.state": "GB"}})
    explanations = explain_outcomes(law, RECORD, TO_US, NOW_MS)
    assert [(entry.state, entry.considered) for entry in explanations] == [("GB", True), ("US", True)]


# --- The rules ---


def test_applied_and_undecided_rules_are_described() -> None:
    explanation = explain_one(make_filter(PERMIT, {**CONDITION, "when": {"urgency": "URGENT"}}), urgency="UNKNOWN")
    applied = {rule.id: rule for rule in explanation.applied}
    assert set(applied) == {"common.audit", "t.0"}
    assert (applied["t.0"].citation, applied["t.0"].paraphrase) == ("art. 0", "Paraphrase 0.")
    assert applied["t.0"].verified
    (undecided,) = explanation.undecided
    assert (undecided.id, undecided.effect, undecided.missing) == ("t.1", "CONDITION", ("urgency",))
    assert not undecided.verified


def test_a_rule_with_a_single_false_part_is_a_near_miss() -> None:
    rules = [
        {**PERMIT, "when": {"form": "EVIDENCE", "action": "PUBLISH"}},
        {**PERMIT, "when": {"form": "EVIDENCE", "action": "WITHDRAW"}},  # two parts are false
        {**PERMIT, "when": {"form": "EVIDENCE", "live_case_harm": False}},  # one false, one unknown
    ]
    (near,) = explain_one(make_filter(*rules), live_case_harm="UNKNOWN").near
    assert (near.id, near.citation, near.kept_out_by) == ("t.0", "art. 0", "form is EVIDENCE")


# --- Counterfactuals ---


def test_only_the_smallest_sets_of_facts_are_listed() -> None:
    law = make_filter(
        {**PERMIT, "when": {"offence.max_penalty_years": {"at_least": 5}}},
        {"effect": "DENY", "when": {"live_case_harm": True}},
    )
    record = {**RECORD, "offence": {**RECORD["offence"], "max_penalty_years": None}}
    changes = explain_one(law, **{**record, "live_case_harm": "NO"}).would_change
    assert [(entry.facts, entry.outcome) for entry in changes] == [((("offence.max_penalty_years", "5"),), "DISCLOSE")]
    changes = explain_one(law, **{**record, "live_case_harm": "UNKNOWN"}).would_change
    assert [change.facts for change in changes] == [(("live_case_harm", "NO"), ("offence.max_penalty_years", "5"))]
    assert explain_one(law, **{**record, "live_case_harm": "YES"}).would_change == ()


def test_a_bound_within_nested_alternatives_is_tried() -> None:
    inner = {"any_of": [{"any_of": [{"offence.max_penalty_years": {"at_least": 7}}]}]}
    record = {**RECORD, "offence": {**RECORD["offence"], "max_penalty_years": None}}
    (change,) = explain_one(make_filter({**PERMIT, "when": inner}), **record).would_change
    assert change.facts == (("offence.max_penalty_years", "7"),)


def test_values_that_a_rule_tests_together_are_tried_together() -> None:
    law = make_filter({**PERMIT, "when": {"character": {"includes": ["MILITARY", "RACIAL"]}}})
    (change,) = explain_one(law, character=None).would_change
    assert change.facts == (("character", "MILITARY, RACIAL"),)


TREATY_FACTS = {"treaty_basis", "condition_model", "recipient.treaties"}
SITUATIONS = st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(
        packs(tuple(names)), AUTHORITIES, st.lists(st.tuples(records(tuple(names)), AUDIENCES), min_size=2, max_size=3)
    )
)


def values_of(name: str) -> Sequence[FactValue]:
    """Return the values of a fact: numbers around the bounds in use, and all sets of up to two values."""
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        return [edge + step for edge in EDGES for step in (0.0, 0.5)]
    if fact.kind is FactKind.SET:
        sizes = (combinations(sorted(fact.values), size) for size in range(3))
        return [frozenset(members) for members in chain.from_iterable(sizes)]
    return sorted(fact.values)


@settings(search_settings(0.04), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_an_explanation_matches_the_decision_and_its_counterfactuals_are_true(situation: Any) -> None:
    data, authorities, pairs = situation
    pack = parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, authorities)
    for record, audience in pairs:
        decided = {decision.state: decision for decision in law.decide(record, audience, NOW_MS).recipients}
        for explanation in explain_outcomes(law, record, audience, NOW_MS):
            decision = decided[explanation.state]
            assert explanation.outcome == decision.outcome
            assert {(rule.id, fact) for rule in list_open_rules(explanation) for fact in rule.missing} == {
                (entry.rule, entry.fact) for entry in decision.undecided
            }
            assert {rule.id for rule in decision.rules} <= {rule.id for rule in explanation.applied}
            check_counterfactuals(law, record, decision, explanation)


def list_open_rules(explanation: Explanation) -> list[ExplainedRule]:
    """Return the rules with missing facts: undecided ones, and those on whose exception a person decides."""
    return [rule for rule in (*explanation.undecided, *explanation.applied) if rule.missing]


def check_counterfactuals(
    law: DisclosureFilter, record: dict[str, Any], decision: RecipientDecision, explanation: Explanation
) -> None:
    item = law.read_item_facts(record, NOW_MS)
    named = any(reason.kind is RelevanceKind.NEXUS_STATED for reason in decision.relevance)

    def outcome(**known: Any) -> str:
        recipient, basis, *_ = law.profile_recipient(explanation.state, {**item, **known}, named=named)
        return str(
            combine_results(explanation.state, law.evaluate_rules(item, {**recipient, **known}), basis, ()).outcome
        )

    missing = {fact for rule in list_open_rules(explanation) for fact in rule.missing}
    outcomes = {change.facts: change.outcome for change in explanation.would_change}
    for facts, after in outcomes.items():
        assert after != explanation.outcome
        known = {name: parse_value(name, text) for name, text in facts}
        assert known.keys() <= missing
        assert outcome(**known) == after
    sizes = {len(facts) for facts in outcomes}
    assert len(sizes) <= 1
    for name in missing - TREATY_FACTS:
        if any(outcome(**{name: value}) != explanation.outcome for value in values_of(name)):
            assert sizes == {1}, name
            assert any(facts[0][0] == name for facts in outcomes), name


def parse_value(name: str, text: str) -> FactValue:
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        return float(text)
    if fact.kind is FactKind.SET:
        return frozenset() if text == "none" else frozenset(text.split(", "))
    return text


@pytest.mark.parametrize("state", STATES)
def test_explanations_of_the_shipped_cases_are_deterministic(state: str) -> None:
    found = find_law(state)
    for item in sample_items(state, 6):
        laws = [
            DisclosureFilter(
                found.pack,
                found.treaties,
                to_utc_day(item.now_ms),
                list_sole_authorities({item.recipient: item.authority}),
            )
            for _ in range(2)
        ]
        audience = Audience([(item.recipient, DERIVED)])
        record = item.record(nexus=[])
        first, second = (explain_outcomes(law, record, audience, item.now_ms) for law in laws)
        assert repr(first) == repr(second)
        for explanation in first:
            decision = next(
                recipient
                for recipient in laws[0].decide(record, audience, item.now_ms).recipients
                if recipient.state == explanation.state
            )
            assert explanation.outcome == decision.outcome
            assert explanation.sentence
            # An explanation is shown on a screen: it has facts and rules, never the value.
            assert record["value"] not in repr(explanation)


# --- The decisive rule first, and what kind of text it is ---


def test_the_decisive_rule_comes_first() -> None:
    rules = [
        {"effect": "RECORD"}, PERMIT, {"effect": "OBLIGE"}, CONDITION, APPROVAL,
        {"effect": "DENY", "nature": "caution"}, {"effect": "DENY"},
    ]  # fmt: skip
    explanation = explain_one(make_filter(*rules))
    # A caution after the law; the common rule of the pack is a RECORD.
    assert [rule.id for rule in explanation.applied] == [
        "t.6",
        "t.5",
        "t.4",
        "t.3",
        "t.1",
        "t.2",
        "common.audit",
        "t.0",
    ]
    assert explanation.sentence == "withheld from US: t.6 forbids it."


def test_a_caution_does_not_read_as_law() -> None:
    explanation = explain_one(make_filter(PERMIT, {"effect": "DENY", "nature": "caution"}))
    assert explanation.sentence == "withheld from US: as a caution, t.1 withholds it."
    assert explanation.applied[0].nature == "caution"


def test_undecided_rules_are_in_the_same_order() -> None:
    rules = [{**CONDITION, "when": {"minor": True}}, {"effect": "DENY", "when": {"minor": True}}]
    explanation = explain_one(make_filter(PERMIT, *rules), minor="UNKNOWN")
    assert [rule.id for rule in explanation.undecided] == ["t.2", "t.1"]
