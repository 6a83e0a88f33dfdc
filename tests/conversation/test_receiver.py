"""The receiving State's side, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sharing.conversation.asks import GRACE_MS, REMEMBERED_MS, Officer
from sharing.conversation.effects import Changed, Ended, Escalate, Opened, Overdue, Refused
from sharing.conversation.events import Claimed, PassedOn, Ruled, TimePassed
from sharing.conversation.received_events import (
    Blocked,
    InboxCopy,
    NoticeReceived,
    OfferReceived,
    OfferWithdrawn,
    PutInInbox,
    ReceivedEffect,
    ReceivedEvent,
    Reply,
    ResultReceived,
    ResultTold,
    Shred,
)
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.received_time import UNHEARD_MS
from sharing.conversation.receiver import (
    COPIES_MS,
    FORGOTTEN_MS,
    OFFER_LASTS_MAX,
    advance_received,
    due_received,
    is_received_forgettable,
)
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskStatus, Refusal, ReplyResult
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import NoticeKind, Urgency
from tests.conversation.people import CLERK, JUDGE, NOW

OFFER = OfferReceived("offer", Revision(1), Urgency.ORDINARY, NOW + DAY_MS)
RECALL = NoticeReceived(Revision(2), NoticeKind.RECALL, Urgency.ORDINARY, "recall")


def item(version: int, kind: NoticeKind = NoticeKind.ITEM) -> NoticeReceived:
    return NoticeReceived(Revision(version), kind, Urgency.ORDINARY, message=f"item {version}")


class Inbox:
    """A received item and a clock."""

    def __init__(self, *events: ReceivedEvent) -> None:
        self.now = NOW
        self.received = ReceivedItem("item", "CH", "DE")
        self.effects: list[ReceivedEffect] = []
        for event in events:
            self.happen(event)

    def happen(self, event: ReceivedEvent) -> list[ReceivedEffect]:
        self.received, effects = advance_received(self.received, event, self.now)
        self.effects = list(effects)
        return self.effects

    def answer(self, ask: str, answer: Answer, officer: Officer = CLERK) -> list[ReceivedEffect]:
        return self.happen(Ruled(ask, officer, answer, self.now, nonce=self.get_nonce(ask)))

    def get_nonce(self, ask: str) -> str:
        return self.received.asks[ask].nonce if ask in self.received.asks else ""


@pytest.mark.parametrize("answer", [Answer.ACCEPTED, Answer.CANNOT_COMPLY, Answer.DECLINED])
def test_an_officers_answer_is_sent_once(answer: Answer) -> None:
    inbox = Inbox(OFFER)
    ended, reply = inbox.answer("offer", answer)
    assert isinstance(ended, Ended)
    assert reply == Reply("offer", "CH", answer)
    assert inbox.answer("offer", answer, JUDGE) == [Refused("offer", JUDGE.id, Refusal.NOT_OPEN)]
    assert inbox.happen(OFFER) == []
    assert inbox.happen(ResultReceived("offer", ReplyResult.TAKEN)) == [ResultTold("offer", ReplyResult.TAKEN)]
    assert inbox.happen(ResultReceived("offer", ReplyResult.LATE)) == []  # a result is never answered, nor repeated
    assert inbox.happen(ResultReceived("unknown", ReplyResult.LATE)) == []


def test_silence_sends_nothing() -> None:
    inbox = Inbox(OFFER)
    instants = []
    while (instant := due_received(inbox.received)) is not None:
        if is_received_forgettable(inbox.received, instant):
            break
        inbox.now = instant
        inbox.happen(TimePassed())
        instants.append((instant - NOW, [type(effect) for effect in inbox.effects]))
    assert instants == [(DAY_MS // 2, [Escalate]), (DAY_MS * 4 // 5, [Escalate]), (DAY_MS + GRACE_MS, [Ended])]
    assert inbox.received.asks["offer"].status is AskStatus.EXPIRED
    assert inbox.answer("offer", Answer.ACCEPTED) == [Refused("offer", CLERK.id, Refusal.NOT_OPEN)]


def test_what_ended_long_ago_is_forgotten() -> None:
    inbox = Inbox()
    for number in range(40):
        inbox.happen(OfferReceived(f"offer-{number}", Revision(number + 1), Urgency.ORDINARY, inbox.now + DAY_MS))
        inbox.happen(ResultReceived(f"offer-{number}", ReplyResult.LATE))
        inbox.now += 2 * DAY_MS
        inbox.happen(TimePassed())
    assert len(inbox.received.asks) == len(inbox.received.results) <= REMEMBERED_MS // (2 * DAY_MS) + 1
    assert "offer-39" in inbox.received.asks


def test_no_offer_is_open_for_ever() -> None:
    """A partner whose clock or programmer is wrong names the year 9999."""
    inbox = Inbox(OfferReceived("offer", Revision(1), Urgency.ORDINARY, NOW + 3_000_000 * DAY_MS))
    inbox.now += OFFER_LASTS_MAX + GRACE_MS
    inbox.happen(TimePassed())
    assert inbox.received.asks["offer"].status is AskStatus.EXPIRED
    assert not any(isinstance(effect, Reply) for effect in inbox.effects)
    assert due_received(inbox.received) == inbox.now + COPIES_MS


def test_only_the_role_that_is_asked_answers() -> None:
    inbox = Inbox(OfferReceived("offer", Revision(1), Urgency.ORDINARY, NOW + DAY_MS, role="JUDGE", authority="COURT"))
    assert inbox.answer("offer", Answer.ACCEPTED) == [Refused("offer", CLERK.id, Refusal.WRONG_ROLE)]
    assert inbox.answer("offer", Answer.ACKNOWLEDGED, JUDGE) == [Refused("offer", JUDGE.id, Refusal.WRONG_ANSWER)]
    assert inbox.answer("unknown", Answer.ACCEPTED, JUDGE) == [Refused("unknown", JUDGE.id, Refusal.UNKNOWN_ASK)]
    assert inbox.happen(Claimed("offer", CLERK, NOW, nonce=inbox.get_nonce("offer"))) == [
        Refused("offer", CLERK.id, Refusal.WRONG_ROLE)
    ]
    (claimed,) = inbox.happen(Claimed("offer", JUDGE, NOW, nonce=inbox.get_nonce("offer")))
    assert isinstance(claimed, Changed)
    (passed,) = inbox.happen(PassedOn("offer", JUDGE, "PROSECUTOR", NOW, nonce=inbox.get_nonce("offer")))
    assert isinstance(passed, Changed)
    assert inbox.received.asks["offer"].authority == "PROSECUTOR"


def test_a_withdrawn_offer_cannot_be_accepted() -> None:
    inbox = Inbox(OFFER)
    (ended,) = inbox.happen(OfferWithdrawn("offer"))
    assert isinstance(ended, Ended)
    assert inbox.happen(OfferWithdrawn("offer")) == []
    assert inbox.happen(OfferWithdrawn("unknown")) == []
    assert inbox.answer("offer", Answer.ACCEPTED) == [Refused("offer", CLERK.id, Refusal.NOT_OPEN)]


def test_a_withdrawal_that_comes_before_its_offer_keeps_it_from_people() -> None:
    inbox = Inbox()
    assert inbox.happen(OfferWithdrawn("offer")) == []
    assert inbox.happen(OFFER) == [Blocked(OFFER.revision)]
    assert inbox.answer("offer", Answer.ACCEPTED) == [Refused("offer", CLERK.id, Refusal.NOT_OPEN)]


def test_versions_only_go_up() -> None:
    inbox = Inbox()
    assert inbox.happen(item(1)) == [PutInInbox(Revision(1))]
    assert inbox.happen(item(1)) == []
    assert inbox.happen(item(3, NoticeKind.CORRECTION)) == [PutInInbox(Revision(3))]
    assert inbox.happen(item(2, NoticeKind.CORRECTION)) == [Blocked(Revision(2))]


def test_a_recall_that_overtakes_its_item_blocks_it() -> None:
    inbox = Inbox(OFFER)
    ended, opened = inbox.happen(RECALL)
    assert isinstance(ended, Ended)
    assert isinstance(opened, Opened)
    for version in (1, 2):
        assert inbox.happen(item(version)) == [Blocked(Revision(version))]
    assert inbox.happen(OfferReceived("another", Revision(2), Urgency.ORDINARY, NOW + DAY_MS)) == [Blocked(Revision(2))]
    assert inbox.happen(item(3)) == [PutInInbox(Revision(3))]


def test_an_acknowledged_recall_destroys_the_copies() -> None:
    inbox = Inbox(item(1), RECALL)
    assert inbox.happen(RECALL) == []
    ended, reply, shred = inbox.answer("recall", Answer.ACKNOWLEDGED)
    assert isinstance(ended, Ended)
    copies = (InboxCopy("item 1", Revision(1), is_urgent=False),)
    assert (reply, shred) == (Reply("recall", "CH", Answer.ACKNOWLEDGED), Shred(Revision(2), copies))
    assert inbox.received.inbox == (InboxCopy("recall", Revision(2), is_urgent=False, is_recall=True),)
    assert due_received(inbox.received) == inbox.now + UNHEARD_MS
    inbox.happen(ResultReceived("recall", ReplyResult.TAKEN))
    assert due_received(inbox.received) == inbox.now + FORGOTTEN_MS
    assert is_received_forgettable(inbox.received, inbox.now + FORGOTTEN_MS)


def test_a_recall_that_nobody_acknowledges_stays_open_with_an_alert() -> None:
    inbox = Inbox(item(1), RECALL)
    for _ in range(3):
        inbox.now += 8 * DAY_MS
        assert inbox.happen(TimePassed()) == [Overdue("recall")]
        assert inbox.received.asks["recall"].is_open
    assert Reply("recall", "CH", Answer.ACKNOWLEDGED) in inbox.answer("recall", Answer.ACKNOWLEDGED)


def test_what_is_in_the_inbox_is_remembered() -> None:
    inbox = Inbox(replace(OFFER, urgency=Urgency.URGENT), item(1), item(1), item(2, NoticeKind.CORRECTION))
    assert inbox.received.inbox == (
        InboxCopy("offer", Revision(1), is_urgent=True),
        InboxCopy("item 1", Revision(1), is_urgent=False),
        InboxCopy("item 2", Revision(2), is_urgent=False),
    )
    assert inbox.happen(item(1)) == [Blocked(Revision(1))]
    assert len(inbox.received.inbox) == 3


def test_an_item_is_kept_until_it_may_be_kept_no_longer() -> None:
    until = NOW + 3 * DAY_MS
    inbox = Inbox(replace(item(1), retain_until=NOW + DAY_MS), replace(item(2), retain_until=until))
    assert due_received(inbox.received) == until
    inbox.now = until - 1
    assert inbox.happen(TimePassed()) == []
    inbox.now = until
    (shred,) = inbox.happen(TimePassed())
    assert isinstance(shred, Shred)
    assert [copy.message for copy in shred.copies] == ["item 1", "item 2"]
    assert (inbox.received.inbox, inbox.received.retain_until) == ((), None)
    assert inbox.happen(TimePassed()) == []
    assert inbox.happen(replace(item(2), retain_until=until)) == []  # it came again: it is not put back
    assert due_received(inbox.received) == until + FORGOTTEN_MS


def test_a_correction_that_may_not_be_kept_any_more_ends_what_was_there() -> None:
    inbox = Inbox(item(1))
    assert inbox.happen(replace(item(2), retain_until=NOW)) == [Blocked(Revision(2))]
    (shred,) = inbox.happen(TimePassed())
    assert isinstance(shred, Shred)
    assert [copy.message for copy in shred.copies] == ["item 1"]


def test_the_conditions_of_an_offer_are_remembered_as_long_as_its_ask() -> None:
    inbox = Inbox(replace(OFFER, conditions_hash="ab" * 32))
    assert inbox.received.conditions == {"offer": "ab" * 32}
    inbox.now += 200 * DAY_MS
    inbox.happen(TimePassed())
    inbox.happen(OfferReceived("another", Revision(2), Urgency.ORDINARY, inbox.now + DAY_MS))
    assert inbox.received.conditions == {}


def test_a_recall_that_is_put_again_replaces_the_first() -> None:
    inbox = Inbox(item(1), RECALL)
    ended, opened = inbox.happen(replace(RECALL, ask="again"))
    assert isinstance(ended, Ended)
    assert isinstance(opened, Opened)
    assert (ended.ask.id, ended.ask.status, opened.ask.id) == ("recall", AskStatus.CANCELLED, "again")


def test_people_are_told_once_if_nobody_says_what_became_of_an_answer() -> None:
    inbox = Inbox(OFFER)
    inbox.answer(OFFER.ask, Answer.ACCEPTED)
    answered_at = inbox.received.asks[OFFER.ask].given[-1].at
    assert due_received(inbox.received) == answered_at + UNHEARD_MS
    inbox.now = answered_at + UNHEARD_MS - 1
    assert list(inbox.happen(TimePassed())) == []
    inbox.now += 1
    assert list(inbox.happen(TimePassed())) == [Overdue(OFFER.ask)]
    assert list(inbox.happen(TimePassed())) == []
    assert due_received(inbox.received) != answered_at + UNHEARD_MS


def test_nobody_is_told_of_an_answer_of_which_it_is_known_what_became() -> None:
    inbox = Inbox(OFFER)
    inbox.answer(OFFER.ask, Answer.ACCEPTED)
    inbox.happen(ResultReceived(OFFER.ask, ReplyResult.TAKEN))
    inbox.now += UNHEARD_MS
    assert list(inbox.happen(TimePassed())) == []
