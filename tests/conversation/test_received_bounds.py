"""Whatever another State sends about an item, and however often: little is remembered of it, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.conversation.asks import Ask
from sharing.conversation.effects import Ended, Opened
from sharing.conversation.received_bounds import ENDED_MAX, OPEN_RECALLS_MAX, count_waiting_offers
from sharing.conversation.received_events import (
    Blocked,
    NoticeReceived,
    OfferReceived,
    OfferWithdrawn,
    ReceivedEvent,
    ResultReceived,
    ResultTold,
)
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, ReplyResult
from sharing.conversation_state.entries import encode_received
from sharing.ids import make_ask_id
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import NoticeKind, Urgency
from tests.conversation.people import NOW
from tests.conversation.test_receiver import Inbox

ITEM = make_ask_id("item", AskKind.ACCEPT, "1.0/DE", 1)


def name(number: int, kind: AskKind = AskKind.ACK_RECALL) -> str:
    return make_ask_id(ITEM, kind, "1.0/DE", number)


def recall(number: int, version: int = 1) -> NoticeReceived:
    ask = name(number)
    return NoticeReceived(Revision(version), NoticeKind.RECALL, Urgency.ORDINARY, ask, ask)


def notice(version: int) -> NoticeReceived:
    return NoticeReceived(Revision(version), NoticeKind.ITEM, Urgency.ORDINARY, message=name(version, AskKind.APPROVE))


def offer(number: int, version: int = 1) -> OfferReceived:
    return OfferReceived(name(number, AskKind.ACCEPT), Revision(version), Urgency.ORDINARY, NOW + 30 * DAY_MS)


def list_open(received: ReceivedItem, kind: AskKind) -> list[Ask]:
    return [ask for ask in received.asks.values() if ask.is_open and ask.kind is kind]


def measure(received: ReceivedItem) -> int:
    return len(encode_received(replace(received, item=ITEM)))


@pytest.mark.parametrize("hours", [0, 2, 7 * 24])
def test_one_recall_that_is_put_again_and_again_takes_little_room(hours: int) -> None:
    inbox, sizes = Inbox(notice(1)), []
    for number in range(400):
        inbox.happen(recall(number))
        sizes.append(measure(inbox.received))
        inbox.now += hours * HOUR_MS
    assert max(sizes[ENDED_MAX + 1 :]) <= sizes[ENDED_MAX + 1] + 10, "it does not grow"
    assert sizes[-1] < 12_000
    (waiting,) = list_open(inbox.received, AskKind.ACK_RECALL)
    assert waiting.id == name(399), "the other State waits for the last one"
    assert [copy.message for copy in inbox.received.inbox if not copy.is_recall] == [notice(1).message]
    ended, reply, shred = inbox.answer(waiting.id, Answer.ACKNOWLEDGED)
    assert (getattr(reply, "ask", None), [copy.message for copy in getattr(shred, "copies", ())]) == (
        name(399), [notice(1).message],
    )  # fmt: skip
    assert isinstance(ended, Ended)


def test_of_many_recalls_the_last_wait_and_all_of_them_bind() -> None:
    inbox = Inbox(*(notice(version) for version in range(1, 41)))
    for version in range(1, 41):
        inbox.happen(recall(version, version))
    waiting = list_open(inbox.received, AskKind.ACK_RECALL)
    assert [ask.revision.version for ask in waiting] == list(range(41 - OPEN_RECALLS_MAX, 41))
    assert inbox.received.recalled == Revision(40)
    assert inbox.happen(notice(40)) == [Blocked(Revision(40))]
    ended, opened = inbox.happen(recall(99, 1))  # the other State puts again what nobody has acknowledged
    assert isinstance(opened, Opened)
    assert (ended, opened.ask.id) == (Ended(replace(waiting[0], status=AskStatus.CANCELLED)), name(99))


def test_offers_that_are_withdrawn_again_and_again_take_little_room() -> None:
    inbox, sizes = Inbox(), []
    for number in range(300):
        inbox.happen(replace(offer(number), conditions_hash="ab" * 32))
        inbox.happen(OfferWithdrawn(offer(number).ask))
        sizes.append(measure(inbox.received))
    copies = len(inbox.received.inbox)
    assert (copies, len(inbox.received.asks), len(inbox.received.conditions)) == (300, ENDED_MAX + 1, ENDED_MAX + 1)
    growth = (sizes[-1] - sizes[ENDED_MAX]) / (300 - ENDED_MAX - 1)
    assert growth < 35, "what must be deletable from the inbox is remembered, and nothing else"


def test_the_answer_that_waits_for_its_result_is_remembered() -> None:
    inbox = Inbox(offer(0))
    inbox.answer(offer(0).ask, Answer.ACCEPTED)
    for number in range(1, ENDED_MAX):
        inbox.happen(offer(number))
        inbox.happen(OfferWithdrawn(offer(number).ask))
    result = ResultReceived(offer(0).ask, ReplyResult.TAKEN)
    assert inbox.happen(result) == [ResultTold(offer(0).ask, ReplyResult.TAKEN)]


def test_a_withdrawal_that_came_first_is_remembered_however_much_ends() -> None:
    inbox = Inbox(OfferWithdrawn(offer(0).ask))
    for number in range(1, 3 * ENDED_MAX):
        inbox.happen(offer(number))
        inbox.happen(OfferWithdrawn(offer(number).ask))
    assert inbox.happen(offer(0)) == [Blocked(Revision(1))]


VERSIONS = st.integers(1, 6)
EVENTS = st.one_of(
    st.builds(lambda number, version: recall(10 * number + version, version), st.integers(0, 400), VERSIONS),
    st.builds(offer, st.integers(0, 400), VERSIONS),
    st.builds(notice, VERSIONS),
    st.integers(0, 400).map(lambda number: OfferWithdrawn(offer(number).ask)),
)


@given(st.lists(EVENTS, min_size=20, max_size=300))
def test_whatever_a_state_sends_the_bounds_hold_and_what_is_recalled_stays_so(events: list[ReceivedEvent]) -> None:
    """Compared with a naive reader: it remembers all, and knows what is recalled and what was withdrawn."""
    received, recalled = ReceivedItem("item", "CH", "DE"), NO_REVISION
    for event in events:
        received, effects = advance_received(received, event, NOW)
        if isinstance(event, NoticeReceived) and event.kind is NoticeKind.RECALL:
            recalled = max(recalled, event.revision)
        assert received.recalled == recalled
        assert len(list_open(received, AskKind.ACK_RECALL)) <= OPEN_RECALLS_MAX
        assert all(ask.revision > recalled for ask in list_open(received, AskKind.ACCEPT))
        ended = sum(not ask.is_open and ask.revision != NO_REVISION for ask in received.asks.values())
        assert ended <= ENDED_MAX + count_waiting_offers(received) + OPEN_RECALLS_MAX + 1
        for effect in effects:
            if isinstance(effect, Opened):
                assert received.asks[effect.ask.id].is_open
