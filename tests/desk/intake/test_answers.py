"""Answers as they are chosen on a page: what is none of the list is refused, and what is not stated stays unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.desk.intake.answers import list_values, read_answer, state_answers
from sharing.desk.intake.item_draft import ItemBasics, ItemDraft, check_draft
from sharing.desk.web.typed_fields import NO_MEMBER
from sharing.errors import InputError
from sharing.law.fact_questions import QUESTIONS, read_all_facts
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, FactKind
from tests.desk.intake.intake_fixtures import AGENCY, ITEM_ID, NOW, OFFICER, answers_to


@given(st.sampled_from([name for name in QUESTIONS if name not in {"urgency", "origin.state"}]), st.data())
def test_each_answer_is_the_fact_that_the_law_reads(name: str, data: st.DataObject) -> None:
    values = data.draw(answers_to(name))
    assert read_answer(name, values or (NO_MEMBER,)) == values
    partners = {"grading.source": ("A",), "grading.information": ("2",)} if name.startswith("grading.") else {}
    basics = ItemBasics(type="domain-name", value="example.org")
    draft = ItemDraft(indicator_id=ITEM_ID, basics=basics, answers={**partners, name: values})
    item, wrong = check_draft(draft, "DE", AGENCY, OFFICER)
    assert item is not None, wrong
    known = read_all_facts(item.to_record(), NOW)[name]
    fact = FACTS[name]
    if fact.kind is FactKind.SET:
        assert known == frozenset(values)
    elif fact.kind is FactKind.NUMBER:
        assert known == float(values[0])
    else:
        assert known == values[0]


def test_no_other_state_is_an_answer_once_it_is_known_how_it_was_obtained() -> None:
    basics = ItemBasics(type="domain-name", value="example.org")
    for collection, expected in (("SEARCH", NONE), ("FOREIGN_STATE", None)):
        answers: dict[str, tuple[str, ...]] = {"origin.state": (NONE,), "collection": (collection,)}
        item, _ = check_draft(ItemDraft(indicator_id=ITEM_ID, basics=basics, answers=answers), "DE", AGENCY, OFFICER)
        assert item is not None
        assert read_all_facts(item.to_record(), NOW)["origin.state"] == expected


def test_half_of_what_is_stated_together_is_left_out() -> None:
    assert state_answers({}, {"grading.source": ("A",), "form": ("EVIDENCE",)}) == {"form": "EVIDENCE"}
    both = {"grading.source": ("A",), "grading.information": ("2",)}
    assert state_answers({"grading": {"admiralty": "B2"}}, both) == {
        "grading": {"admiralty": "B2", "source": "A", "information": 2}
    }


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("form", ("LETTER",)),
        ("form", ("EVIDENCE", "INFORMATION")),
        ("offence.codes", ("LAUNDERING", "x")),
        ("offence.codes", (NO_MEMBER,)),
        ("character", (NO_MEMBER, "POLITICAL")),
        ("offence.max_penalty_years", ("ten",)),
        ("offence.max_penalty_years", ("-1",)),
        ("offence.max_penalty_years", ("1e9",)),
        ("offence.max_penalty_years", ("\u0661",)),
        ("offence.max_penalty_years", ("nan",)),
        ("grading.information", ("5",)),
        ("grading.information", ("2.0",)),
        ("recipient.state", ("DE",)),
        ("handling", ("H0",)),
        ("no.fact", ("x",)),
    ],
)
def test_what_is_none_of_the_list_is_refused(name: str, chosen: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as refused:
        read_answer(name, chosen)
    assert refused.value.field == name
    assert not any(value in str(refused.value) for value in chosen if len(value) > 2)


def test_nothing_chosen_is_not_known_and_a_decimal_comma_is_read() -> None:
    assert read_answer("form", ()) is None
    assert read_answer("form", ("", " ")) is None
    assert read_answer("character", (NO_MEMBER,)) == ()
    assert read_answer("offence.max_penalty_years", ("2,5",)) == ("2.5",)
    assert list_values(FACTS["grading.information"]) == ("1", "2", "3", "4")
