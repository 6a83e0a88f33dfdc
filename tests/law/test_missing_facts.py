"""Restrictions and missing facts never make the filter more open; what is unknown withholds."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.law.authorities import AuthoritiesByState, list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.fact_values import FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Effect, Outcome
from sharing.relevance.audience import Audience
from tests.law.filter_fixtures import (
    NAMED,
    PERMIT,
    QUIET,
    RECORD,
    SITUATIONS,
    TO_US,
    UNKNOWNS,
    hide_fact,
    index_by_state,
    is_no_more_open,
    make_filter,
    make_pack,
    make_pack_data,
    openness,
)
from tests.law.shipped import STATES, Item, find_law, load_items, sample_items
from tests.law.strategies import COMMON_RULES, DAYS, NOW_MS, TREATIES, conjunctions, search_settings


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS, st.sampled_from(sorted(RESTRICTING_EFFECTS)), st.data())
def test_an_additional_restriction_never_makes_the_outcome_more_open(
    situation: Any, effect: Effect, data: st.DataObject
) -> None:
    names, pack, authorities, pairs = situation
    needs = {
        Effect.APPROVAL: {"approver": "JUDGE"},
        Effect.CONDITION: {"condition": {"kind": "OTHER", "text": "t"}},
        Effect.REDACT: {"redact": ["value"]},
    }.get(effect, {})
    base = {key: value for key, value in pack["rules"][0].items() if key != "exception" or effect is Effect.DENY}
    rule = {
        **base, "id": "zz.more", "valid": {"from": DAYS[0]}, "effect": str(effect), "needs": needs,
        "when": data.draw(conjunctions(names)),
    }  # fmt: skip
    before = make_filter(pack, authorities)
    after = make_filter({**pack, "rules": [*pack["rules"], rule]}, authorities)
    for record, audience in pairs:
        old, new = (index_by_state(law.decide(record, audience, NOW_MS)) for law in (before, after))
        assert old.keys() == new.keys()
        for state, decision in new.items():
            assert openness(decision) <= openness(old[state])
            if decision.outcome is not Outcome.WITHHOLD:
                assert set(decision.redacted) >= set(old[state].redacted)
                assert set(decision.conditions) >= set(old[state].conditions)


"""The unknown value of each fact of a record. Facts for which null is an answer (marks, handling, origin.state,
retention) have no unknown value, and removing a mark may make the outcome more open."""


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS, st.data())
def test_a_missing_fact_never_makes_the_outcome_more_open(situation: Any, data: st.DataObject) -> None:
    _, pack, authorities, pairs = situation
    law = make_filter(pack, authorities)
    for record, audience in pairs:
        before = index_by_state(law.decide(record, audience, NOW_MS))
        for name in UNKNOWNS:
            after = index_by_state(law.decide(hide_fact(record, name), audience, NOW_MS))
            for state, decision in after.items():
                assert is_no_more_open(decision, before.get(state)), (name, state)
        unlisted = {state: kind for state, kind in authorities.items() if state not in before}
        for state, decision in index_by_state(make_filter(pack, unlisted).decide(record, audience, NOW_MS)).items():
            assert is_no_more_open(decision, before[state])


@pytest.mark.parametrize("state", STATES)
def test_a_missing_fact_never_makes_the_outcome_of_a_shipped_pack_more_open(state: str) -> None:
    found = find_law(state)
    laws: dict[Any, DisclosureFilter] = {}
    opened = 0
    for item in sample_items(state, 40):
        day = to_utc_day(item.now_ms)
        law = laws.setdefault(
            (day, item.recipient, item.authority),
            DisclosureFilter(found.pack, found.treaties, day, list_sole_authorities({item.recipient: item.authority})),
        )
        audience = Audience([(item.recipient, NAMED)])
        record = item.record()
        before = index_by_state(law.decide(record, audience, item.now_ms))
        opened += openness(before.get(item.recipient)) > 0
        for name in UNKNOWNS:
            for to, decision in index_by_state(law.decide(hide_fact(record, name), audience, item.now_ms)).items():
                assert is_no_more_open(decision, before.get(to)), (item.name, name, to)
    assert opened > 0


@pytest.mark.parametrize("state", STATES)
def test_a_missing_recipient_fact_never_makes_the_outcome_of_a_shipped_pack_more_open(state: str) -> None:
    """This includes facts from the treaty table and from assessments."""
    found = find_law(state)
    for item in sample_items(state, 25):
        law = DisclosureFilter(
            found.pack, found.treaties, to_utc_day(item.now_ms), list_sole_authorities({item.recipient: item.authority})
        )
        facts = law.read_item_facts(item.record(), item.now_ms)
        recipient, basis, *_ = law.profile_recipient(item.recipient, facts, named=True)
        before = combine_results(item.recipient, law.evaluate_rules(facts, recipient), basis, ())
        for name in recipient:
            without: dict[str, FactValue] = {**recipient, name: None}
            if name in ("treaty_basis", "condition_model", "recipient.treaties"):
                without |= {"treaty_basis": None, "condition_model": None, "recipient.treaties": None}
                basis_without = TreatyBasis(None, None)
            else:
                basis_without = basis
            after = combine_results(item.recipient, law.evaluate_rules(facts, without), basis_without, ())
            assert openness(after) <= openness(before), (item.name, name)


def find_permitted_item(state: str) -> tuple[Item, DisclosureFilter]:
    """Return an item that a shipped pack discloses or offers."""
    found = find_law(state)
    for item in load_items(state):
        law = DisclosureFilter(
            found.pack, found.treaties, to_utc_day(item.now_ms), list_sole_authorities({item.recipient: item.authority})
        )
        verdict = law.decide(item.record(), Audience([(item.recipient, NAMED)]), item.now_ms)
        if verdict.outcome in (Outcome.DISCLOSE, Outcome.OFFER):
            return item, law
    raise AssertionError(f"no case of {state} is disclosed or offered")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("authority", [None, "UNKNOWN"])
def test_a_recipient_with_an_unknown_authority_gets_nothing(state: str, authority: str | None) -> None:
    item, law = find_permitted_item(state)
    unlisted = replace_authorities(law, list_sole_authorities({item.recipient: authority}))
    verdict = unlisted.decide(item.record(), Audience([(item.recipient, NAMED)]), item.now_ms)
    (decision,) = (decision for decision in verdict.recipients if decision.state == item.recipient)
    assert decision.outcome is Outcome.WITHHOLD
    assert "common.authority-known" in {entry.rule for entry in decision.undecided}


def replace_authorities(law: DisclosureFilter, authorities: AuthoritiesByState) -> DisclosureFilter:
    return DisclosureFilter(law.pack, law.treaties, law.day, authorities)


@pytest.mark.parametrize("state", STATES)
def test_an_item_without_an_offence_is_withheld(state: str) -> None:
    item, law = find_permitted_item(state)
    record = item.record(**{"offence.codes": []})
    verdict = law.decide(record, Audience([(item.recipient, NAMED)]), item.now_ms)
    assert verdict.outcome is Outcome.WITHHOLD
    assert "common.offence-stated" in {entry.rule for decision in verdict.recipients for entry in decision.undecided}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", ["SO", "KP", "AQ"])
def test_a_state_whose_treaties_were_not_looked_up_gets_nothing(state: str, to: str) -> None:
    item, law = find_permitted_item(state)
    law = replace_authorities(law, list_sole_authorities({to: item.authority}))
    verdict = law.decide(item.record(), Audience([(to, NAMED)]), item.now_ms)
    assert index_by_state(verdict)[to].outcome is Outcome.WITHHOLD
    assert index_by_state(verdict)[to].condition_model is None


def test_an_agreement_does_not_replace_treaties_that_were_not_looked_up() -> None:
    bilateral = {
        "state": "SO", "valid": {"from": DAYS[0]}, "condition_model": "PRE_ACCEPT", "source": "K", "verified": False,
        "scope": {}, "authorities": {"from": [str(RECORD["source"]["authority"])], "to": ["POLICE"]},
    }  # fmt: skip
    law = make_filter(make_pack_data(PERMIT, bilateral={"one": bilateral}), list_sole_authorities({"SO": "POLICE"}))
    verdict = law.decide(RECORD, Audience([("SO", NAMED)]), NOW_MS)
    assert verdict.outcome is Outcome.WITHHOLD
    preferred = make_pack_data(PERMIT, bilateral={"one": bilateral}, treaty_preference=["BILATERAL:one"])
    verdict = make_filter(preferred, list_sole_authorities({"SO": "POLICE"})).decide(
        RECORD, Audience([("SO", NAMED)]), NOW_MS
    )
    assert verdict.recipients[0].basis == "BILATERAL:one"
    assert verdict.outcome is Outcome.DISCLOSE


def test_before_the_first_day_of_a_pack_everything_is_withheld() -> None:
    pack = make_pack(make_pack_data(PERMIT, {**PERMIT, "valid": {"from": DAYS[3]}}))
    for day, outcome in ((DAYS[0], Outcome.DISCLOSE), (DAYS[0] - dt.timedelta(days=1), Outcome.WITHHOLD)):
        law = DisclosureFilter(pack, TREATIES["shipped"], day, list_sole_authorities({"US": "POLICE"}))
        assert law.decide(RECORD, TO_US, NOW_MS).outcome is outcome
    assert law.rules == COMMON_RULES["small"].rules
