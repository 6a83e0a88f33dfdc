"""The questions to an officer: agreement with brute force, and what the shipped packs ask."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_terms
from sharing.law.fact_questions import QUESTIONS, read_all_facts
from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, TRISTATE, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.law.questions import BARE_ITEM, find_questions, find_questions_by_recipient
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.law_covers import list_space_tests
from sharing.model.directory import CompetentAuthority
from sharing.model.findings import FINDINGS
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Outcome
from sharing.packs.library import find_law
from tests.law.scenarios import write_item
from tests.law.strategies import COMMON_RULES, DAY, NOW_MS, TREATIES, dump_yaml, packs, search_settings

GROUPS = (
    ("form", "personal_data", "live_case_harm", "recipient.eu"),
    ("offence.max_penalty_years", "urgency", "treaty_basis"),
    ("origin.consent", "secrecy_domain", "findings.serious_offence", "recipient.state"),
    ("offence.organised_group", "personal_data", "recipient.treaties"),
)
KNOWN: dict[str, FactValue] = {**BARE_ITEM, "offence.codes": frozenset({"LAUNDERING"}), "source.authority": "POLICE"}


@st.composite
def inquiries(draw: st.DrawFn) -> tuple[str, dict[str, FactValue], list[str], str | None]:
    """Return a pack, known facts of an item, recipients, and the kind of their authority."""
    names = draw(st.sampled_from(GROUPS))
    text = dump_yaml(draw(packs(names)))
    known = {
        name: draw(st.sampled_from(list_values(name))) for name in names if is_item_fact(name) and draw(st.booleans())
    }
    recipients = draw(st.lists(st.sampled_from(["FR", "GB", "SO", "US"]), min_size=1, max_size=2, unique=True))
    return text, {**KNOWN, **known}, recipients, draw(st.sampled_from(["POLICE", "TAX", NONE, None]))


def is_item_fact(name: str) -> bool:
    return FACTS[name].scope is FactScope.INDICATOR


def list_values(name: str) -> list[FactValue]:
    if name == "offence.max_penalty_years":
        return [None, 0.0, 1.0, 2.0, 4.0, 5.0]
    return [None, *sorted(FACTS[name].values)]


@given(inquiries())
@settings(parent=search_settings(0.02), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_questions_agree_with_brute_force(inquiry: tuple[str, dict[str, FactValue], list[str], str | None]) -> None:
    text, known, recipients, authority = inquiry
    pack = parse_pack(text, "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities(dict.fromkeys(recipients, authority)))
    questionnaire = find_questions(law, known, recipients)
    assert questionnaire.complete
    expected = ask_by_brute_force(law, known, recipients)
    assert {question.fact: question.needs for question in questionnaire.questions} == expected
    shares = [question.settling_share for question in questionnaire.questions]
    assert shares == sorted(shares, reverse=True)


@given(inquiries())
@settings(parent=search_settings(0.02), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_each_recipient_is_asked_about_as_if_it_were_alone(
    inquiry: tuple[str, dict[str, FactValue], list[str], str | None],
) -> None:
    text, known, recipients, authority = inquiry
    pack = parse_pack(text, "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities(dict.fromkeys(recipients, authority)))
    found = find_questions_by_recipient(law, known, recipients)
    assert found == {state: find_questions(law, known, [state]) for state in recipients}
    unanswered = find_questions_by_recipient(law, known, recipients, unanswerable=FACTS)
    assert all(questionnaire.questions == () for questionnaire in unanswered.values())


def ask_by_brute_force(law: DisclosureFilter, known: dict[str, FactValue], recipients: list[str]) -> dict[str, int]:
    """Return each fact whose answer can change an outcome, with the fewest other answers that this takes."""
    tested = {test.fact for rule in law.pack.rules for test in rule.iter_tests()} | {"offence.organised_group"}
    facts = {name: value for name, value in known.items() if value is not None}
    open_names = sorted(name for name in tested if is_item_fact(name) and name not in facts)
    unknown = dict.fromkeys((*tested, *KNOWN), None)
    outcomes: dict[tuple[FactValue, ...], tuple[Outcome, ...]] = {}
    for values in product(*(list_values(name) for name in open_names)):
        item = {**unknown, **facts, **dict(zip(open_names, values, strict=True))}
        outcomes[values] = tuple(decide(law, item, state) for state in sorted(recipients))
    if all(set(reached) == {Outcome.WITHHOLD} for reached in outcomes.values()):
        return {}
    needs: dict[str, int] = {}
    for values, reached in outcomes.items():
        for index, name in enumerate(open_names):
            without = (*values[:index], None, *values[index + 1 :])
            if reached != outcomes[without]:
                others = sum(value is not None for value in without)
                needs[name] = min(needs.get(name, others), others)
    return needs


def decide(law: DisclosureFilter, item: dict[str, FactValue], state: str) -> Outcome:
    profile = law.profile_recipient(state, item, named=False)
    return combine_terms(law.evaluate_rules(item, profile.facts), profile.basis).outcome


# --- Words ---


def test_every_fact_of_an_item_has_a_question_or_is_always_known() -> None:
    # Always known, or derived from others.
    never_asked = {"action", "type", "handling", "tlp", "pap", "retention_expired", "origin.foreign"}
    asked_of_nobody = [
        name
        for name, fact in FACTS.items()
        if fact.scope is FactScope.INDICATOR and name not in QUESTIONS and name not in never_asked
    ]
    assert asked_of_nobody == []
    assert FACTS.keys() >= QUESTIONS.keys()


@pytest.mark.parametrize("name", sorted(FINDINGS))
def test_a_finding_is_one_question_to_be_answered_with_yes_or_no_and_names_its_law(name: str) -> None:
    question, law = FINDINGS[name]
    assert re.fullmatch(r"(Is|Are|Was|Were|Do|Does|Has|Have|Can|Could|May|Would) [^?]*\w\?", question)
    assert ". " not in question.replace("art. ", "")
    assert re.search(r"[A-Z]", law)
    assert not law.endswith((".", " "))
    assert QUESTIONS[f"findings.{name}"] == question
    assert FACTS[f"findings.{name}"].values == TRISTATE


def test_no_two_questions_are_the_same() -> None:
    assert len(set(QUESTIONS.values())) == len(QUESTIONS)


# --- A real item ---

HARMS = {"essential_interest_harm", "person_safety_harm"}
POLICE = list_sole_authorities({"CH": "POLICE", "US": "POLICE"})


def make_law(state: str, authorities: dict[str, Any] | None = None) -> DisclosureFilter:
    law = find_law(state)
    return DisclosureFilter(law.pack, law.treaties, DAY, authorities or list_sole_authorities({"DE": "POLICE"}))


def test_nothing_is_asked_that_is_known_and_each_answer_shows_what_it_leaves_possible() -> None:
    law = make_law("CH")
    known: dict[str, FactValue] = {
        **BARE_ITEM, "offence.codes": frozenset({"ILLEGAL_ACCESS"}), "source.authority": "POLICE",
        "form": "INFORMATION",
        "collection": "OPEN_SOURCE", "origin.state": NONE, "origin.foreign": "NO", "purpose": "INVESTIGATION",
        "personal_data": "NO", "secrecy_domain": "NO", "character": frozenset(),
    }  # fmt: skip
    questions = {question.fact: question for question in find_questions(law, known, ["DE"]).questions}
    assert not questions.keys() & known.keys()
    harm = questions["live_case_harm"]
    assert harm.answers["YES"] is Outcome.WITHHOLD
    assert harm.answers["NO"] is not Outcome.WITHHOLD
    assert harm.needs == 0
    assert harm.citation
    assert harm.rules


def test_nothing_is_asked_where_no_answer_helps() -> None:
    law = make_law("CH")
    forbidden = {**BARE_ITEM, "character": frozenset({"POLITICAL"})}
    assert find_questions(law, forbidden, ["DE"]).questions == ()
    assert find_questions(law, BARE_ITEM, []).questions == ()


def test_a_search_that_is_cut_short_asks_rather_too_much() -> None:
    law = make_law("CH")
    complete, cut = (find_questions(law, BARE_ITEM, ["DE"], steps_max=steps) for steps in (200_000, 1))
    assert complete.complete
    assert not cut.complete
    assert {one.fact for one in cut.questions} >= {one.fact for one in complete.questions}


def test_the_authority_is_the_one_that_the_directory_chooses() -> None:
    fiu, police = (
        CompetentAuthority.model_validate({"name": "a", "kind": kind, "competence": {"offences": [code], "from": []}})
        for kind, code in (("FIU", "LAUNDERING"), ("POLICE", "COPYRIGHT"))
    )
    law = make_law("CH", {"DE": (fiu, police)})
    hacking = {**BARE_ITEM, "offence.codes": frozenset({"ILLEGAL_ACCESS"}), "source.authority": "POLICE"}
    copying = {**hacking, "offence.codes": frozenset({"COPYRIGHT"})}
    assert find_questions(law, hacking, ["DE"]).questions == ()  # no authority is competent
    assert find_questions(law, copying, ["DE"]).questions
    tests = list_space_tests(law.pack, law.treaties)
    assert ItemSpace(tests, "CH", 1).fact_names >= {"recipient.authority"}


@pytest.mark.parametrize(("state", "harms"), [("DE", {"essential_interest_harm"}), ("NL", HARMS), ("FR", HARMS)])
def test_a_technical_indicator_is_refused_only_until_its_officer_answers_for_harm(state: str, harms: set[str]) -> None:
    """A caution withholds the hash of malware while nobody was asked: so it is asked first, and the answer opens it."""
    record = Indicator.parse(write_item("HASH", state, findings={})).to_record()
    questions = find_questions(make_law(state, POLICE), read_all_facts(record, NOW_MS), ["CH", "US"]).questions
    first = {question.fact: question for question in questions[: len(harms)]}
    assert first.keys() == {f"findings.{name}" for name in harms}
    for question in first.values():
        assert question.answers["YES"] is Outcome.WITHHOLD
        assert question.answers["NO"] is not Outcome.WITHHOLD
        assert question.citation


@pytest.mark.parametrize("state", ["CH", "JP"])
def test_the_most_decisive_questions_come_first(state: str) -> None:
    law = make_law(state)
    questions = find_questions(law, BARE_ITEM, ["DE"]).questions
    keys = [(-question.settling_share, question.needs) for question in questions]
    assert keys == sorted(keys)
    assert questions
