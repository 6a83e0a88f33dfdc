"""The receiving State's side: its own people are asked about offers and recalls, and their answers are sent back.

Silence is not acceptance: an offer that expires is not answered. A recall binds before it is acknowledged;
acknowledging it destroys the copies. So does the end of the time for which an item may be kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from sharing.conversation.asks import REMEMBERED_MS, Ask, GivenAnswer, Publisher, find_next_due
from sharing.conversation.covering import is_covered
from sharing.conversation.effects import Changed, Ended, Opened, Refused
from sharing.conversation.events import Claimed, Covered, PassedOn, PeopleEvent, ResendOrdered, Ruled, TimePassed
from sharing.conversation.handling import find_handling_refusal, handle_ask
from sharing.conversation.inbox_copies import put_copy, shred_copies
from sharing.conversation.kinds import KINDS
from sharing.conversation.received_bounds import forget_ended, list_ended_by_recall
from sharing.conversation.received_events import (
    Blocked,
    ChangingEvent,
    NoticeReceived,
    OfferReceived,
    OfferWithdrawn,
    PutInInbox,
    ReceivedEffect,
    ReceivedEvent,
    Reply,
    ResultReceived,
    ResultTold,
)
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.received_time import find_unheard_end, follow_time
from sharing.conversation.resending import answer_again
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import NoticeKind, Urgency

OFFER_LASTS_MAX: Final = 90 * DAY_MS
"""How long an offer stays open at most, in milliseconds, no matter what the other State says: nothing is open
forever."""

COPIES_MS: Final = 365 * DAY_MS
"""How long after its last change an item in the inbox is forgotten: the inbox keeps no copy for longer."""

FORGOTTEN_MS: Final = REMEMBERED_MS
"""How long after its last change any other item is forgotten: until then, an old message about it may arrive."""


Received = tuple[ReceivedItem, tuple[ReceivedEffect, ...]]


def advance_received(received: ReceivedItem, event: ReceivedEvent, now: int) -> Received:
    """Return the state after an event, and what must be done, in order.

    An event that was already processed changes nothing.

    Args:
        received: The state before.
        event: What has happened.
        now: The time, in UTC milliseconds.
    """
    if isinstance(event, ResendOrdered):
        return received, answer_again(received, event)
    after, effects = _follow(received, event, now)
    if after != received:
        after = replace(after, changed_at=now)
    return after, effects


def _follow(received: ReceivedItem, event: ChangingEvent, now: int) -> Received:
    match event:
        case OfferReceived():
            return _follow_offer(forget_ended(received, now), event, now)
        case OfferWithdrawn():
            return _follow_withdrawal(forget_ended(received, now), event, now)
        case NoticeReceived():
            return _follow_notice(forget_ended(received, now), event, now)
        case Ruled() | Claimed() | PassedOn() | Covered():
            return _follow_people(received, event, now)
        case ResultReceived():
            return _follow_result(received, event)
        case TimePassed():
            return follow_time(received, now)
        case _:
            assert_never(event)


def due_received(received: ReceivedItem) -> int | None:
    """Return when time alone changes something next, in UTC milliseconds; None if never."""
    instants = (
        find_next_due(received.asks.values()), received.retain_until, _find_end(received), find_unheard_end(received),
    )  # fmt: skip
    return min((instant for instant in instants if instant is not None), default=None)


def is_received_forgettable(received: ReceivedItem, now: int) -> bool:
    """Return whether, at a time in UTC milliseconds, nothing about an item needs to be known any longer."""
    end = _find_end(received)
    return end is not None and end <= now


def _find_end(received: ReceivedItem) -> int | None:
    """Return when an item can be forgotten, in UTC milliseconds; None as long as something is open."""
    if received.retain_until is not None or received.count_open():
        return None
    has_copies = any(not copy.is_recall for copy in received.inbox)
    return received.changed_at + (COPIES_MS if has_copies else FORGOTTEN_MS)


def _put_ask(received: ReceivedItem, ask: Ask) -> ReceivedItem:
    return replace(received, asks={**received.asks, ask.id: ask})


def _make_ask(
    received: ReceivedItem, ask_id: str, kind: AskKind, revision: Revision, urgency: Urgency, now: int
) -> Ask:
    publisher, expires_at = Publisher("", None), now + KINDS[kind].lasts[urgency]
    recipients = frozenset({received.state})
    return Ask(ask_id, kind, received.state, None, revision, recipients, publisher, urgency, now, expires_at)


def _follow_offer(received: ReceivedItem, event: OfferReceived, now: int) -> Received:
    known = received.asks.get(event.ask)
    if known is not None and known.revision != NO_REVISION:
        return received, ()
    if known is not None:  # its withdrawal has overtaken it, and no longer waits for it
        return _put_ask(received, replace(known, revision=event.revision)), (Blocked(event.revision),)
    if event.revision <= received.recalled:
        return received, (Blocked(event.revision),)
    ask = _make_ask(received, event.ask, AskKind.ACCEPT, event.revision, event.urgency, now)
    expires_at = min(event.expires_at, now + OFFER_LASTS_MAX)
    ask = replace(ask, expires_at=expires_at, role=event.role, authority=event.authority)
    put = put_copy(_put_ask(received, ask), event.ask, event.revision, event.urgency)
    if event.conditions_hash is not None:
        put = replace(put, conditions={**put.conditions, ask.id: event.conditions_hash})
    return put, (Opened(ask),)


def _follow_withdrawal(received: ReceivedItem, event: OfferWithdrawn, now: int) -> Received:
    ask = received.asks.get(event.ask)
    if ask is None:  # it has overtaken its offer; nobody is asked about that when it arrives
        ask = _make_ask(received, event.ask, AskKind.ACCEPT, NO_REVISION, Urgency.ORDINARY, now)
        return _put_ask(received, replace(ask, status=AskStatus.CANCELLED)), ()
    if not ask.is_open:
        return received, ()
    cancelled = replace(ask, status=AskStatus.CANCELLED)
    return _put_ask(received, cancelled), (Ended(cancelled),)


def _follow_notice(received: ReceivedItem, event: NoticeReceived, now: int) -> Received:
    if event.kind is NoticeKind.RECALL:
        return _follow_recall(received, event, now)
    if event.revision <= max(received.recalled, received.revision):
        is_repeated = event.revision == received.revision > received.recalled
        return received, (() if is_repeated else (Blocked(event.revision),))
    changed = replace(received, revision=event.revision, retain_until=event.retain_until)
    if event.retain_until is not None and event.retain_until <= now:
        return changed, (Blocked(event.revision),)  # what the inbox has of the item may no longer be kept either
    return put_copy(changed, event.message, event.revision, event.urgency), (PutInInbox(event.revision),)


def _follow_recall(received: ReceivedItem, event: NoticeReceived, now: int) -> Received:
    if event.ask in received.asks:
        return received, ()
    effects: list[ReceivedEffect] = []
    changed = replace(received, recalled=max(received.recalled, event.revision))
    for ask in list_ended_by_recall(received, event.revision):
        cancelled = replace(ask, status=AskStatus.CANCELLED)
        changed = _put_ask(changed, cancelled)
        effects.append(Ended(cancelled))
    changed = put_copy(changed, event.ask, event.revision, event.urgency, is_recall=True)
    ask = _make_ask(received, event.ask, AskKind.ACK_RECALL, event.revision, event.urgency, now)
    return _put_ask(changed, ask), (*effects, Opened(ask))


def _follow_people(received: ReceivedItem, event: PeopleEvent | Covered, now: int) -> Received:
    ask = received.asks.get(event.ask)
    if isinstance(event, Covered):
        if not is_covered(ask, event, now, state=received.state):
            return received, ()
        event = event.to_ruled(now)
    if ask is None:
        return received, (Refused(event.ask, event.officer.id, Refusal.UNKNOWN_ASK),)
    if not isinstance(event, Ruled):
        return _handle(received, ask, event)
    refusal = ask.find_refusal(event.officer, event.answer, event.at, event.nonce)
    if refusal is not None:
        return received, (Refused(ask.id, event.officer.id, refusal),)
    answered, consequence = ask.take_answer(GivenAnswer(event.answer, event.officer.id, event.officer.agency, event.at))
    if consequence is None:
        return _put_ask(received, answered), (Changed(answered),)
    received = _put_ask(received, answered)
    effects: list[ReceivedEffect] = [Ended(answered), Reply(ask.id, received.from_state, event.answer)]
    if event.answer is Answer.ACKNOWLEDGED:
        received, shred = shred_copies(received, ask.revision)
        effects.append(shred)
    return received, tuple(effects)


def _handle(received: ReceivedItem, ask: Ask, event: Claimed | PassedOn) -> Received:
    refusal = find_handling_refusal(ask, event)
    if refusal is not None:
        return received, (Refused(ask.id, event.officer.id, refusal),)
    handled = handle_ask(ask, event)
    return _put_ask(received, handled.ask), (handled,)


def _follow_result(received: ReceivedItem, event: ResultReceived) -> Received:
    if event.ask not in received.asks or event.ask in received.results:
        return received, ()
    results = {**received.results, event.ask: event.result}
    return replace(received, results=results), (ResultTold(event.ask, event.result),)
