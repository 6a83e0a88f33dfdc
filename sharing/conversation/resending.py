"""What was sent is sent again, because other States refused it: the key that had signed it was revoked at once.

Nothing changes. Each message has the id that it had, so it counts once. Content leaves only if the law, asked again, is
at least as open as when it was sent; what a later revision has replaced is not sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.conversation.effects import Answered, Refused, Send, SentAgain
from sharing.conversation.events import ResendOrdered
from sharing.conversation.received_events import Reply
from sharing.conversation.terms import is_no_less_open
from sharing.conversation.vocabulary import AskStatus, DeliveryStatus, Refusal, ReplyResult
from sharing.model.vocabulary import NoticeKind, Outcome

if TYPE_CHECKING:
    from sharing.conversation.deliveries import Delivery
    from sharing.conversation.received_item import ReceivedItem
    from sharing.conversation.turn import Turn


def send_again(turn: Turn, event: ResendOrdered) -> None:
    """Send again what States have of an item, what they are asked, and what became of their answers."""
    base, named = turn.conversation, event.states
    sent = [each for each in turn.list_sent() if _is_named(each.state, named) and _is_newest(turn, each)]
    for delivery in sent:
        if _is_permitted(turn, delivery):
            is_correction = any(
                each.state == delivery.state and each.status is DeliveryStatus.REPLACED
                for each in base.deliveries.values()
            )
            kind = NoticeKind.CORRECTION if is_correction else NoticeKind.ITEM
            turn.effects.append(Send(delivery.state, delivery.revision, kind, delivery.terms))
    for ask in turn.asks:
        if not ask.row.asks_recipient or not _is_named(ask.state, named):
            continue
        if ask.is_open or ask.status is AskStatus.CANCELLED:
            turn.effects.append(SentAgain(ask))
        elif ask.status is AskStatus.ANSWERED:
            turn.effects.append(Answered(ask.id, ask.state, ReplyResult.TAKEN))
    if not turn.effects:
        reason = Refusal.LAW_FORBIDS if sent else Refusal.NOTHING_SENT
        turn.effects.append(Refused("", event.officer.id, reason))


def answer_again(received: ReceivedItem, event: ResendOrdered) -> tuple[Reply | Refused, ...]:
    """Return the answers about an item of another State whose result was never reported, to be sent again."""
    if not event.officer.roles & event.roles:
        return (Refused("", event.officer.id, Refusal.WRONG_ROLE),)
    answered = [ask for ask in received.asks.values() if ask.given and not ask.is_open]
    unknown = [ask for ask in answered if ask.id not in received.results]
    replies = tuple(Reply(ask.id, received.from_state, ask.given[-1].answer) for ask in unknown)
    return replies or (Refused("", event.officer.id, Refusal.NOTHING_SENT),)


def _is_named(state: str, states: frozenset[str] | None) -> bool:
    return states is None or state in states


def _is_newest(turn: Turn, delivery: Delivery) -> bool:
    """Return whether nothing later was delivered to the State or waits. An amendment may change nothing for it."""
    return not any(
        each.state == delivery.state and each.revision > delivery.revision
        for each in turn.conversation.deliveries.values()
    )


def _is_permitted(turn: Turn, delivery: Delivery) -> bool:
    """Return whether the law in force is at least as open as the terms under which something was sent."""
    current = turn.law(delivery.state)
    is_unapproved = current.outcome is Outcome.HOLD and current.approver not in delivery.approved
    return current.outcome is not Outcome.WITHHOLD and not is_unapproved and is_no_less_open(current, delivery.terms)
