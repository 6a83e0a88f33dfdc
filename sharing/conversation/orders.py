"""What an officer starts without having been asked: a recall, a correction, a withdrawal, sending again."""

from __future__ import annotations

from sharing.conversation.effects import Amend, Refused
from sharing.conversation.events import OrderEvent, RecallOrdered, ResendOrdered
from sharing.conversation.resending import send_again
from sharing.conversation.revision import NO_REVISION
from sharing.conversation.turn import Turn
from sharing.conversation.vocabulary import Refusal


def follow_order(turn: Turn, event: OrderEvent) -> None:
    """Recall an item, hand a correction or withdrawal to the gate, or send again what was sent."""
    if not event.officer.roles & event.roles:
        turn.effects.append(Refused("", event.officer.id, Refusal.WRONG_ROLE))
    elif isinstance(event, RecallOrdered):
        _follow_recall(turn, event)
    elif isinstance(event, ResendOrdered):
        send_again(turn, event)
    elif turn.conversation.revision == NO_REVISION:
        turn.effects.append(Refused("", event.officer.id, Refusal.UNKNOWN_ITEM))
    elif event.facts and turn.is_amended_now:
        turn.effects.append(Refused("", event.officer.id, Refusal.AMENDMENT_PENDING))
    else:
        turn.effects.append(Amend(turn.hand_out_amendment(), "", event.facts))


def _follow_recall(turn: Turn, event: RecallOrdered) -> None:
    turn.cancel_waiting(event.states)
    for sent in turn.list_sent():
        if event.states is None or sent.state in event.states:
            turn.recall(sent)
    if not turn.effects:
        turn.effects.append(Refused("", event.officer.id, Refusal.NOTHING_SENT))
