"""Explanations: they tell of the decision that is made, and what they say would change it does."""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.combine import combine
from sharing.law.explain import Explanation, explain
from sharing.law.facts import FACTS, FactKind, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack_reader import parse_pack
from sharing.model.audience import NOBODY, Audience
from sharing.model.decision import Reason, RecipientDecision
from sharing.model.times import utc_day
from sharing.model.vocabulary import RelevanceKind
from tests.law.shipped import STATES, find_law, items, some
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMONS,
    DAY,
    DAYS,
    EDGES,
    NOW_MS,
    TREATIES,
    dump,
    packs,
    records,
    searched,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

QUIET = list(HealthCheck)
DERIVED = (Reason(RelevanceKind.NEXUS_DERIVED, "ccTLD .us"),)
TO_US = Audience([("US", DERIVED)])
RECORD: dict[str, Any] = {**items("CH")[0].record(), "form": "INFORMATION", "action": "PUBLISH", "nexus": []}


def law_of(*rules: dict[str, Any], **authorities: str) -> DisclosureFilter:
    """Return the filter of a pack with some rules, of which only `when` and effect need to be said."""
    data = {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": ["BUDAPEST", "UNCAC"], "approvers": {"JUDGE": "A judge of the canton"},
        "rules": [
            {"id": f"t.{number}", "citation": f"art. {number}", "paraphrase": f"Paraphrase {number}.", "source": "K",
             "verified": number == 0, "valid": {"from": DAYS[0]}, "when": {}, **rule}
            for number, rule in enumerate(rules)
        ],
    }  # fmt: skip
    pack = parse_pack(dump(data), "ch.yaml", TREATIES["small"], COMMONS["small"])
    return DisclosureFilter(pack, TREATIES["small"], DAY, authorities or {"US": "POLICE"})


def why(law: DisclosureFilter, only: str | None = None, audience: Audience = TO_US, **changes: Any) -> Explanation:
    (explanation,) = explain(law, {**RECORD, **changes}, audience, NOW_MS, only)
    return explanation


PERMIT: dict[str, Any] = {"effect": "PERMIT"}
CONDITION = {"effect": "CONDITION", "needs": {"condition": {"kind": "PURPOSE", "text": "Only so."}}}
APPROVAL = {"effect": "APPROVAL", "needs": {"approver": "JUDGE"}}


# --- The sentence ---


@pytest.mark.parametrize(
    ("rules", "says", "human"),
    [
        ([PERMIT], "US receives the content at once.", ""),
        ([PERMIT, CONDITION], "US is offered it; the content leaves once the conditions are accepted.",
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
def test_the_sentence_tells_the_reason(rules: list[dict[str, Any]], says: str, human: str) -> None:
    explanation = why(law_of(*rules), live_case_harm="UNKNOWN", urgency="UNKNOWN")
    assert explanation.sentence == says
    assert explanation.human == human


def test_attached_conditions_are_mentioned() -> None:
    law = law_of(PERMIT, CONDITION, GB="POLICE")
    shipped = DisclosureFilter(law.pack, TREATIES["shipped"], DAY, {"IE": "POLICE"})  # UNCAC only
    explanation = why(shipped, audience=Audience([("IE", DERIVED)]))
    assert explanation.sentence == "IE receives the content at once under the conditions attached."


def test_a_state_that_nobody_looked_up_is_told_so() -> None:
    explanation = why(law_of(PERMIT, SO="POLICE"), audience=Audience([("SO", DERIVED)]))
    assert explanation.sentence == "withheld from SO: its treaties have not been looked up."


def test_a_state_that_nothing_points_to_is_explained_as_if_it_were() -> None:
    explanation = why(law_of(PERMIT), only="US", audience=NOBODY)
    assert not explanation.considered
    assert explanation.sentence.startswith("Nothing points to US, so it is not considered. If it were: US receives")
    assert why(law_of(PERMIT), only="US").considered


def test_an_obliged_state_is_explained_among_those_considered() -> None:
    law = law_of(PERMIT, {"effect": "OBLIGE", "when": {"recipient.state": "GB"}})
    explanations = explain(law, RECORD, TO_US, NOW_MS)
    assert [(one.state, one.considered) for one in explanations] == [("GB", True), ("US", True)]


# --- The rules ---


def test_applied_and_undecided_rules_are_told_in_words() -> None:
    explanation = why(law_of(PERMIT, {**CONDITION, "when": {"urgency": "URGENT"}}), urgency="UNKNOWN")
    applied = {rule.id: rule for rule in explanation.applied}
    assert set(applied) == {"common.minutes", "t.0"}
    assert (applied["t.0"].citation, applied["t.0"].paraphrase) == ("art. 0", "Paraphrase 0.")
    assert applied["t.0"].verified
    (undecided,) = explanation.undecided
    assert (undecided.id, undecided.effect, undecided.missing) == ("t.1", "CONDITION", ("urgency",))
    assert not undecided.verified


def test_a_rule_that_one_part_keeps_out_is_a_near_miss() -> None:
    rules = [
        {**PERMIT, "when": {"form": "EVIDENCE", "action": "PUBLISH"}},
        {**PERMIT, "when": {"form": "EVIDENCE", "action": "WITHDRAW"}},  # two parts are false
        {**PERMIT, "when": {"form": "EVIDENCE", "live_case_harm": False}},  # one false, one unknown
    ]
    (near,) = why(law_of(*rules), live_case_harm="UNKNOWN").near
    assert (near.id, near.citation, near.kept_out_by) == ("t.0", "art. 0", "form is EVIDENCE")


# --- What would change it ---


def test_the_smallest_changes_are_told() -> None:
    law = law_of(
        {**PERMIT, "when": {"offence.max_penalty_years": {"at_least": 5}}},
        {"effect": "DENY", "when": {"live_case_harm": True}},
    )
    record = {**RECORD, "offence": {**RECORD["offence"], "max_penalty_years": None}}
    changes = why(law, **{**record, "live_case_harm": "NO"}).would_change
    assert [(one.facts, one.outcome) for one in changes] == [((("offence.max_penalty_years", "5"),), "DISCLOSE")]
    changes = why(law, **{**record, "live_case_harm": "UNKNOWN"}).would_change
    assert [one.facts for one in changes] == [(("live_case_harm", "NO"), ("offence.max_penalty_years", "5"))]
    assert why(law, **{**record, "live_case_harm": "YES"}).would_change == ()


def test_a_bound_within_nested_alternatives_is_tried() -> None:
    inner = {"any_of": [{"any_of": [{"offence.max_penalty_years": {"at_least": 7}}]}]}
    record = {**RECORD, "offence": {**RECORD["offence"], "max_penalty_years": None}}
    (change,) = why(law_of({**PERMIT, "when": inner}), **record).would_change
    assert change.facts == (("offence.max_penalty_years", "7"),)


def test_values_that_are_only_asked_for_together_are_tried_together() -> None:
    law = law_of({**PERMIT, "when": {"character": {"includes": ["MILITARY", "RACIAL"]}}})
    (change,) = (one for one in why(law, character=None).would_change)
    assert change.facts == (("character", "MILITARY, RACIAL"),)


TREATY_FACTS = {"treaty_basis", "condition_model", "recipient.treaties"}
SITUATIONS = st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(
        packs(tuple(names)), AUTHORITIES, st.lists(st.tuples(records(tuple(names)), AUDIENCES), min_size=2, max_size=3)
    )
)


def values_of(name: str) -> Sequence[FactValue]:
    """Return every value of a fact: numbers around the bounds in use, and all sets up to two."""
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        return [edge + step for edge in EDGES for step in (0.0, 0.5)]
    if fact.kind is FactKind.SEVERAL:
        sizes = (combinations(sorted(fact.values), size) for size in range(3))
        return [frozenset(some) for some in chain.from_iterable(sizes)]
    return sorted(fact.values)


@settings(searched(0.04), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_an_explanation_tells_of_the_decision_and_its_changes_are_true(situation: Any) -> None:
    data, authorities, pairs = situation
    pack = parse_pack(dump(data), "ch.yaml", TREATIES["small"], COMMONS["small"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, authorities)
    for record, audience in pairs:
        decided = {one.state: one for one in law.decide(record, audience, NOW_MS).recipients}
        for explanation in explain(law, record, audience, NOW_MS):
            decision = decided[explanation.state]
            assert explanation.outcome == decision.outcome
            assert {(rule.id, fact) for rule in explanation.undecided for fact in rule.missing} == {
                (entry.rule, entry.fact) for entry in decision.undecided
            }
            assert {rule.id for rule in decision.rules} <= {rule.id for rule in explanation.applied}
            check_changes(law, record, decision, explanation)


def check_changes(
    law: DisclosureFilter, record: dict[str, Any], decision: RecipientDecision, explanation: Explanation
) -> None:
    item = law.item_facts(record, NOW_MS)
    named = any(reason.kind is RelevanceKind.NEXUS_STATED for reason in decision.relevance)

    def outcome(**known: Any) -> str:
        codes = known.get("offence.codes", item["offence.codes"])
        recipient, basis, _ = law.profile(explanation.state, codes, named=named)
        return str(combine(explanation.state, law.findings(item, {**recipient, **known}), basis, ()).outcome)

    missing = {fact for rule in explanation.undecided for fact in rule.missing}
    told = {one.facts: one.outcome for one in explanation.would_change}
    for facts, after in told.items():
        assert after != explanation.outcome
        known = {name: parsed(name, shown) for name, shown in facts}
        assert known.keys() <= missing
        assert outcome(**known) == after
    sizes = {len(facts) for facts in told}
    assert len(sizes) <= 1
    for name in missing - TREATY_FACTS:
        if any(outcome(**{name: value}) != explanation.outcome for value in values_of(name)):
            assert sizes == {1}, name
            assert any(facts[0][0] == name for facts in told), name


def parsed(name: str, shown: str) -> FactValue:
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        return float(shown)
    if fact.kind is FactKind.SEVERAL:
        return frozenset() if shown == "none" else frozenset(shown.split(", "))
    return shown


@pytest.mark.parametrize("state", STATES)
def test_explanations_of_the_shipped_cases_are_the_same_twice(state: str) -> None:
    found = find_law(state)
    for item in some(state, 6):
        laws = [
            DisclosureFilter(found.pack, found.treaties, utc_day(item.now_ms), {item.recipient: item.authority})
            for _ in range(2)
        ]
        audience = Audience([(item.recipient, DERIVED)])
        record = item.record(nexus=[])
        first, second = (explain(law, record, audience, item.now_ms) for law in laws)
        assert repr(first) == repr(second)
        for explanation in first:
            decision = next(
                one
                for one in laws[0].decide(record, audience, item.now_ms).recipients
                if one.state == explanation.state
            )
            assert explanation.outcome == decision.outcome
            assert explanation.sentence
            # An explanation goes to a screen: facts and rules, never the value.
            assert record["value"] not in repr(explanation)
