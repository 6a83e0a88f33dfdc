"""Two States talk over a network that repeats and reorders: both sides end with the same account."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.deliveries import Conversation, due, is_forgettable
from sharing.conversation.effects import Answered, Ended, Opened, Send
from sharing.conversation.events import Event, RecallOrdered, Replied, Ruled, TimePassed
from sharing.conversation.provider import advance
from sharing.conversation.received_events import (
    NoticeReceived,
    OfferReceived,
    OfferWithdrawn,
    PutInInbox,
    ReceivedEvent,
    Reply,
    ResultReceived,
    Shred,
)
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received, due_received, is_received_forgettable
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import NoticeKind, Urgency
from tests.conversation.people import (
    CLERK,
    JUDGE,
    NOW,
    ROLES,
    ChangingLaw,
    decide,
    disclosed,
    held,
    offered,
    withdraw,
    withheld,
)

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
NEVER = 2**62
TERMS = (
    disclosed("DE"),
    offered("DE", "c", optional=("d",)),
    held("DE"),
    held("DE", accept_first=True),
    withheld("DE"),
)


@dataclass
class TwoStates:
    """CH provides, DE receives. Each direction is a list of records that arrive in any order, some of them twice."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    now: int = NOW
    law: ChangingLaw = field(default_factory=ChangingLaw)
    ch: Conversation = field(default_factory=lambda: Conversation("item", "CH"))
    de: ReceivedItem = field(default_factory=lambda: ReceivedItem("item", "CH", "DE"))
    to_de: list[ReceivedEvent] = field(default_factory=list)
    to_ch: list[Event] = field(default_factory=list)
    readable: set[Revision] = field(default_factory=set)

    def happen_in_ch(self, event: Event) -> None:
        self.ch, effects = advance(self.ch, event, self.now, self.law)
        recall = ""
        for effect in effects:
            match effect:
                case Opened(ask) if ask.kind is AskKind.ACCEPT:
                    self.to_de.append(OfferReceived(ask.id, ask.revision, ask.urgency, ask.expires_at))
                case Opened(ask) if ask.kind is AskKind.ACK_RECALL:
                    recall = ask.id
                    self.to_de.append(NoticeReceived(ask.revision, NoticeKind.RECALL, ask.urgency, recall))
                case Ended(ask) if ask.kind is AskKind.ACCEPT and ask.status is AskStatus.CANCELLED:
                    self.to_de.append(OfferWithdrawn(ask.id))
                case Send(_, revision, kind) if kind is not NoticeKind.RECALL:
                    self.to_de.append(NoticeReceived(revision, kind, self.ch.urgency))
                case Answered(ask_id, _, result):
                    self.to_de.append(ResultReceived(ask_id, result))
                case _:
                    pass

    def happen_in_de(self, event: ReceivedEvent) -> None:
        self.de, effects = advance_received(self.de, event, self.now)
        for effect in effects:
            match effect:
                case Reply(ask_id, _, answer):
                    self.to_ch.append(Replied(ask_id, "DE", answer, self.now))
                case PutInInbox(revision):
                    self.readable = {revision}
                case Shred(up_to):
                    self.readable = {revision for revision in self.readable if revision > up_to}
                case _:
                    pass

    def deliver_one(self) -> None:
        """Deliver one record of either direction, out of order or in order; it may come again."""
        queues: list[tuple[list[Any], Callable[[Any], None]]] = [
            (self.to_de, self.happen_in_de), (self.to_ch, self.happen_in_ch),
        ]  # fmt: skip
        filled = [(queue, happen) for queue, happen in queues if queue]
        if not filled:
            return
        queue, happen = self.draw(st.sampled_from(filled))
        place = self.draw(st.integers(0, len(queue) - 1))
        record = queue[place] if self.draw(st.booleans()) and len(queue) < 20 else queue.pop(place)
        happen(record)

    def deliver_all(self) -> None:
        while self.to_de or self.to_ch:
            while self.to_de:
                self.happen_in_de(self.to_de.pop(0))
            while self.to_ch:
                self.happen_in_ch(self.to_ch.pop(0))

    def decide(self) -> None:
        before, terms = self.ch.revision, self.draw(st.sampled_from(TERMS))
        is_amended = before.version > 0 and self.draw(st.booleans())
        version, amendment = (before.version, before.amendment + 1) if is_amended else (before.version + 1, 0)
        self.law.terms["DE"] = terms
        if version > 1 and not is_amended and self.draw(st.integers(0, 3)) == 0:
            self.law.terms["DE"] = withheld("DE")
            self.happen_in_ch(withdraw(version))
        else:
            urgency = self.draw(st.sampled_from([*Urgency][:3]))
            self.happen_in_ch(decide(terms, version=version, amendment=amendment, is_sent=False, urgency=urgency))

    def answer_in_ch(self) -> None:
        asks = [ask for ask in self.ch.asks.values() if ask.is_open and not ask.row.asks_recipient]
        if asks:
            ask = self.draw(st.sampled_from(asks))
            answer = self.draw(st.sampled_from(list(ask.row.answers)))
            facts, relaxed = frozenset({"a"}), frozenset({"c"})
            self.happen_in_ch(Ruled(ask.id, JUDGE, answer, self.now, facts, relaxed, nonce=ask.nonce))

    def answer_in_de(self) -> None:
        asks = [ask for ask in self.de.asks.values() if ask.is_open]
        if asks:
            ask = self.draw(st.sampled_from(asks))
            answer = self.draw(st.sampled_from(list(ask.row.answers)))
            self.happen_in_de(Ruled(ask.id, CLERK, answer, self.now, nonce=ask.nonce))

    def pass_time(self) -> None:
        self.now += self.draw(st.sampled_from([1000, DAY_MS // 2, 3 * DAY_MS, 31 * DAY_MS]))
        self.deliver_all()  # everything that was written up to now is read before any deadline acts
        self.happen_in_ch(TimePassed())
        self.happen_in_de(TimePassed())

    def find_due(self) -> int | None:
        """Return when time changes something next on either side. When an item is forgotten is not asked."""
        own = None if is_forgettable(self.ch, NEVER) else due(self.ch)
        others = None if is_received_forgettable(self.de, NEVER) else due_received(self.de)
        return min(filter(None, (own, others)), default=None)

    def take_steps(self) -> Iterator[None]:
        """Begin with a decision, and take any steps; yields after each."""
        self.decide()
        steps = [self.deliver_one] * 3 + [
            self.answer_in_de,
            self.answer_in_ch,
            self.decide,
            self.pass_time,
            self.recall,
        ]
        for step in self.draw(st.lists(st.sampled_from(steps), max_size=25)):
            step()
            yield

    def recall(self) -> None:
        if self.draw(st.integers(0, 2)) == 0:
            self.happen_in_ch(RecallOrdered(JUDGE, roles=ROLES))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_nothing_is_asked_for_ever_of_a_state_that_has_left(data: st.DataObject) -> None:
    both = TwoStates(data.draw)
    for _ in both.take_steps():
        pass
    left = TimePassed(frozenset({"CH"}))
    while (instant := due(both.ch)) is not None and not is_forgettable(both.ch, NEVER):
        if {ask.kind for ask in both.ch.asks.values() if ask.is_open} == {AskKind.CONFIRM_IN_WRITING}:
            break  # people of CH are asked until they answer
        assert instant <= NOW + 5 * 365 * DAY_MS, "DE is asked for ever"
        both.now = max(instant, both.now)
        both.happen_in_ch(left)
    assert not [ask for ask in both.ch.asks.values() if ask.is_open and ask.state == "DE"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_both_sides_end_with_the_same_account(data: st.DataObject) -> None:
    both = TwoStates(data.draw)
    for _ in both.take_steps():
        pass
    both.deliver_all()
    for ask in [ask for ask in both.de.asks.values() if ask.is_open and ask.kind is AskKind.ACK_RECALL]:
        both.happen_in_de(Ruled(ask.id, CLERK, Answer.ACKNOWLEDGED, both.now, nonce=ask.nonce))
    both.deliver_all()
    sent = {delivery.revision for delivery in both.ch.list_deliveries(DeliveryStatus.SENT)}
    assert both.readable == sent, "DE reads what CH knows to be there, and nothing else"
    assert not [ask for ask in both.ch.asks.values() if ask.is_open and ask.kind is AskKind.ACK_RECALL]
    open_offers = {ask.id for ask in both.ch.asks.values() if ask.is_open and ask.kind is AskKind.ACCEPT}
    assert open_offers <= both.de.asks.keys(), "CH waits for an answer that nobody was asked for"
    while (instant := both.find_due()) is not None:
        kinds = {ask.kind for ask in (*both.ch.asks.values(), *both.de.asks.values()) if ask.is_open}
        if kinds <= {AskKind.CONFIRM_IN_WRITING, AskKind.ACK_RECALL}:
            break  # these are asked until they are answered
        both.now = max(instant, both.now)
        both.happen_in_ch(TimePassed())
        both.happen_in_de(TimePassed())
        both.deliver_all()
    assert not list(both.ch.list_deliveries(DeliveryStatus.WAITING)), "something waits for ever"
