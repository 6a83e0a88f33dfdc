"""The facts that people can supply: those with which the law opens an item, and none where nothing opens it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.disclosure.missing_facts import SUPPLIABLE, MissingFactsFinder
from sharing.law.bus_rules import make_superseded_rule, withhold
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_groups import is_absolute
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS, FactScope
from sharing.model.decision import Verdict
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.recipient_terms import EVALUATION_FAILED, UndecidedRule
from sharing.model.vocabulary import Outcome
from tests.disclosure.opening_search import Answers, OpeningSearch, SearchLimitError, decide, state_facts
from tests.disclosure.situations import Situation, list_withheld, open_directory
from tests.law.scenarios import NOW_MS, PROVIDERS, get_law, write_item

SAMPLED = 60


def find(situation: Situation, **options: Any) -> frozenset[str]:
    """Return the missing facts of an item."""
    finder = MissingFactsFinder(situation.context, **options)
    found = finder.find(situation.record, [situation.decide()], situation.now_ms)
    return found.get(situation.state, frozenset())


def search(situation: Situation, names: frozenset[str]) -> Answers | None:
    """Return answers that open an item.

    Raises:
        SearchLimitError: There are too many to try.
    """
    return OpeningSearch(situation.context, situation.record, situation.state, situation.now_ms, names).find()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_open_an_item_if_and_only_if_facts_are_missing(provider: str) -> None:
    unsettled, asked, closed = 0, 0, 0
    for situation in list_withheld(provider, SAMPLED):
        missing = find(situation)
        try:
            answers = search(situation, missing or SUPPLIABLE)
        except SearchLimitError:
            unsettled += 1
            continue
        assert bool(missing) is (answers is not None), (situation.name, missing, answers)
        asked, closed = asked + bool(missing), closed + (not missing)
        assert answers is None or is_open_with_all(situation, answers, missing), situation.name
    assert unsettled <= SAMPLED // 20
    assert asked > 3
    assert closed > 3


def is_open_with_all(situation: Situation, answers: Answers, missing: frozenset[str]) -> bool:
    """Return whether the item stays open if the other missing facts are answered, too, with suitable values."""
    searcher = OpeningSearch(situation.context, situation.record, situation.state, situation.now_ms, missing)
    return searcher.extend(answers)


def test_only_facts_of_the_item_are_asked_and_no_absolute_ones() -> None:
    assert all(FACTS[name].scope is FactScope.INDICATOR for name in SUPPLIABLE)
    assert {"character", "findings.death_penalty_assurance", "findings.mistreatment_substantial_risk"} == {
        name for name in QUESTIONS if is_absolute(name)
    } - {"findings.mistreatment_risk_mitigable", "findings.capital_strict_necessity"}
    assert not any(map(is_absolute, SUPPLIABLE))


# --- One item: a hash from a search, whose purpose nobody has stated ---

DE = open_directory("DE", "POLICE")


def make_situation(directory: Directory = DE, **changes: Any) -> Situation:
    """Return the item of the Swiss police for Germany."""
    law = get_law("CH")
    nexus = [{"state": "DE", "reason": "concerned"}]
    record = Indicator.parse(write_item("HASH", "CH", nexus=nexus, **{"purpose": None, **changes})).to_record()
    context = DecisionContext.open(law.pack, law.treaties, directory, NOW_MS)
    return Situation("hash", context, record, "DE", NOW_MS)


def test_the_fact_that_opens_an_item_is_missing() -> None:
    situation = make_situation()
    assert situation.decide().outcome is Outcome.WITHHOLD
    assert find(situation) == {"purpose"}
    supplied = state_facts(situation.record, {"purpose": ("INVESTIGATION",)})
    assert decide(situation.context, supplied, "DE", NOW_MS).outcome is not Outcome.WITHHOLD


def test_what_is_not_withheld_lacks_nothing() -> None:
    situation = make_situation(purpose="INVESTIGATION")
    assert situation.decide().outcome is not Outcome.WITHHOLD
    assert find(situation) == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"secrecy_domain": True, "form": "EVIDENCE"},  # a rule that holds
        {"character": None},  # an absolute ground is open
        {"character": ["POLITICAL"]},
        {"retain_until": "2026-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_nobody_is_asked_where_something_else_withholds(changes: dict[str, Any]) -> None:
    situation = make_situation(**changes)
    assert situation.decide().outcome is Outcome.WITHHOLD
    assert find(situation) == frozenset()


def test_nobody_is_asked_about_a_state_without_a_competent_authority() -> None:
    assert find(make_situation(Directory({}))) == frozenset()
    assert find(make_situation(open_directory("DE", "POLICE", offences=["COPYRIGHT"]))) == frozenset()


def test_nobody_is_asked_about_a_state_without_topics() -> None:
    assert find(make_situation(replace(DE, receiving_states=frozenset({"FR"})))) == frozenset()
    assert find(make_situation(replace(DE, receiving_states=frozenset({"DE"})))) == {"purpose"}


def test_nobody_is_asked_about_a_superseded_version() -> None:
    situation = make_situation()
    verdict = withhold(Verdict.from_recipients((situation.decide(),)), make_superseded_rule(3))
    finder = MissingFactsFinder(situation.context)
    assert finder.find(situation.record, [situation.decide()], NOW_MS) == {"DE": {"purpose"}}
    assert finder.find(situation.record, verdict.recipients, NOW_MS) == {}


def test_nobody_is_asked_if_a_rule_could_not_be_evaluated() -> None:
    situation = make_situation()
    decided = situation.decide()
    failed = (*decided.undecided, UndecidedRule("ch.x", EVALUATION_FAILED))
    recipient = decided._replace(terms=replace(decided.terms, undecided=failed))
    assert MissingFactsFinder(situation.context).find(situation.record, [recipient], NOW_MS) == {}


def test_an_agency_is_not_asked_about_its_feed() -> None:
    assert find(make_situation(), agencies_not_asked=["Police"]) == frozenset()
    assert find(make_situation(), agencies_not_asked=["Customs"]) == {"purpose"}


def test_an_emergency_that_nobody_answers_for_opens_nothing() -> None:
    facts: dict[str, Any] = {
        "urgency": None,
        "urgency_reason": None,
        "collection": "SUBSCRIBER_DATA",
        "personal_data": True,
    }
    for situation in (make_situation(DE, **facts, purpose="INVESTIGATION"), make_situation(DE, **facts)):
        missing = find(situation)
        answers = search(situation, missing or SUPPLIABLE)
        assert bool(missing) is (answers is not None)


def test_each_state_is_asked_about_by_itself() -> None:
    """States that the law cannot tell apart share a search, and get what a search for each alone finds."""
    law = get_law("NL")
    states = ("AT", "BE", "DE", "FR", "GB", "JP", "US", "SO")
    entries = {state: open_directory(state, "POLICE").entries[state] for state in states}
    context = DecisionContext.open(law.pack, law.treaties, Directory(entries), NOW_MS)
    nexus = [{"state": state, "reason": "concerned"} for state in states[1:]]
    record = Indicator.parse(write_item("HASH", "NL", nexus=nexus, findings={}, personal_data=None)).to_record()
    recipients = context.decide(record, NOW_MS).recipients
    assert len(recipients) == len(states) - 1
    found = MissingFactsFinder(context).find(record, recipients, NOW_MS)
    assert len(set(found.values())) > 1
    for recipient in recipients:
        alone = MissingFactsFinder(context).find(record, [recipient], NOW_MS)
        assert alone.get(recipient.state) == found.get(recipient.state)
        answers = OpeningSearch(context, record, recipient.state, NOW_MS, found.get(recipient.state, SUPPLIABLE)).find()
        assert (recipient.state in found) is (answers is not None)


def test_items_with_equal_facts_share_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    situation = make_situation()
    finder = MissingFactsFinder(situation.context)
    recipients = [situation.decide()]
    first = finder.find(situation.record, recipients, NOW_MS)
    monkeypatch.setattr("sharing.disclosure.missing_facts.find_questions_by_recipient", None)
    other = {**situation.record, "value": "b" * 64, "summary": "other"}
    assert finder.find(other, recipients, NOW_MS) == first


def test_items_with_other_facts_do_not_share_a_search() -> None:
    unknown = make_situation()
    finder = MissingFactsFinder(unknown.context)
    assert finder.find(unknown.record, [unknown.decide()], NOW_MS) == {"DE": {"purpose"}}
    for changes, missing in (({"form": None}, {"purpose", "form"}), ({"character": ["MILITARY"]}, set())):
        other = replace(make_situation(**changes), context=unknown.context)
        found = finder.find(other.record, [other.decide()], NOW_MS)
        assert found.get("DE", set()) == missing
