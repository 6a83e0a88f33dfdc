"""The interview asks nothing but what can change who gets an item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sharing.desk.intake.item_draft import ItemBasics, ItemDraft, check_draft
from sharing.desk.intake.open_questions import find_open_questions
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import QUESTIONS, read_all_facts
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.standing_acceptance import StandingAcceptance
from sharing.packs.library import find_law
from tests.desk.intake.intake_fixtures import (
    AGENCY,
    ITEM_ID,
    NOW,
    OFFICER,
    answers_to,
    check,
    decide,
    items,
    make_directory,
    open_context,
    read_base,
)
from tests.law.accepted import make_acceptance, with_acceptances
from tests.law.strategies import search_settings


def list_asked(context: DecisionContext, item: Indicator, draft: ItemDraft) -> set[str]:
    found = find_open_questions(context, item.to_record(), NOW, draft.declined)
    assert found.is_complete
    return {question.fact for question in found.questions}


def answer(draft: ItemDraft, name: str, values: tuple[str, ...]) -> ItemDraft:
    if name == "urgency":
        return draft.model_copy(update={"basics": draft.basics.model_copy(update={"urgency": values[0]})})
    return draft.answer({name: values})


@search_settings(share=0.02)
@given(items(open_max=9), st.data())
def test_whatever_is_answered_to_what_is_not_asked_every_outcome_stays(
    given_item: tuple[str, ItemDraft], data: st.DataObject
) -> None:
    state, draft = given_item
    context, item = open_context(state), check(draft, state)
    asked = list_asked(context, item, draft)
    known = read_all_facts(item.to_record(), NOW)
    unasked = [name for name in QUESTIONS if known[name] is None and name not in asked and name not in draft.declined]
    assume(unasked)
    before = decide(context, item)
    for name in unasked:
        changed, _ = check_draft(answer(draft, name, data.draw(answers_to(name))), state, AGENCY, OFFICER)
        if changed is not None:  # half of a grading is no item
            assert decide(context, changed) == before, name


@search_settings(share=0.02)
@given(items(open_max=9))
def test_nothing_is_asked_that_is_known_or_that_the_officer_does_not_know(
    given_item: tuple[str, ItemDraft],
) -> None:
    state, draft = given_item
    context, item = open_context(state), check(draft, state)
    known = read_all_facts(item.to_record(), NOW)
    asked = list_asked(context, item, draft)
    assert asked.isdisjoint(draft.declined)
    assert all(known[name] is None for name in asked)


def make_draft(**basics: str) -> ItemDraft:
    typed = {"type": "domain-name", "value": "example.org", **basics}
    return ItemDraft(indicator_id=ITEM_ID, basics=ItemBasics(**typed))  # type: ignore[arg-type]


def test_where_nobody_can_get_it_nothing_is_asked_and_where_an_interest_can_match_the_offences_are() -> None:
    law, entries = find_law("CH"), make_directory().entries
    for wanted, expected in (({}, set()), ({"offences": ["LAUNDERING"]}, {"offence.codes"})):
        interests = [{"id": "x", **wanted}] if wanted else []
        entry = entries["FR"].model_validate(
            {**entries["FR"].model_dump(mode="json", by_alias=True), "interests": interests}
        )
        context = DecisionContext.open(law.pack, law.treaties, Directory({"FR": entry}), NOW)
        draft = make_draft()
        asked = list_asked(context, check(draft, "CH"), draft)
        assert bool(asked) == bool(expected)
        assert expected <= asked


def open_with(interest: dict[str, Any] | None, *accepted: StandingAcceptance) -> DecisionContext:
    """Return the law of CH, with an interest and acceptances of Germany."""
    law, entries = find_law("CH"), make_directory().entries
    document = entries["DE"].model_dump(mode="json", by_alias=True)
    interests = [] if interest is None else [{"id": "x", **interest}]
    entry = entries["DE"].model_validate({**document, "interests": interests})
    directory = with_acceptances(Directory({"DE": entry}), DE=accepted)
    return DecisionContext.open(law.pack, law.treaties, directory, NOW)


def make_known(**basics: str) -> ItemDraft:
    """Return an item of which everything is known but its urgency."""
    return make_draft(**basics).model_copy(update={"answers": dict(read_base("CH"))})


@pytest.mark.parametrize("urgency", ["URGENT", "ORDINARY"])
def test_the_urgency_is_asked_where_an_interest_depends_on_it(urgency: str) -> None:
    context, draft = open_with({"urgency": [urgency]}), make_known()
    assert list_asked(context, check(draft, "CH"), draft) == {"urgency"}
    assert decide(context, check(answer(draft, "urgency", (urgency,)), "CH")).keys() == {"DE"}
    declined = draft.answer({"urgency": None})
    assert list_asked(context, check(declined, "CH"), declined) == set()
    bare = make_draft().answer({"urgency": None})  # nobody is considered any more, so nothing else matters either
    assert list_asked(context, check(bare, "CH"), bare) == set()
    hopeless = draft.answer({"live_case_harm": ("YES",)})
    assert list_asked(context, check(hopeless, "CH"), hopeless) == set()


def test_the_urgency_is_asked_where_an_acceptance_depends_on_it() -> None:
    draft = make_known(nexus="DE")
    record = check(draft, "CH").to_record()
    assert list_asked(open_with(None), check(draft, "CH"), draft) == set()
    (offered,) = open_with(None).decide(record, NOW).recipients
    context = open_with(None, make_acceptance("CH", offered.terms.conditions, urgency=["URGENT"]))
    assert list_asked(context, check(draft, "CH"), draft) == {"urgency"}
    assert decide(context, check(draft, "CH")) == {"DE": "OFFER"}
    assert decide(context, check(answer(draft, "urgency", ("URGENT",)), "CH")) == {"DE": "DISCLOSE"}
