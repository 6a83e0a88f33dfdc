"""Each answer that can be chosen has a name of its own, in each language."""

from __future__ import annotations

import pytest

from sharing.desk.intake.answers import list_values
from sharing.desk.intake.item_form import list_options, list_type_options
from sharing.desk.settings import LANGUAGES
from sharing.desk.web.catalogue import load_translations, set_language
from sharing.desk.web.value_words import name_value, name_values
from sharing.desk.web.wording import fold
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Handling, Pap, Tlp, Urgency


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
    untranslated = {word for word in asked | chosen if known.gettext(word) == word and word not in ALIKE}
    assert untranslated == set()


ALIKE = frozenset({"Police", "Information", "Interception", "Grand jury", "Suspect", "Urgent", "Racial", "Corruption"})
"""Words that are the same in the languages of the catalogue."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_types_are_in_words_with_their_codes_and_in_the_order_of_the_words(language: str) -> None:
    set_language(language)
    try:
        options = list_type_options()
    finally:
        set_language("en")
    assert {code for code, _words in options} == set(VALUE_TYPES)
    assert all(f"({code}), " in words for code, words in options)
    shown = [words for _code, words in options]
    assert shown == sorted(shown, key=fold)
    expected = {
        "en": "Domain name (domain-name), such as malware.example.org",
        "fr": "Nom de domaine (domain-name), par exemple malware.example.org",
    }
    assert dict(options)["domain-name"] == expected[language]


def test_markings_are_offered_with_their_meaning() -> None:
    assert list_options(Handling, "handling")[0] == ("H0", "H0: only to prevent and combat crime")
    assert (
        dict(list_options(Tlp, "tlp"))["AMBER+STRICT"] == "AMBER+STRICT: for your organisation only, where it is needed"
    )
    assert dict(list_options(Pap, "pap"))["RED"] == "RED: nothing that could be noticed from outside"
    assert [code for code, _words in list_options(Urgency, "urgency")] == ["ORDINARY", "URGENT", "EMERGENCY"]
