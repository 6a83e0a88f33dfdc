"""Each answer that can be chosen has a name of its own, in each language."""

from __future__ import annotations

import pytest

from sharing.desk.intake.answers import list_values
from sharing.desk.settings import LANGUAGES
from sharing.desk.web.catalogue import load_translations, set_language
from sharing.desk.web.value_words import name_value, name_values
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS

SAME_IN_ALL = frozenset({"H0"})


@pytest.fixture(autouse=True)
def in_english() -> None:
    set_language("en")


def test_no_two_answers_to_a_question_have_the_same_name_and_no_is_no_state() -> None:
    for name in QUESTIONS:
        values = list_values(FACTS[name])
        assert len({name_value(value, name) for value in values}) == len(values), name
    assert name_value("NO", "origin.consent") == "No"
    assert name_value("NO", "origin.state") == "Norway"
    assert name_values("offence.codes", "LAUNDERING, CORRUPTION") == "Laundering, Corruption"
    assert name_value("ICT_FORGERY", "offence.codes") == "ICT forgery"
    assert name_value("NONE", "subject_class") == "Nobody"
    assert name_value("3", "offence.max_penalty_years") == "3"
    assert name_value("3", "grading.information").startswith("3: not known personally")


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_question_and_every_answer_is_translated(language: str) -> None:
    known = load_translations(language)
    asked = set(QUESTIONS.values())
    chosen = {
        name_value(value, name) for name in QUESTIONS if name != "origin.state" for value in list_values(FACTS[name])
    }
    untranslated = {
        word for word in (asked | chosen) - SAME_IN_ALL if known.gettext(word) == word and word not in ALIKE
    }
    assert untranslated == set()


ALIKE = frozenset({"Police", "Information", "Interception", "Grand jury", "Suspect", "Urgent", "Racial", "Corruption"})
"""Words that are the same in the languages of the catalogue."""
