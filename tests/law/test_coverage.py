"""What instruments cover: no permission rests on one outside its scope, parties, authorities or dates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.counterfactuals import find_counterfactuals
from sharing.law.fact_values import PartialValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Assessment
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import ConditionModel, Outcome, RelevanceKind
from sharing.relevance.audience import Audience
from tests.law.oracle import Oracle
from tests.law.shipped import STATES, TEXTS, find_law, load_items, sample_items
from tests.law.strategies import (
    COMMON_RULES,
    DAY,
    DAYS,
    NOW_MS,
    SHIPPED_COMMON,
    SHIPPED_TREATIES,
    TREATIES,
    dump_yaml,
)
from tests.law.test_oracle import to_oracle_authorities

NAMED = (Reason(RelevanceKind.NEXUS_STATED, "named"),)
RECIPIENTS = ("IE", "DE", "US", "JP", "CH", "FR", "NL", "GB")
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"offence.codes": ["LAUNDERING"], "offence.organised_group": True},
    {"offence.codes": ["CORRUPTION"], "offence.max_penalty_years": 3, "offence.organised_group": None},
    {"offence.codes": ["OTHER_SERIOUS_CRIME"], "enables_request": None, "source.authority": "PROSECUTOR"},
    {"offence.codes": ["SANCTIONS_EVASION"], "enables_request": False, "source.authority": "FIU"},
)


@pytest.mark.parametrize("state", STATES)
def test_no_permission_rests_on_an_instrument_that_does_not_cover_the_item(state: str) -> None:
    """The oracle, which shares no code with the engine, says which instruments cover it."""
    law = find_law(state)
    with_basis = 0
    for index, item in enumerate(sample_items(state, 12)):
        record = item.record(**VARIANTS[index % len(VARIANTS)])
        kind = ("POLICE", "PROSECUTOR", "CUSTOMS", "FIU")[index % 4]
        authorities = list_sole_authorities(dict.fromkeys(RECIPIENTS, kind))
        engine = DisclosureFilter(law.pack, law.treaties, to_utc_day(item.now_ms), authorities)
        oracle = Oracle(TEXTS[state], SHIPPED_COMMON, SHIPPED_TREATIES, to_oracle_authorities(authorities), item.now_ms)
        rules = {rule.id: rule for rule in engine.rules}
        for decision in engine.decide(record, Audience((to, NAMED) for to in RECIPIENTS), item.now_ms).recipients:
            facts = oracle.facts(record, decision.state, named=True)
            covering = set.intersection(*facts["recipient.treaties"].values)
            if decision.basis is not None:
                with_basis += 1
                assert decision.basis in covering
            if decision.outcome is Outcome.WITHHOLD:
                continue
            for reference in decision.rules:
                if reference.effect != "PERMIT":
                    continue
                bases: set[str] = set()
                for test in rules[reference.id].when.iter_tests():
                    if not isinstance(test.operand, frozenset):
                        continue
                    if test.fact == "recipient.treaties":
                        assert test.operand & covering
                    if test.fact == "treaty_basis" and not test.negated:
                        bases |= test.operand  # of all alternatives
                assert not bases or {str(name) for name in facts["treaty_basis"].values} <= bases
    assert with_basis > 3


@pytest.mark.parametrize("state", ["NL", "FR", "DE", "CH", "GB", "US"])
def test_plain_hacking_has_no_basis_with_a_state_that_shares_only_the_conventions_of_the_united_nations(
    state: str,
) -> None:
    law = find_law(state)
    item = load_items(state)[0]
    record = item.record(**{"offence.codes": ["ILLEGAL_ACCESS"], "offence.max_penalty_years": 3})
    engine = DisclosureFilter(law.pack, law.treaties, to_utc_day(item.now_ms), list_sole_authorities({"TH": "POLICE"}))
    (decision,) = engine.decide(record, Audience([("TH", NAMED)]), item.now_ms).recipients
    assert (decision.basis, decision.condition_model) == (None, ConditionModel.PRE_ACCEPT)
    assert not (decision.outcome is Outcome.DISCLOSE and decision.conditions)


def make_filter(*whens: dict[str, Any], effect: str = "PERMIT", **assessed: Any) -> DisclosureFilter:
    data = {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": ["BUDAPEST", "UNTOC", "UNCAC"], "approvers": {},
        "rules": [
            {"id": f"t.{number}", "citation": "c", "nature": "statute", "paraphrase": "p", "source": "K",
             "verified": True, "valid": {"from": DAYS[0]}, "effect": effect, "when": when}
            for number, when in enumerate(whens)
        ],
    }  # fmt: skip
    pack = parse_pack(dump_yaml(data), "ch.yaml", TREATIES["shipped"], COMMON_RULES["small"])
    if assessed:
        pack = replace(pack, assessments=(Assessment(frozenset({"US"}), DAYS[0], "K", {}, {}, assessed),))
    return DisclosureFilter(pack, TREATIES["shipped"], DAY, list_sole_authorities({"US": "POLICE", "IE": "POLICE"}))


def make_record(**changes: Any) -> dict[str, Any]:
    base = {"offence.codes": ["LAUNDERING"], "offence.organised_group": None, "enables_request": False}
    return load_items("CH")[0].record(**{**base, "source.authority": "POLICE", **changes})


def decide(law: DisclosureFilter, record: dict[str, Any], to: str = "US") -> Any:
    (decision,) = law.decide(record, Audience([(to, NAMED)]), NOW_MS).recipients
    return decision


def test_an_undecided_scope_leaves_only_tests_on_that_instrument_undecided() -> None:
    law = make_filter(
        {"recipient.treaties": "BUDAPEST"}, {"recipient.treaties": "UNTOC"}, {"recipient.treaties": "UNCAC"},
        {"treaty_basis": "BUDAPEST"}, {"treaty_basis": "UNTOC"}, {"treaty_basis": ["UNTOC", "NONE"]},
        effect="RECORD",
    )  # fmt: skip
    decision = decide(law, make_record())
    assert [(entry.rule, entry.fact) for entry in decision.undecided] == [
        ("t.1", "offence.organised_group"),
        ("t.4", "offence.organised_group"),
    ]
    assert {rule.id for rule in decision.rules} == {"common.audit", "t.5"}
    profile = law.profile_recipient("US", law.read_item_facts(make_record(), NOW_MS), named=True)
    assert isinstance(profile.facts["recipient.treaties"], PartialValue)


def test_an_undecided_preferred_instrument_leaves_the_basis_open_under_the_stricter_model() -> None:
    law = make_filter({})
    record = make_record(**{"offence.organised_group": True, "enables_request": None})
    decision = decide(law, record)
    assert (decision.basis, decision.condition_model) == (None, ConditionModel.PRE_ACCEPT)
    known = {answer: decide(law, {**record, "enables_request": answer}).basis for answer in ("YES", "NO")}
    assert known == {"YES": "BUDAPEST", "NO": "UNTOC"}


def test_a_missing_fact_of_a_scope_is_found_as_what_would_change_the_outcome() -> None:
    law = make_filter({"treaty_basis": "UNTOC"})
    item = law.read_item_facts(make_record(), NOW_MS)
    profile = law.profile_recipient("US", item, named=True)
    results = law.evaluate_rules(item, profile.facts)
    decision = combine_results("US", results, profile.basis, ())
    assert decision.outcome is Outcome.WITHHOLD
    (change,) = find_counterfactuals(law, {**item, **profile.facts}, results, decision)
    assert change.facts == (("offence.organised_group", "YES"),)


def test_two_states_with_different_reasons_to_be_undecided_do_not_share_them() -> None:
    """SO was not looked up; for the US a fact of the scope is missing. Both answers to the test are unknown."""
    law = make_filter({"recipient.treaties": "UNTOC"})
    audience = Audience([("SO", NAMED), ("US", NAMED)])
    facts = {
        recipient.state: {entry.fact for entry in recipient.undecided}
        for recipient in law.decide(make_record(), audience, NOW_MS).recipients
    }
    assert facts == {"SO": {"recipient.treaties"}, "US": {"offence.organised_group"}}


def test_cached_decisions_equal_fresh_ones_for_items_that_differ_only_in_a_scope() -> None:
    law = make_filter({"treaty_basis": ["UNTOC", "UNCAC"]}, {"recipient.treaties": "BUDAPEST"})
    changes = [
        {
            "offence.organised_group": group,
            "enables_request": enables,
            "source.authority": sender,
            "offence.codes": codes,
        }
        for group in (True, False, None)
        for enables in (True, False, None)
        for sender in ("POLICE", "INTELLIGENCE", None)
        for codes in (["LAUNDERING"], ["CORRUPTION"], ["ILLEGAL_ACCESS"])
    ]
    for change in changes:
        for to in ("US", "IE"):
            fresh = DisclosureFilter(law.pack, law.treaties, law.day, law.authorities)
            assert decide(law, make_record(**change), to) == decide(fresh, make_record(**change), to)


@pytest.mark.parametrize(
    ("codes", "answer"),
    [
        (["LAUNDERING"], "NO"),
        (["LAUNDERING", "CORRUPTION"], "NO"),
        (["LAUNDERING", "ILLEGAL_ACCESS"], "YES"),
        (["LAUNDERING", "COPYRIGHT"], None),
        (["ILLEGAL_ACCESS", "COPYRIGHT"], "YES"),
        ([], None),
    ],
)
def test_a_capital_offence_is_assessed_by_offence_code(codes: list[str], answer: str | None) -> None:
    law = make_filter({}, LAUNDERING="NO", CORRUPTION="NO", ILLEGAL_ACCESS="YES")
    item = law.read_item_facts(make_record(**{"offence.codes": codes}), NOW_MS)
    assert law.profile_recipient("US", item, named=True).facts["recipient.capital_offence"] == answer
    assert law.profile_recipient("IE", item, named=True).facts["recipient.capital_offence"] is None
