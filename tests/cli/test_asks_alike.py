"""Alike Asks: listed as one with their number, and answered together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.conversation.asks import Publisher
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.model.recipient_terms import RuleReference
from sharing.model.vocabulary import Effect
from sharing.rulings.ruling import Answering
from tests.cli import conversation_bus
from tests.cli.conftest import Call
from tests.cli.conversation_bus import CONDITIONS, ConversationBus, open_conversation_bus
from tests.conversation.people import AUTHOR, JUDGE, held, offered, withheld

OTHER_RULE = RuleReference("ch.other", "IMAC art. 1a", Effect.APPROVAL)


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    with open_conversation_bus(call, empty_folder, monkeypatch) as bus:
        yield bus


def publish_held(ch: ConversationBus, *numbers: int) -> list[str]:
    """Let the law hold items for DE. Return the ids of the Asks."""
    published = [ch.publish(number, held("DE"), partition=number % 2) for number in numbers]
    return [story.find_ask(AskKind.APPROVE).id for _, story in published]


def test_alike_asks_are_listed_as_one_with_their_number(ch: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = publish_held(ch, 1, 2, 3)
    ch.publish(4, held("FR"))
    ch.publish(5, replace(held("DE"), conditions=frozenset({"c.one"})))
    shown = ch.run("asks", "list").out
    assert shown.count("approve the disclosure") == 3
    assert "(3 alike)" in shown
    assert "3 items of CH, for DE" in shown
    assert sum(ask in shown for ask in asks) == 1
    each = ch.run("asks", "list", "--each").out
    assert (each.count("approve the disclosure"), "alike" in each) == (5, False)
    assert len(ch.run("asks", "list", "--json").json_lines) == 5
    monkeypatch.setattr(conversation_bus, "HELD_BY", OTHER_RULE)
    publish_held(ch, 6)
    assert "(4 alike)" in ch.run("asks", "list").out
    by_rule = ch.run("asks", "list", "--law").out
    assert ("(3 alike)" in by_rule, "IMAC art. 1a [ch.other] APPROVAL" in by_rule) == (True, True)


def test_all_alike_asks_are_answered_and_the_others_named_with_the_reason(
    ch: ConversationBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.cli.asks.answer_alike.ASKS_MAX", 2)
    asks = publish_held(ch, 1, 2, 3, 4, 5)
    item, own = ch.publish(6, held("DE"))
    barred = own.find_ask(AskKind.APPROVE)
    own.conversation = replace(
        own.conversation, asks={barred.id: replace(barred, publisher=Publisher("fedpol", JUDGE.id))}
    )
    ch.keep(item)
    unlike = ch.publish(7, held("FR"))[1].find_ask(AskKind.APPROVE)
    monkeypatch.setattr(conversation_bus, "HELD_BY", OTHER_RULE)
    (other_rule,) = publish_held(ch, 8)
    with ch.working():
        answered = ch.rule("asks", "answer", asks[0][:8], "APPROVED", "--alike", "--json", wait="150")
    outcome = answered.json_document
    assert (set(outcome["answered"]), outcome["waiting_for"], len(outcome["rulings"])) == (set(asks), [], 3)
    reasons = {each["ask"]: each["reason"] for each in outcome["not_answered"]}
    assert set(reasons) == {barred.id, other_rule}
    assert "(BARRED)" in reasons[barred.id]
    assert reasons[other_rule].startswith("another rule requires it")
    assert answered.code == 1, "some were not answered"
    acts = [verified.ruling.act for verified in ch.read_rulings()]
    named = {reference.ask for act in acts if isinstance(act, Answering) for reference in act.asks}
    assert (named, unlike.id in named) == (set(asks), False)
    assert all(isinstance(act, Answering) and len(act.asks) <= 2 for act in acts)
    left = {each["id"] for each in ch.run("asks", "list", "--json", "--no-law").json_lines}
    assert left == {barred.id, other_rule, unlike.id}


def test_a_fact_that_a_feed_lacks_is_listed_once_and_supplied_for_all_its_items(ch: ConversationBus) -> None:
    fact, other = "findings.serious_offence", "findings.dual_criminality"
    asks = [
        ch.publish(number, withheld("DE", fact), partition=number % 2)[1].find_ask(AskKind.SUPPLY_FACT).id
        for number in (1, 2, 3, 4)
    ]
    (unlike,) = [ch.publish(5, withheld("DE", fact, other))[1].find_ask(AskKind.SUPPLY_FACT).id]
    shown = ch.run("asks", "list").out
    assert (shown.count("supply the facts"), "(4 alike)" in shown) == (2, True), shown
    with ch.working():
        supplied = ch.rule(
            "asks", "answer", asks[0], "SUPPLIED", "--fact", f"{fact}=YES", "--alike", "--json", wait="150"
        )
    outcome = supplied.json_document
    assert (supplied.code, set(outcome["answered"]), outcome["not_answered"]) == (0, set(asks), []), supplied
    assert [each["id"] for each in ch.run("asks", "list", "--json", "--no-law").json_lines] == [unlike]


def test_without_a_worker_the_alike_asks_wait_and_that_is_said(ch: ConversationBus) -> None:
    asks = publish_held(ch, 1, 2, 3)
    waiting = ch.rule("asks", "answer", asks[0], "APPROVED", "--alike")
    assert waiting.code == 0, waiting
    assert "answered 0 of 3 similar questions, by 1 ruling" in waiting.out
    assert (
        "3 questions are in rulings that are written, and the State's worker has not acted on them yet" in waiting.err
    )


def test_a_refusal_of_the_worker_is_told_for_each_ask(ch: ConversationBus) -> None:
    """The register was not looked at by the command: the worker finds that there is no such officer."""
    asks = publish_held(ch, 1, 3)
    ch.officers.clear()
    with ch.working():
        refused = ch.rule("asks", "answer", asks[0], "APPROVED", "--alike", wait="150")
    assert (refused.code, "answered 0 of 2 similar questions" in refused.out) == (1, True), refused
    assert all(f"not answered: {ask}: the register has no such officer" in refused.out for ask in asks)


def test_alike_needs_one_ask_and_an_answer_that_it_takes(ch: ConversationBus) -> None:
    asks = publish_held(ch, 1, 2)
    two = ch.rule("asks", "answer", *asks, "APPROVED", "--alike")
    assert (two.code, "--alike: name one question" in two.error) == (2, True)
    other = ch.rule("asks", "answer", asks[0], "ACCEPTED", "--alike")
    assert (other.code, "does not take the answer ACCEPTED" in other.error) == (2, True)
    no_answer = ch.rule("asks", "answer", *asks)
    assert (no_answer.code, "ANSWER" in no_answer.err, "APPROVED" in no_answer.err) == (2, True, True), no_answer
    assert ch.read_rulings() == []


def test_what_one_officer_may_answer_is_listed(ch: ConversationBus) -> None:
    """Without the register, nothing is known of roles; the State that is asked, and four eyes, are known."""
    publish_held(ch, 1)
    item, story = ch.publish(2, offered("FR", *CONDITIONS))
    assert [each["kind"] for each in ch.run("asks", "list", "--as", JUDGE.id, "--json").json_lines] == ["APPROVE"]
    story.reply(Answer.DECLINED, "FR")
    ch.keep(item)
    redecide = story.find_ask(AskKind.REDECIDE)
    both = ch.run("asks", "list", "--as", JUDGE.id, "--json")
    assert {each["kind"] for each in both.json_lines} == {"APPROVE", "REDECIDE"}
    assert "the register of officers is not checked here" in both.err
    author = ch.run("asks", "list", "--as", AUTHOR.id)
    assert (redecide.id in author.out, f"there are no open questions for {AUTHOR.id}" in author.err) == (False, True), (
        author
    )
    assert "(BARRED)" in ch.run("asks", "show", redecide.id, "--as", AUTHOR.id).out
    assert f"{JUDGE.id}: may answer it" in ch.run("asks", "show", redecide.id, "--as", JUDGE.id).out
