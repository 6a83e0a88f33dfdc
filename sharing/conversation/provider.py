"""The providing State's side: what each event changes, and what must be done then.

A delivery leaves WAITING only when every Ask that guards it has a releasing answer, and the law in force, asked again
then, is at least as open as the terms under which the Asks were opened; otherwise an officer decides again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from sharing.conversation.asks import Ask, GivenAnswer
from sharing.conversation.covering import is_covered
from sharing.conversation.decisions import begin_deliveries
from sharing.conversation.deliveries import Conversation, Delivery
from sharing.conversation.effects import Amend, Answered, Effect, Escalate, GivenUp, Overdue, ReceiptNoted, Refused
from sharing.conversation.events import (
    AmendmentOrdered,
    Claimed,
    Covered,
    Decided,
    Event,
    PassedOn,
    PeopleEvent,
    RecallOrdered,
    ReceiptReceived,
    Replied,
    ResendOrdered,
    Ruled,
    TimePassed,
)
from sharing.conversation.first_disclosure import begin_disclosed
from sharing.conversation.handling import find_handling_refusal, handle_ask
from sharing.conversation.kinds import KINDS
from sharing.conversation.orders import follow_order
from sharing.conversation.pending import follow_pending
from sharing.conversation.turn import Law, Turn
from sharing.conversation.vocabulary import (
    Answer,
    AskKind,
    AskStatus,
    Consequence,
    Refusal,
    ReplyResult,
)
from sharing.model.vocabulary import Outcome

_OPENED_BY_GATE: Final = frozenset(KINDS[AskKind.ACCEPT].answers)
"""The answers to an Ask that the gate itself has opened: only these can arrive before the Ask is known."""


def advance(
    conversation: Conversation, event: Event, now: int, law: Law, *, can_send: bool = True
) -> tuple[Conversation, tuple[Effect, ...]]:
    """Return the state after an event, and what must be done, in order.

    An event that was already processed changes nothing. A further decision on the same revision is a new event.

    Args:
        conversation: The state before.
        event: What has happened.
        now: The time, in UTC milliseconds.
        law: The law in force, for the newest revision of the item. After `Decided`, for that one.
        can_send: Whether what another State's answer releases can be written. If not, the answer counts, but an officer
            of this State decides again.
    """
    begun = begin_disclosed(conversation, event, now) if isinstance(event, Decided) else None
    if begun is not None:
        return begun, ()
    turn = Turn(conversation, now, law, can_send=can_send)
    match event:
        case Decided():
            _follow_decision(turn, event)
        case Ruled() | Claimed() | PassedOn() | Covered():
            _follow_people(turn, event)
        case Replied():
            _follow_reply(turn, event)
        case ReceiptReceived():
            _follow_receipt(turn, event)
        case RecallOrdered() | AmendmentOrdered() | ResendOrdered():
            follow_order(turn, event)
        case TimePassed():
            _follow_time(turn, event)
        case _:
            assert_never(event)
    after = turn.conversation
    # A receiving State remembers again what the gate sends again; it must not be forgotten here earlier than there.
    if after != conversation or (isinstance(event, Decided) and event.is_sent_to_any):
        after = replace(after, changed_at=now)
    return after, tuple(turn.effects)


def _follow_decision(turn: Turn, event: Decided) -> None:
    if event.revision < turn.conversation.revision:
        return
    begin_deliveries(turn, event)
    for reply in turn.take_early():
        _follow_reply(turn, reply)


def _follow_people(turn: Turn, event: PeopleEvent | Covered) -> None:
    ask = turn.get_ask(event.ask)
    if isinstance(event, Covered):
        if not is_covered(ask, event, turn.now, state=turn.conversation.state):
            return
        event = event.to_ruled(turn.now)
    if ask is None or ask.row.asks_recipient:
        reason = Refusal.UNKNOWN_ASK if ask is None else Refusal.WRONG_STATE
        turn.effects.append(Refused(event.ask, event.officer.id, reason))
        return
    refusal = _find_refusal(turn, ask, event) if isinstance(event, Ruled) else find_handling_refusal(ask, event)
    if refusal is not None:
        turn.effects.append(Refused(event.ask, event.officer.id, refusal))
    elif isinstance(event, Ruled):
        _follow_ruling(turn, ask, event)
    else:
        turn.take_change(handle_ask(ask, event))


def _follow_ruling(turn: Turn, ask: Ask, event: Ruled) -> None:
    given = GivenAnswer(event.answer, event.officer.id, event.officer.agency, event.at)
    answered, consequence = ask.take_answer(given)
    turn.change_ask(answered)
    if consequence is Consequence.AMEND:
        turn.effects.append(Amend(turn.hand_out_amendment(), ask.id, event.facts))
    elif consequence is not None:
        _follow_consequence(turn, answered, consequence, event.relaxed)


def _find_refusal(turn: Turn, ask: Ask, event: Ruled) -> Refusal | None:
    """Return why a ruling changes nothing; None if it counts."""
    reason = ask.find_refusal(event.officer, event.answer, event.at, event.nonce)
    if reason is not None:
        return reason
    if event.answer is Answer.SUPPLIED and not (event.facts and event.facts <= ask.facts):
        return Refusal.NOTHING_SUPPLIED
    if event.answer is Answer.SUPPLIED and turn.is_amended_now:
        return Refusal.AMENDMENT_PENDING
    for delivery in turn.find_guarded(ask):
        current = turn.law(delivery.state)
        is_forbidden = {
            Answer.PROVIDE_ANYWAY: current.outcome is Outcome.WITHHOLD,
            Answer.RELAX: current.outcome is Outcome.WITHHOLD
            or not current.required <= event.relaxed < delivery.terms.conditions,
        }
        if is_forbidden.get(event.answer, False):
            return Refusal.LAW_FORBIDS
    return None


def _follow_reply(turn: Turn, event: Replied) -> None:
    ask = turn.get_ask(event.ask)
    if ask is None and event.answer in _OPENED_BY_GATE and turn.keep_early(event):
        return
    result = _find_result(ask, event)
    if ask is not None and result is ReplyResult.TAKEN and ask.is_open:
        answered, consequence = ask.take_answer(GivenAnswer(event.answer, event.state, event.state, event.at))
        turn.change_ask(answered)
        if consequence is Consequence.RELEASE and not turn.can_send:
            consequence = Consequence.REDECIDE
        if consequence is not None:
            _follow_consequence(turn, answered, consequence)
    turn.effects.append(Answered(event.ask, event.state, result))


def _find_result(ask: Ask | None, event: Replied) -> ReplyResult:
    if ask is None or not ask.row.asks_recipient or ask.state != event.state or event.answer not in ask.row.answers:
        return ReplyResult.UNKNOWN
    if ask.status is AskStatus.CANCELLED:
        return ReplyResult.WITHDRAWN
    if ask.status is AskStatus.ANSWERED:
        return ReplyResult.TAKEN if ask.given[-1].answer is event.answer else ReplyResult.LATE
    return ReplyResult.TAKEN if ask.is_open and event.at < ask.closes_at else ReplyResult.LATE


def _follow_receipt(turn: Turn, event: ReceiptReceived) -> None:
    ask = turn.get_ask(event.ask)
    if ask is not None and ask.row.asks_recipient and ask.state == event.state:
        turn.effects.append(ReceiptNoted(ask.id, event.state, event.root))


def _follow_time(turn: Turn, event: TimePassed) -> None:
    turn.end_early()
    follow_pending(turn)
    for ask in turn.asks:
        if not ask.is_open:
            continue
        if ask.closes_at <= turn.now:
            expired = replace(ask, status=AskStatus.EXPIRED)
            turn.change_ask(expired)
            if ask.row.silence is Consequence.REPEAT and ask.row.asks_recipient and event.has_left(ask.state):
                turn.effects.append(GivenUp(expired))  # nobody there can be asked or answer any more
            else:
                _follow_consequence(turn, expired, ask.row.silence)
            continue
        steps = ask.list_escalations(turn.now)
        turn.effects.extend(Escalate(ask.id, step) for step in steps)
        if steps:
            turn.change_ask(replace(ask, escalated=steps.stop))


def _follow_consequence(
    turn: Turn, ask: Ask, consequence: Consequence, relaxed: frozenset[str] = frozenset()
) -> None:  # fmt: skip
    match consequence:
        case Consequence.RELEASE | Consequence.CLOSE | Consequence.REDECIDE | Consequence.OFFER_AGAIN:
            for delivery in turn.find_guarded(ask):
                _change_delivery(turn, ask, delivery, consequence, relaxed)
        case Consequence.REPEAT:
            again = turn.open_ask(ask.kind, ask.recipients, number=ask.round + 1, revision=ask.revision)
            turn.drop_ask(ask)
            turn.effects.append(Overdue(again.id))
        case Consequence.SETTLE | Consequence.AMEND:
            pass
        case _:
            assert_never(consequence)


def _change_delivery(
    turn: Turn, ask: Ask, delivery: Delivery, consequence: Consequence, relaxed: frozenset[str]
) -> None:  # fmt: skip
    match consequence:
        case Consequence.RELEASE:
            turn.release(delivery, ask)
        case Consequence.REDECIDE:
            turn.ask_again(delivery)
        case Consequence.OFFER_AGAIN:
            _offer_again(turn, delivery, relaxed)
        case _:
            turn.close(delivery)


def _offer_again(turn: Turn, delivery: Delivery, conditions: frozenset[str]) -> None:
    turn.proceed(replace(delivery, terms=delivery.terms.relax(conditions), is_settled=False))
