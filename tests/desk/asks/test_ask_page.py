"""The page of one Ask: everything that an officer must know before answering, in words first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from markupsafe import escape

from sharing.console.found_covers import FoundCover
from sharing.conversation.asks import Publisher
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.covers import CoverTerms
from sharing.desk.web.code_words import name_category
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency
from sharing.packs.library import find_law
from tests.conversation.people import held, offered, withheld
from tests.desk.asgi import NOW
from tests.desk.rulings.ruling_world import RulingWorld, open_ruling_world


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    with open_ruling_world(monkeypatch) as world:
        yield world


def show(desk: RulingWorld, ask_id: str) -> str:
    answer = desk.desk.get(f"/asks/{ask_id}")
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_a_held_item_is_shown_with_law_deadline_silence_and_what_each_answer_does(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, held("CH", needed=2), urgency=Urgency.URGENT).find_ask(AskKind.APPROVE)
    text = show(desk, ask.id)
    for part in (
        "Approve the disclosure of an item that the law holds", "2 officers must approve it.", "IRG § 61a",
        "[de.irg-61a]", "it ends without disclosure", "the item may be sent, once nothing else stands in its way",
        "2 officers must answer", "the next contact point is notified", "JUDGE", ask.nonce, ask.id,
        "Grounds of refusal", "A human right prevents it", "Claim for half an hour", "Pass on",
    ):  # fmt: skip
        assert part in text, part
    assert text.index("[de.irg-61a]") < text.index("It is disclosed under conditions."), "what asks comes first"
    assert text.index("2 officers must approve it.") < text.index("IRG § 61a"), "words first, citation beside"
    assert 'name="rule" class="medium" list="own-rules"' in text
    rule = find_law("DE").pack.rules[0]
    assert f'<option value="{rule.id}">{escape(rule.citation)}</option>' in text, "nobody knows the ids of rules"
    (item,) = desk.world.stories
    assert f'href="/items/DE/{item}"' in text, "the timeline is on the page of the item"
    assert "2 officers must answer" in desk.desk.get("/asks").text, "the list says so, too"
    one = show(desk, desk.world.publish(2, held("CH")).find_ask(AskKind.APPROVE).id)
    assert "An officer must approve it." in one
    assert "officers must" not in one


def test_conditions_are_said_as_what_one_may_and_may_not(desk: RulingWorld) -> None:
    ask_id = desk.world.receive(1)
    text = show(desk, ask_id)
    for heading in ("You may use it for this purpose only", "You may not use it as evidence", "You may not keep it"):
        assert heading in text
    assert "What c.two says." in text
    assert name_category("FINANCE") in text
    assert text.count('name="conditions_hash"') == 3, "each answer is about the conditions that were shown"
    assert 'name="unmet"' in text
    assert 'name="our_law"' in text


def test_what_the_law_requires_is_marked_where_conditions_may_be_left_out(desk: RulingWorld) -> None:
    story = desk.world.publish(1, offered("CH", "c.one", optional=("c.two",)))
    story.reply(Answer.CANNOT_COMPLY, "CH")
    desk.world.keep(story.conversation.item)
    text = show(desk, story.find_ask(AskKind.REDECIDE).id)
    assert len(re.findall(r'name="relaxed" value="c\.(one|two)"', text)) == 2
    assert "the law requires it" in text
    assert "may be left out" in text
    assert "<strong>It may " in text, "the officer of the State that provides it is not the one whom it binds"
    assert "<strong>You " not in text


def test_facts_are_asked_as_questions_with_their_values(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, withheld("CH", "form", "offence.max_penalty_years")).find_ask(AskKind.SUPPLY_FACT)
    text = show(desk, ask.id)
    assert "Is it information, evidence" in text
    assert 'name="fact:form"' in text
    assert '<option value="EVIDENCE">' in text
    assert 'inputmode="decimal"' in text
    assert f"/intake/supply/{ask.id}" in text


def test_who_may_not_answer_is_told_why_and_gets_no_form(desk: RulingWorld) -> None:
    own = desk.world.publish(1, held("CH"), publisher=Publisher("bka", "anna")).find_ask(AskKind.APPROVE)
    text = show(desk, own.id)
    assert "four eyes" in text.lower()
    assert "data-ruling-group" not in text
    elsewhere = desk.world.publish(2, offered("FR", "c.one")).find_ask(AskKind.ACCEPT)
    assert "People of France (FR) are asked, and answer there." in show(desk, elsewhere.id)
    desk.desk.sign_in("bert")
    role = show(desk, desk.world.publish(3, held("CH")).find_ask(AskKind.APPROVE).id)
    assert "does not have the role" in role


def test_an_answer_can_be_given_to_alike_asks_too(desk: RulingWorld) -> None:
    asks = [desk.world.publish(number, held("CH")).find_ask(AskKind.APPROVE) for number in range(4)]
    assert "Also answer 3 similar questions" in show(desk, asks[0].id)
    alone = desk.world.publish(9, held("FR")).find_ask(AskKind.APPROVE)
    assert 'name="alike"' not in show(desk, alone.id)


def test_without_the_law_nothing_is_made_up(desk: RulingWorld) -> None:
    ask_id = desk.world.receive(1)
    desk.world.law_is_away = True
    text = show(desk, ask_id)
    assert "cannot be looked up now" in text
    assert "This desk cannot read the conditions" in text
    assert 'name="conditions_hash"' not in text


def test_given_answers_rounds_and_claims_are_told(desk: RulingWorld) -> None:
    story = desk.world.publish(1, held("CH", needed=2))
    carl = desk.register.officers["carl"].to_officer()
    story.rule(AskKind.APPROVE, carl, Answer.APPROVED)
    desk.world.keep(story.conversation.item)
    text = show(desk, story.find_ask(AskKind.APPROVE).id)
    assert "disclosure approved (APPROVED), Carl (carl)" in text


def test_an_answer_that_covers_later_asks_is_named_with_its_officer_and_can_be_ended(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    found = desk.world.find(ask.id)
    assert found is not None
    law = desk.world.look_up([found])[ask.id]
    terms = CoverTerms(
        "carl", "DE", found.item, AskKind.APPROVE, ("CH",), law.rule, law.conditions_hash, Answer.APPROVED
    )
    covers = FoundCover("ab" * 32, terms, NOW + DAY_MS, (0,)), FoundCover("cd" * 32, terms, NOW - 1, (0,))
    desk.world.covers = covers
    desk.world.keep(found.item)
    text = show(desk, ask.id)
    assert "are answered “Approve” automatically, in the name of carl, until:" in text
    assert f'name="cover" value="{covers[0].digest}"' in text
    assert covers[1].digest not in text, "it has ended"


def test_the_beginning_of_an_id_is_enough(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    assert ask.id in show(desk, ask.id[:10])


def test_an_ask_that_ended_is_read_from_the_topic_and_takes_no_answer(
    desk: RulingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = desk.world.publish(1, held("CH"))
    ask = story.find_ask(AskKind.APPROVE)
    found = desk.world.find(ask.id)
    assert found is not None
    story.rule(AskKind.APPROVE, desk.register.officers["carl"].to_officer(), Answer.REFUSED)
    desk.world.keep(story.conversation.item)
    ended = replace(found, ask=story.conversation.asks[ask.id])
    monkeypatch.setattr("sharing.desk.asks.routes.find_asks", lambda *_: [ended])
    text = show(desk, ask.id)
    assert "This question has ended" in text
    assert "data-ruling-group" not in text
    assert "disclosure refused (REFUSED), Carl (carl)" in text


def test_an_unknown_id_is_not_found_and_not_repeated(desk: RulingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharing.errors import InputError

    def refuse(*_: Any) -> Any:
        raise InputError("DE has no such Ask")

    monkeypatch.setattr("sharing.desk.asks.routes.find_asks", refuse)
    for name in ("ffffffff-0000-4000-8000-000000000000", "<b>x</b>", "x" * 500):
        answer = desk.desk.get(f"/asks/{name}")
        assert answer.status_code == 404, name
        assert "<b>x" not in answer.text


def test_every_field_has_a_label_and_ids_are_unique(desk: RulingWorld) -> None:
    story = desk.world.publish(1, offered("CH", "c.one", optional=("c.two",)))
    story.reply(Answer.CANNOT_COMPLY, "CH")
    desk.world.keep(story.conversation.item)
    asks = [
        story.find_ask(AskKind.REDECIDE).id,
        desk.world.receive(2),
        desk.world.publish(3, held("NL")).find_ask(AskKind.APPROVE).id,
        desk.world.publish(4, withheld("SE", "form", "offence.codes")).find_ask(AskKind.SUPPLY_FACT).id,
    ]
    for ask_id in asks:
        text = show(desk, ask_id)
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), sorted(each for each in ids if ids.count(each) > 1)
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', text))
        for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*>", text):
            if 'type="hidden"' not in tag:
                named = re.search(r'\bid="([^"]+)"', tag)
                assert named is not None, tag
                assert named[1] in labelled, tag


def test_pages_in_french_have_no_english_left_in_headings(desk: RulingWorld) -> None:
    ask = desk.world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    session = desk.desk.session
    assert session is not None
    session.language = "fr"
    for path in ("/asks", f"/asks/{ask.id}"):
        text = desk.desk.get(path).text
        assert 'lang="fr"' in text
        assert "What is asked" not in text
        assert "What people are asked" not in text
