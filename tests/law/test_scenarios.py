"""Two items, from every State to every other: what leaves, what a person decides, which article withholds it."""

from __future__ import annotations

import pytest

from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Effect, Outcome
from tests.law.scenarios import (
    BEFORE,
    DOCUMENT,
    PROVIDERS,
    SCENARIOS,
    STATES,
    count_outcomes,
    decide_all,
    decide_scenario,
    list_citations,
    name_cause,
    split_document,
    write_item,
    write_tables,
)

PAIRS = [(provider, recipient) for provider in PROVIDERS for recipient in STATES if recipient != provider]

WITHOUT_PERMISSION: dict[tuple[str, str], str] = {}
"""Emergencies that no rule permits and no rule forbids by name, with the article from which that follows."""


def test_the_tables_of_the_document_are_what_the_packs_decide() -> None:
    """After a change of a pack: python -m tests.law.scenarios --write."""
    _, written, _ = split_document(DOCUMENT.read_text(encoding="utf-8"))
    assert written == write_tables()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_counts_before_and_now_are_of_the_same_items(scenario: str) -> None:
    for provider in PROVIDERS:
        now = count_outcomes(decide_all(scenario), provider)
        assert sum(BEFORE[scenario][provider]) == sum(now) == sum(pair[0] == provider for pair in PAIRS)
        assert now[2] <= BEFORE[scenario][provider][2]
    totals = [sum(counts) for counts in zip(*(BEFORE[scenario][state] for state in STATES), strict=True)]
    assert totals == {"EMERGENCY": [23, 2, 47], "HASH": [32, 0, 40]}[scenario]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_pair_of_states_is_in_the_table(scenario: str) -> None:
    assert list(decide_all(scenario)) == PAIRS
    assert len(PAIRS) == len(STATES) * len(PROVIDERS) - len(STATES)


@pytest.mark.parametrize(("provider", "recipient"), PAIRS)
def test_an_emergency_is_withheld_only_by_a_rule_that_forbids_it(provider: str, recipient: str) -> None:
    decision = decide_all("EMERGENCY")[provider, recipient]
    if decision.outcome is not Outcome.WITHHOLD or (provider, recipient) in WITHOUT_PERMISSION:
        return
    assert list_citations(decision, Effect.DENY), name_cause(decision)


def test_the_list_of_emergencies_without_permission_is_up_to_date() -> None:
    for pair, article in WITHOUT_PERMISSION.items():
        decision = decide_all("EMERGENCY")[pair]
        assert decision.outcome is Outcome.WITHHOLD, pair
        assert not list_citations(decision, Effect.DENY), pair
        assert article, pair


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_emergency_leaves_or_is_held_for_some_state(provider: str) -> None:
    outcomes = {decide_all("EMERGENCY")[provider, recipient].outcome for recipient in STATES if recipient != provider}
    assert outcomes - {Outcome.WITHHOLD}


def test_no_answer_is_missing() -> None:
    """Otherwise a refusal could be due to a question that nobody asked."""
    for scenario in SCENARIOS:
        for pair, decision in decide_all(scenario).items():
            asked = {entry.fact for entry in decision.undecided if not entry.fact.startswith("recipient.")}
            assert asked <= {"treaty_basis"}, (scenario, pair)


def test_an_emergency_that_nobody_answers_for_is_no_emergency() -> None:
    """Without the officer and the reason it is decided as ORDINARY, and never leaves more easily."""
    order = [Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE]
    for provider, recipient in PAIRS:
        stated = decide_all("EMERGENCY")[provider, recipient]
        without = decide_without_reason(provider, recipient)
        assert order.index(without.outcome) <= order.index(stated.outcome), (provider, recipient)


def decide_without_reason(provider: str, recipient: str) -> RecipientDecision:
    source = {**write_item("EMERGENCY", provider)["source"], "officer": None}
    return decide_scenario("EMERGENCY", provider, recipient, source=source, urgency_reason=None)
