"""Conditions, codes and reasons in plain words: complete, translated, and nothing is invented for what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sharing.desk.contents.access import HiddenReason
from sharing.desk.contents.item_content import ItemContent
from sharing.desk.items.content_rows import ContentLine, list_content_rows
from sharing.desk.items.content_words import CODE_WORDS, describe_code, split_admiralty
from sharing.desk.items.correctable_facts import list_fact_fields
from sharing.desk.items.hidden_words import HIDDEN_WORDS
from sharing.desk.items.law_words import describe_rules
from sharing.desk.settings import LANGUAGES
from sharing.desk.web.catalogue import load_translations, set_language
from sharing.desk.web.condition_words import CONDITION_WORDS, describe_conditions, find_condition_words
from sharing.desk.web.rendering import make_environment
from sharing.desk.web.static_files import StaticFiles
from sharing.disclosure.amendments import CORRECTABLE
from sharing.model.code_words import ROLE_WORDS
from sharing.model.decision import PackReference
from sharing.model.item_code_words import TYPE_WORDS
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import (
    Assertion,
    Authority,
    Collection,
    ConditionKind,
    Effect,
    Form,
    Handling,
    NoticeKind,
    Outcome,
    Pap,
    Purpose,
    RelevanceKind,
    SourceGrade,
    SubjectClass,
    Tlp,
    Urgency,
)
from sharing.packs.library import find_law, find_law_by_code, list_shipped_pack_codes
from tests.desk.asgi import make_services
from tests.kafka.topic_io import fill_defaults
from tests.processors.gate.gate_fixtures import PACK

VOCABULARIES = {
    "form": Form, "assertion": Assertion, "subject_class": SubjectClass, "grading_source": SourceGrade,
    "handling": Handling, "tlp": Tlp, "pap": Pap, "collection": Collection, "purpose": Purpose,
    "source_authority": Authority, "urgency": Urgency, "outcome": Outcome, "effect": Effect, "message": NoticeKind,
    "relevance": RelevanceKind, "type": VALUE_TYPES,
}  # fmt: skip


def list_shipped_conditions() -> list[Condition]:
    packs = [find_law_by_code(code).pack for code in list_shipped_pack_codes()]
    found = {rule.condition for pack in packs for rule in pack.rules if rule.condition is not None}
    return sorted(found, key=lambda condition: condition.code)


@pytest.mark.parametrize("condition", list_shipped_conditions(), ids=lambda condition: condition.code)
def test_every_condition_of_a_shipped_pack_has_two_sentences(condition: Condition) -> None:
    words = find_condition_words(condition)
    assert words is not None, "add it to sharing/desk/web/condition_words.py"
    assert words.may != words.may_not
    for sentence in words:
        assert sentence[0].islower()
        assert not sentence.endswith(".")


def test_no_words_are_kept_for_conditions_that_no_pack_has() -> None:
    shipped = {(condition.code, condition.text) for condition in list_shipped_conditions()}
    assert set(CONDITION_WORDS) == shipped


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("common.h2", "Pass it on as you like."),  # another State uses a known code
        ("xx.unknown", "Not disseminated without the provider's permission."),
        ("common.h2", "Not disseminated without the provider's permission. "),
    ],
)
def test_what_is_not_known_exactly_is_shown_in_its_own_words_alone(code: str, text: str) -> None:
    (shown,) = describe_conditions([Condition(code, ConditionKind.OTHER, text)])
    assert (shown.words, shown.condition.text) == (None, text)


def list_words() -> Iterator[str]:
    yield from (words for codes in CODE_WORDS.values() for words in codes.values())
    yield from (sentence for words in CONDITION_WORDS.values() for sentence in words)
    yield from HIDDEN_WORDS.values()


def test_every_word_has_a_french_one() -> None:
    french = load_translations("fr")
    same = {"prevention", "investigation", "improbable", "police", "correction", "urgent", "IBAN"}
    assert [words for words in list_words() if french.gettext(words) == words and words not in same] == []


@pytest.mark.parametrize("field", VOCABULARIES)
def test_every_code_of_a_vocabulary_has_words(field: str) -> None:
    assert {str(code) for code in VOCABULARIES[field]} <= set(CODE_WORDS[field])


def test_every_role_of_a_shipped_pack_has_words() -> None:
    roles = {role for code in list_shipped_pack_codes() for role in find_law_by_code(code).pack.approvers}
    assert len(roles) > 10
    assert roles <= set(ROLE_WORDS)


def test_no_two_types_have_the_same_words() -> None:
    assert set(TYPE_WORDS) == set(VALUE_TYPES)
    for language in LANGUAGES:
        words = {load_translations(language).gettext(each) for each in TYPE_WORDS.values()}
        assert len(words) == len(TYPE_WORDS), language


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert describe_code("tlp", "PURPLE") == "PURPLE"
    assert [split_admiralty(grade) for grade in ("B2", "G2", "B7", "B", "B2x", "")] == [
        ("B", "2"), None, None, None, None, None,
    ]  # fmt: skip


def test_every_reason_is_a_sentence_that_says_what_it_is() -> None:
    assert set(HIDDEN_WORDS) == set(HiddenReason)
    assert all(words.endswith(".") for words in HIDDEN_WORDS.values())


def test_what_is_not_stated_has_no_row_and_what_is_stated_has_one_with_its_meaning() -> None:
    nothing = ItemContent("INFORMATION", fill_defaults("notice_content", {}))
    assert [row.label for row in list_content_rows(nothing)] == ["Use it as"]
    stated = {
        "grading_source": "A", "grading_information": 1, "grading_admiralty": "F6", "handling": ["H1", "H9"],
        "tlp": "RED", "personal_data": "UNKNOWN", "observed_at": 5, "type": "domain-name",
    }  # fmt: skip
    rows = {row.label: row for row in list_content_rows(ItemContent("X", fill_defaults("notice_content", stated)))}
    assert rows["Use it as"].lines == (ContentLine("X"),)
    assert rows["Type"].lines == (ContentLine("domain name", code="domain-name"),)
    assert rows["Source (Europol 4x4)"].lines == (ContentLine("no doubt that the source is trustworthy", code="A"),)
    assert rows["Admiralty system"].lines[0].text.endswith("truth cannot be judged")
    assert rows["Handling"].lines == (ContentLine("not in court without permission", code="H1"), ContentLine("H9"))
    assert rows["Personal data"].lines == (ContentLine("not stated"),)
    assert rows["Observed"].instant == 5


def test_a_paraphrase_is_shown_only_of_the_pack_that_was_applied() -> None:
    console = make_services().console
    law = find_law_by_code("CH")
    rule = law.pack.rules[0]
    named = RuleReference(rule.id, rule.citation, Effect.PERMIT)
    applied = PackReference("CH", "any", law.pack.sha256)
    assert describe_rules(console, [named], applied)[0].words == rule.paraphrase
    for other in (PackReference("CH", "any", "0" * 64), PackReference("<script>", "1", law.pack.sha256)):
        assert describe_rules(console, [named], other)[0].words == ""


@pytest.mark.parametrize(
    ("written", "number", "english", "french"),
    [
        ("", 1, "requires that a person approves it first", "une personne"),
        (", approvals: 2", 2, "requires that two officers approve it first", "deux agents"),
    ],
)
def test_a_rule_says_how_many_must_approve(
    tmp_path: Path, written: str, number: int, english: str, french: str
) -> None:
    text = PACK.replace("needs: {approver: JUDGE}", f"needs: {{approver: JUDGE{written}}}")
    (tmp_path / "ch.yaml").write_text(text, encoding="utf-8")
    console: Any = SimpleNamespace(settings=SimpleNamespace(packs=tmp_path, pack_key=None))
    applied = PackReference("CH", "any", find_law("CH", tmp_path).pack.sha256)
    asking = RuleReference("ch.approval", "art. 5", Effect.APPROVAL)
    shown = describe_rules(console, [asking, RuleReference("ch.permit", "art. 1", Effect.PERMIT)], applied)
    assert [rule.approvals for rule in shown] == [number, 1]
    law = make_environment(StaticFiles()).get_template("items/parts.html").make_module({}).law  # type: ignore[attr-defined]
    for language, words in (("fr", french), ("en", english)):
        set_language(language)
        assert words in law(shown, None, describe_code, "CH")


def test_every_correctable_fact_has_a_field_and_no_other_has() -> None:
    fields = [*list_fact_fields(are_findings=False), *list_fact_fields(are_findings=True)]
    assert {each.name for each in fields} == CORRECTABLE
    by_name = {each.name: each for each in fields}
    assert by_name["handling"].is_set
    assert by_name["grading.information"].values == ()
    assert by_name["minor"].values == ("NO", "YES")
