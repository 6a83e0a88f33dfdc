"""The law asked again: it says what the gate decides at that instant."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.terms import Terms
from sharing.disclosure.law_in_force import LawInForce
from sharing.disclosure.missing_facts import MissingFactsFinder
from sharing.disclosure.terms import list_optional_conditions, make_terms
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Outcome
from tests.disclosure.situations import list_withheld, open_directory
from tests.law.scenarios import NOW_MS, PROVIDERS, SCENARIOS, get_law, write_item

STATES = ("AT", "BE", "CH", "DE", "FR", "GB", "JP", "SO", "US")


def open_context(provider: str, *states: str, receiving: frozenset[str] | None = None) -> DecisionContext:
    law = get_law(provider)
    entries = {state: open_directory(state, "POLICE").entries[state] for state in states}
    return DecisionContext.open(law.pack, law.treaties, Directory(entries, receiving_states=receiving), NOW_MS)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_law_in_force_says_what_the_gate_decides(provider: str, scenario: str) -> None:
    context = open_context(provider, *STATES, receiving=frozenset(STATES) - {"JP"})
    optional = list_optional_conditions(context.disclosure_filter.pack)
    changed: tuple[dict[str, Any], ...] = (
        {},
        {"purpose": None},
        {"findings": {}},
        {"personal_data": None, "collection": None},
    )
    for changes in changed:
        record = Indicator.parse(write_item(scenario, provider, **changes)).to_record()
        decided = context.decide(record, NOW_MS).recipients
        missing = MissingFactsFinder(context).find(record, decided, NOW_MS)
        expected = tuple(
            make_terms(
                one, optional=optional, missing=missing.get(one.state, frozenset()), approvals=one.approvals or 1
            )
            for one in decided
        )
        assert len(expected) > 7
        asked = LawInForce(context).at(record, NOW_MS)
        assert asked.list_terms() == expected
        fresh = LawInForce(context).at(record, NOW_MS)
        assert tuple(fresh(terms.state) for terms in expected) == expected


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_law_in_force_says_what_the_gate_decides_about_withheld_items(provider: str) -> None:
    for situation in list_withheld(provider, 15, seed=2):
        terms = LawInForce(situation.context).at(situation.record, situation.now_ms)(situation.state)
        missing = MissingFactsFinder(situation.context).find(situation.record, [situation.decide()], situation.now_ms)
        assert terms == Terms(situation.state, Outcome.WITHHOLD, missing=missing.get(situation.state, frozenset()))


def test_a_state_that_is_not_considered_any_more_gets_what_the_law_says() -> None:
    context = open_context("CH", "DE", "FR")
    both = [{"state": state, "reason": "concerned"} for state in ("DE", "FR")]
    record = Indicator.parse(write_item("HASH", "CH", nexus=both[:1])).to_record()
    law = LawInForce(context).at(record, NOW_MS)
    assert [terms.state for terms in law.list_terms()] == ["DE"]
    named = Indicator.parse(write_item("HASH", "CH", nexus=both)).to_record()
    considered = {terms.state: terms for terms in LawInForce(context).at(named, NOW_MS).list_terms()}
    assert law("FR") == considered["FR"]
    assert law("FR").outcome is not Outcome.WITHHOLD
    red = Indicator.parse(write_item("HASH", "CH", nexus=both[:1], tlp="RED")).to_record()
    assert LawInForce(context).at(red, NOW_MS)("FR").outcome is Outcome.WITHHOLD  # only to States that are named


def test_a_change_of_the_law_or_of_the_directory_shows_at_once() -> None:
    record = Indicator.parse(write_item("HASH", "CH")).to_record()
    assert LawInForce(open_context("CH", "DE")).at(record, NOW_MS)("DE").outcome is not Outcome.WITHHOLD
    assert LawInForce(open_context("CH", "FR")).at(record, NOW_MS)("DE").outcome is Outcome.WITHHOLD
    narrow = open_context("CH", "DE", receiving=frozenset({"FR"}))
    assert LawInForce(narrow).at(record, NOW_MS)("DE") == Terms("DE", Outcome.WITHHOLD)
    old = Indicator.parse(write_item("HASH", "CH", retain_until="2026-06-01T12:00:01Z")).to_record()
    law = LawInForce(open_context("CH", "DE"))
    assert law.at(old, NOW_MS)("DE").outcome is not Outcome.WITHHOLD
    assert law.at(old, NOW_MS + 1_000)("DE").outcome is Outcome.WITHHOLD


def test_the_law_is_asked_once_for_each_state(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Indicator.parse(write_item("HASH", "CH", purpose=None)).to_record()
    law = LawInForce(open_context("CH", "DE")).at(record, NOW_MS)
    first = law("DE")
    assert first.missing == {"purpose"}
    monkeypatch.setattr(DecisionContext, "decide", None)
    monkeypatch.setattr(MissingFactsFinder, "find", None)
    assert law("DE") is first


def test_a_feed_that_is_not_asked_about_lacks_no_facts() -> None:
    record = Indicator.parse(write_item("HASH", "CH", purpose=None)).to_record()
    law = LawInForce(open_context("CH", "DE"), agencies_not_asked=["Police"])
    assert law.at(record, NOW_MS)("DE") == Terms("DE", Outcome.WITHHOLD)


def test_a_context_answers_for_its_own_day_and_never_about_the_provider() -> None:
    record = Indicator.parse(write_item("HASH", "CH")).to_record()
    law = LawInForce(open_context("CH", "DE"))
    with pytest.raises(ValueError, match="outside the day"):
        law.at(record, NOW_MS + DAY_MS)
    with pytest.raises(ValueError, match="CH is the State that provides the item"):
        law.at(record, NOW_MS)("CH")
