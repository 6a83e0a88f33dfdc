"""What the dialog says before a ruling is signed: words, each with its code. What is signed keeps the codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from sharing.console.found_asks import FoundAsk, make_references
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.desk.rulings.summaries import (
    summarise_answer,
    summarise_correction,
    summarise_end_of_cover,
    summarise_passing_on,
    summarise_recall,
    summarise_resending,
    summarise_withdrawal,
)
from sharing.desk.web.catalogue import set_language
from sharing.desk.web.condition_words import CONDITION_WORDS
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import Authority, ConditionKind
from sharing.packs.library import find_law
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering, compute_conditions_hash
from sharing.rulings.vocabulary import RefusalGround
from tests.conversation.people import held, offered, withheld
from tests.desk.rulings.ruling_world import RulingWorld, open_ruling_world
from tests.desk.spoken import is_english

LEAD = Condition(
    "nl.dir-2023-977.no-evidence",
    ConditionKind.NO_EVIDENCE,
    "Not used as evidence in court without the provider's consent.",
)
OTHERS = Condition("common.h0", ConditionKind.HANDLING, "A text that another State has written.")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    with open_ruling_world(monkeypatch) as world:
        yield world


@pytest.fixture
def french() -> Iterator[None]:
    set_language("fr")
    yield
    set_language("en")


def prepare(desk: RulingWorld, ask: Any, **fields: Any) -> Any:
    prepared = desk.prepare(act="answer", ask=ask.id, nonce=ask.nonce, **fields)
    assert prepared.status_code == 200, prepared.text
    return prepared.json()


def find(desk: RulingWorld, ask_id: str) -> FoundAsk:
    found = desk.world.find(ask_id)
    assert found is not None
    return found


def summarise(found: FoundAsk, conditions: Sequence[Condition], **fields: Any) -> tuple[str, ...]:
    act = Answering(
        asks=make_references([found]), about=found.ask.kind, recipients=tuple(sorted(found.ask.recipients)), **fields
    )
    terms = AskedTerms(conditions=tuple(conditions), codes=frozenset(each.code for each in conditions))
    return summarise_answer(act, [found], terms, [], 0)


def test_states_are_named_and_what_is_signed_has_their_codes(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    prepared = prepare(desk, ask, answer="APPROVED")
    assert prepared["summary"][0] == "You approve the disclosure: one item of Germany (DE), for Switzerland (CH)."
    assert prepared["payload"]["act"]["recipients"] == ["CH"]
    desk.desk.session.language = "fr"  # type: ignore[union-attr]
    said = prepare(desk, ask, answer="APPROVED")["summary"]
    assert "Fourni par : Allemagne (DE) ; pour : Suisse (CH)." in said[0]


def test_grounds_are_said_in_words_with_their_codes(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    prepared = prepare(desk, ask, answer="REFUSED", ground=["LIVE_CASE", "HUMAN_RIGHTS"])
    assert [line for line in prepared["summary"] if line.startswith("Ground")] == [
        "Ground: A human right prevents it (HUMAN_RIGHTS).",
        "Ground: It would harm a live case (LIVE_CASE).",
    ]
    assert prepared["payload"]["act"]["grounds"] == ["HUMAN_RIGHTS", "LIVE_CASE"]


def test_facts_are_questions_with_the_answers_that_are_signed(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, withheld("CH", "form", "minor")).find_ask(AskKind.SUPPLY_FACT)
    fields = {"fact:form": "INFORMATION", "fact:minor": "NO"}
    prepared = prepare(desk, ask, answer="SUPPLIED", **fields)
    asked = "Is it information, evidence, or only the fact that something exists?"
    assert [line for line in prepared["summary"] if line.startswith("Fact")] == [
        f"Fact: {asked} Information (form = INFORMATION).",
        "Fact: Does it concern a person under 18? No (minor = NO).",
    ]
    signed = {fact["name"]: fact["values"] for fact in prepared["payload"]["act"]["facts"]}
    assert signed == {"form": ["INFORMATION"], "minor": ["NO"]}


def test_a_number_is_said_as_it_is_and_a_grade_in_words() -> None:
    facts = [
        RuledFact(name=name, values=values)
        for name, values in (
            ("offence.max_penalty_years", ("3",)), ("grading.information", ("3",)), ("tlp", ("RED",)),
            ("origin.state", ("CH",)), ("character", ()), ("offence.codes", ("LAUNDERING", "CORRUPTION")),
        )
    ]  # fmt: skip
    years = "What is the maximum penalty for the offence under your law, in years?"
    grade = "3: not known personally to the source, but corroborated (grading.information = 3)"
    assert summarise_correction(facts)[1:-2] == (
        f"Fact: {years} 3 (offence.max_penalty_years = 3).",
        f"Fact: How reliable is the information (Europol: 1 to 4)? {grade}.",
        "Fact: Which TLP marking applies? RED: for the named recipients only (tlp = RED).",
        "Fact: Does it belong to another State, and to which? Switzerland (origin.state = CH).",
        "Fact: Is it of a political, military, religious or racial character? None of these (character).",
        "Fact: Which offences does it concern? Laundering, Corruption (offence.codes = LAUNDERING, CORRUPTION).",
    )


def test_conditions_are_what_one_may_and_may_not_with_their_codes(desk: RulingWorld) -> None:
    words = CONDITION_WORDS[LEAD.code, LEAD.text]
    conditions = [OTHERS, LEAD]
    fields = {"conditions_hash": compute_conditions_hash(conditions)}
    text = "Condition: “A text that another State has written.” (common.h0)."
    received = find(desk, desk.world.receive(1))
    said = summarise(received, conditions, answer=Answer.ACCEPTED, **fields)
    mine = f"Condition: you may {words.may}; you may not {words.may_not} ({LEAD.code})."
    assert [line for line in said if line.startswith("Condition")] == [text, mine]
    ours = find(desk, desk.world.publish(2, held("CH")).find_ask(AskKind.APPROVE).id)
    said = summarise(ours, conditions, answer=Answer.APPROVED, **fields)
    theirs = f"Condition: the receiving State may {words.may}; it may not {words.may_not} ({LEAD.code})."
    assert [line for line in said if line.startswith("Condition")] == [text, theirs]
    assert not any(line.startswith("Condition") for line in summarise(ours, conditions, answer=Answer.APPROVED))


def test_the_conditions_that_stay_are_named_and_no_other(desk: RulingWorld) -> None:
    story = desk.world.publish(1, offered("CH", "c.one", optional=("c.two",)))
    story.reply(Answer.CANNOT_COMPLY, "CH")
    desk.world.keep(story.conversation.item)
    found = find(desk, story.find_ask(AskKind.REDECIDE).id)
    kept = (LEAD.code, "xx.unknown")
    said = summarise(found, [OTHERS, LEAD], answer=Answer.RELAX, relaxed=tuple(sorted(kept)))
    words = CONDITION_WORDS[LEAD.code, LEAD.text]
    assert [line for line in said if "stay" in line] == [
        f"This condition stays: the receiving State may {words.may}; it may not {words.may_not} ({LEAD.code}).",
        "This condition stays: xx.unknown.",
    ]
    assert not any(OTHERS.code in line for line in said)
    assert "No condition stays." in summarise(found, [OTHERS, LEAD], answer=Answer.RELAX, relaxed=())
    prepared = prepare(desk, found.ask, answer="RELAX", relaxed="c.one")
    assert prepared["payload"]["act"]["relaxed"] == ["c.one"]
    assert "(c.one)" in " ".join(prepared["summary"])


def test_the_rule_of_the_own_law_is_named(desk: RulingWorld) -> None:
    found = find(desk, desk.world.publish(1, held("CH")).find_ask(AskKind.APPROVE).id)
    said = summarise(found, [], answer=Answer.REFUSED, grounds=(RefusalGround.OWN_LAW,), own_rule="de.irg-73")
    unknown = "The rule of your own law: de.irg-73. Your law pack has no rule with this id: the log will not name it."
    assert unknown in said
    ask = desk.world.publish(2, held("CH")).find_ask(AskKind.APPROVE)
    rule = find_law("DE").pack.rules[0]
    named = prepare(desk, ask, answer="REFUSED", ground="OWN_LAW", rule=rule.id)
    assert f"The rule of your own law: {rule.citation} ({rule.id})." in named["summary"]
    unnamed = prepare(desk, ask, answer="REFUSED", ground="OWN_LAW", rule="de.no-such-rule")
    assert unknown.replace("de.irg-73", "de.no-such-rule") in unnamed["summary"]


def list_other_summaries() -> list[str]:
    cover: Any = SimpleNamespace(terms=SimpleNamespace(answer=Answer.ACCEPTED))
    ask: Any = SimpleNamespace(ask=SimpleNamespace(kind=AskKind.APPROVE))
    return [
        summarise_recall({"NL", "CH"})[0],
        summarise_withdrawal({"NL"})[0],
        summarise_withdrawal(())[0],
        summarise_resending({"JP"})[0],
        summarise_resending(None)[0],
        summarise_passing_on([ask], Authority.COURT)[0],
        summarise_passing_on([ask, ask], Authority.FIU)[0],
        summarise_end_of_cover(cover)[0],
    ]


def test_what_is_begun_or_ended_names_states_authorities_and_answers() -> None:
    again = "What was sent about the item is sent again to"
    ended = "Later questions are no longer answered automatically"
    assert list_other_summaries() == [
        "You recall the item from Switzerland (CH), Netherlands (NL).",
        "You withdraw the item from everybody: Netherlands (NL).",
        "You withdraw the item from everybody: no State has it.",
        f"{again} Japan (JP), with the same ids: it counts once.",
        f"{again} all States that it was sent to, with the same ids: it counts once.",
        "You pass this question on to court (COURT).",
        "You pass 2 questions on to financial intelligence unit (FIU).",
        f"{ended}; the answer was: conditions accepted (ACCEPTED).",
    ]


@pytest.mark.usefixtures("french")
def test_in_french_too(desk: RulingWorld) -> None:
    found = find(desk, desk.world.receive(1))
    said = [
        *list_other_summaries(),
        *summarise(found, [LEAD], answer=Answer.ACCEPTED, conditions_hash=compute_conditions_hash([LEAD])),
        *summarise(found, [], answer=Answer.DECLINED, grounds=(RefusalGround.DISCRETION,)),
        *summarise_correction([RuledFact(name="minor", values=("NO",)), RuledFact(name="character", values=())]),
    ]
    assert [line for line in said if is_english(line)] == []
    assert "Suisse (CH), Pays-Bas (NL)." in said[0]
    assert any(f"({LEAD.code})" in line and "vous ne pouvez pas" in line for line in said)
    assert any("(minor = NO)" in line for line in said)
