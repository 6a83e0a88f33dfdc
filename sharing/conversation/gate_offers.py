"""What the gate itself has offered: the offers of a first version, even if its agency publishes that again.

The id of such an offer follows from item, version and State. So an offer that the gate has made before asks nobody
anything new, and the other State drops it; here it stays as open as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sharing.conversation.asks import name_ask
from sharing.conversation.vocabulary import AskKind, AskStatus
from sharing.model.vocabulary import Outcome

if TYPE_CHECKING:
    from sharing.conversation.deliveries import Delivery
    from sharing.conversation.events import Decided
    from sharing.conversation.turn import Turn


def is_new_offer(turn: Turn, event: Decided, delivery: Delivery) -> bool:
    """Return whether the gate has made an offer to a State that it has not made before."""
    if not event.is_sent or delivery.terms.outcome is not Outcome.OFFER:
        return False
    offer = name_ask(turn.conversation.item, AskKind.ACCEPT, delivery.revision, {delivery.state})
    return turn.get_ask(offer) is None


def follow_gate_offer(turn: Turn, event: Decided, delivery: Delivery, *, counts: bool) -> None:
    """Wait only for the acceptance of what the gate has offered; or withdraw it.

    An offer does not count if the State has the item, was refused it or had it recalled: its people would be asked
    about something that is not known here.

    Args:
        turn: The turn.
        event: The decision.
        delivery: The delivery that was offered.
        counts: Whether an acceptance may release it.
    """
    state = frozenset({delivery.state})
    if counts:
        turn.cancel_waiting(state)
    ask = turn.open_ask(AskKind.ACCEPT, state, revision=delivery.revision, offered=event.urgency)
    if counts:
        turn.guard(replace(delivery, is_offered=True, is_settled=False), ask)
    else:
        turn.change_ask(replace(ask, status=AskStatus.CANCELLED))
