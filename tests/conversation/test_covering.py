"""Answers that cover later Asks: what they answer, and what they leave to people."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.asks import GRACE_MS, Ask, GivenAnswer, Officer, Publisher
from sharing.conversation.covering import COVER_DAYS_MAX, is_covered
from sharing.conversation.effects import Changed, Ended, Send
from sharing.conversation.events import Covered
from sharing.conversation.kinds import KINDS
from sharing.conversation.received_events import OfferReceived, Reply
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import NoticeKind, Urgency
from tests.conversation.people import (
    AUTHOR,
    CLERK,
    COLLEAGUE,
    FEED,
    JUDGE,
    NOW,
    OFFICERS,
    ROLE,
    disclosed,
    held,
    withheld,
)
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import Inbox

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
UNTIL = NOW + 7 * DAY_MS


def cover(put: Ask, officer: Officer = JUDGE, answer: Answer = Answer.APPROVED, **changes: Any) -> Covered:
    fields: dict[str, Any] = {
        "ask": put.id, "officer": officer, "answer": answer, "since": NOW - DAY_MS, "until": UNTIL, "nonce": put.nonce,
    }  # fmt: skip
    return Covered(**(fields | changes))


def test_an_ask_that_is_put_later_is_answered_at_once_by_the_officer_who_has_ruled() -> None:
    story = Story(held("DE"))
    story.happen(cover(story.find_ask(AskKind.APPROVE)))
    ended, sent = story.effects
    assert isinstance(ended, Ended)
    assert ended.ask.given == (GivenAnswer(Answer.APPROVED, JUDGE.id, JUDGE.agency, NOW),)
    assert isinstance(sent, Send)
    assert (sent.state, sent.kind) == ("DE", NoticeKind.ITEM)


def test_the_law_is_asked_again_and_where_it_is_stricter_people_decide() -> None:
    story = Story(held("DE"))
    story.law.terms["DE"] = withheld("DE")
    story.happen(cover(story.find_ask(AskKind.APPROVE)))
    assert not [effect for effect in story.effects if isinstance(effect, Send)]
    assert story.find_ask(AskKind.REDECIDE).is_open


@pytest.mark.parametrize(
    "changes",
    [
        {"until": NOW},
        {"since": NOW + 1},
        {"until": NOW - DAY_MS + COVER_DAYS_MAX * DAY_MS + 1},
        {"officer": AUTHOR},
        {"officer": CLERK},
        {"answer": Answer.ACCEPTED},
        {"nonce": "0" * 32},
        {"ask": "another"},
    ],
)
def test_what_does_not_fit_leaves_the_ask_open_and_says_nothing(changes: dict[str, Any]) -> None:
    story = Story(held("DE"))
    before = story.conversation
    story.happen(cover(story.find_ask(AskKind.APPROVE), **changes))
    assert (story.conversation, story.effects) == (before, [])


def test_in_an_emergency_a_person_looks() -> None:
    for urgency, is_answered in ((Urgency.EMERGENCY, False), (Urgency.URGENT, True)):
        story = Story(held("DE"), urgency=urgency)
        story.happen(cover(story.find_ask(AskKind.APPROVE)))
        assert bool(story.effects) == is_answered


def test_where_two_must_approve_one_earlier_answer_is_one_of_them() -> None:
    story = Story(held("DE", needed=2))
    ask = story.find_ask(AskKind.APPROVE)
    story.happen(cover(ask))
    assert [type(effect) for effect in story.effects] == [Changed]
    story.happen(cover(ask))
    assert story.effects == [], "the same officer answers once"
    story.happen(cover(ask, COLLEAGUE))
    assert [type(effect) for effect in story.effects] == [Ended, Send]


def test_for_an_automated_feed_its_own_agency_does_not_suffice() -> None:
    story = Story(held("DE"), publisher=FEED)
    story.happen(cover(story.find_ask(AskKind.APPROVE), COLLEAGUE))
    assert [type(effect) for effect in story.effects] == [Changed]


def test_a_refusal_closes_what_is_put_later() -> None:
    story = Story(held("DE"))
    story.happen(cover(story.find_ask(AskKind.APPROVE), answer=Answer.REFUSED))
    assert [delivery.status for delivery in story.conversation.deliveries.values()] == [DeliveryStatus.CLOSED]


def test_nobody_accepts_for_another_state() -> None:
    """What another State is asked only its worker answers."""
    offered = Story()
    offered.decide(replace(disclosed("DE", "c"), accept_first=True), is_sent=False)
    ask = offered.find_ask(AskKind.ACCEPT)
    before = offered.conversation
    offered.happen(cover(ask, answer=Answer.ACCEPTED))
    assert (offered.conversation, offered.effects) == (before, [])


def receive(urgency: Urgency = Urgency.ORDINARY) -> tuple[Inbox, Ask]:
    inbox = Inbox()
    inbox.happen(OfferReceived("offer", Revision(1), urgency, NOW + 30 * DAY_MS))
    return inbox, inbox.received.asks["offer"]


def test_an_offer_that_comes_later_is_answered_to_the_state_that_asks() -> None:
    for answer in KINDS[AskKind.ACCEPT].answers:
        inbox, ask = receive()
        inbox.happen(cover(ask, CLERK, answer))
        ended, reply = inbox.effects
        assert isinstance(ended, Ended)
        assert reply == Reply("offer", inbox.received.from_state, answer)


def test_an_offer_in_an_emergency_waits_for_a_person() -> None:
    inbox, ask = receive(Urgency.EMERGENCY)
    before = inbox.received
    inbox.happen(cover(ask, CLERK, Answer.ACCEPTED))
    assert (inbox.received, list(inbox.effects)) == (before, [])


INSTANTS = st.sampled_from(
    [NOW - 31 * DAY_MS, NOW - 1, NOW, NOW + 1, NOW + DAY_MS, NOW + 29 * DAY_MS, NOW + 60 * DAY_MS]
)


@st.composite
def draw_ask(draw: st.DrawFn) -> Ask:
    kind, opened_at = draw(st.sampled_from(AskKind)), draw(INSTANTS)
    return Ask(
        "ask", kind, draw(st.sampled_from(["CH", "CH", "DE"])), draw(st.sampled_from([None, ROLE, "MINISTER"])),
        Revision(1), frozenset({"DE"}), draw(st.sampled_from([Publisher("fedpol", AUTHOR.id), FEED])),
        draw(st.sampled_from(Urgency)), opened_at, opened_at + draw(st.sampled_from([1, 2 * DAY_MS, 30 * DAY_MS])),
        round=draw(st.integers(1, 2)), status=draw(st.sampled_from([AskStatus.OPEN, AskStatus.OPEN, *AskStatus])),
        given=draw(st.sampled_from([(), (GivenAnswer(Answer.APPROVED, JUDGE.id, "court", opened_at),)])),
    )  # fmt: skip


@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(draw_ask(), st.sampled_from(OFFICERS), st.sampled_from(Answer), INSTANTS, INSTANTS, INSTANTS, st.booleans())
def test_a_naive_reader_of_the_rules_finds_the_same(
    ask: Ask, officer: Officer, answer: Answer, since: int, until: int, now: int, is_of_this_round: bool
) -> None:
    nonce = ask.nonce if is_of_this_round else replace(ask, round=ask.round + 1).nonce
    found = is_covered(ask, Covered(ask.id, officer, answer, since, until, nonce=nonce), now, state="CH")
    reasons = []
    if ask.kind is AskKind.APPROVE:
        takes = {"APPROVED", "REFUSED"}
        if officer.id == ask.publisher.officer:
            reasons.append("four eyes")
    elif ask.kind is AskKind.ACCEPT:
        takes = {"ACCEPTED", "CANNOT_COMPLY", "DECLINED"}
    else:
        takes = set()
        reasons.append("a person looks at each")
    if answer.value not in takes:
        reasons.append("no such answer")
    if ask.urgency.value == "EMERGENCY":
        reasons.append("an emergency")
    if ask.status.value != "OPEN":
        reasons.append("it has ended")
    if ask.state != "CH":
        reasons.append("people of another State")
    if ask.opened_at < since:
        reasons.append("it was there before")
    if now < ask.opened_at or now >= ask.expires_at + GRACE_MS:
        reasons.append("not within its own time")
    if now >= until:
        reasons.append("the date is over")
    if until - since > 30 * 24 * 3600 * 1000:
        reasons.append("for too long")
    if ask.role is not None and ask.role not in officer.roles:
        reasons.append("without the role")
    if officer.id in [given.officer for given in ask.given]:
        reasons.append("has answered")
    if not is_of_this_round:
        reasons.append("another round")
    assert found == (not reasons), reasons


def test_only_what_is_the_same_for_every_item_can_be_covered() -> None:
    assert {kind for kind, row in KINDS.items() if row.can_be_covered} == {AskKind.APPROVE, AskKind.ACCEPT}
