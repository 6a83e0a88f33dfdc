"""What follows when the gate has sent a first version again because its agency has published it again.

The gate does not remember first versions. What it sends again has the same id, and another State drops it as a
repetition, unless that State has refused or forgotten what came first. An agency that changes the urgency makes the
gate write to another topic, and the other State may read the later one first. So what was sent once is followed by
messages that make both sides agree, no matter which of the two messages counts there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sharing.conversation.asks import REMEMBERED_MS, name_ask
from sharing.conversation.effects import SentAgain
from sharing.conversation.gate_offers import follow_gate_offer, is_new_offer
from sharing.conversation.vocabulary import AskKind, AskStatus, DeliveryStatus
from sharing.model.times import DAY_MS

if TYPE_CHECKING:
    from sharing.conversation.asks import Ask
    from sharing.conversation.deliveries import Delivery
    from sharing.conversation.events import Decided
    from sharing.conversation.turn import Turn

_UNDERSTOOD_MS = REMEMBERED_MS - DAY_MS
"""How long another State certainly remembers that it has acknowledged a recall, in milliseconds."""


def follow_repeated_notice(turn: Turn, event: Decided, delivery: Delivery, known: Delivery | None) -> None:
    """Note that the gate has disclosed a version, perhaps again. What was recalled is recalled again if it may be read.

    Args:
        turn: The turn.
        event: The decision.
        delivery: The delivery that was disclosed.
        known: What was known of it; None if nothing.
    """
    if known is None or known.status in {DeliveryStatus.WAITING, DeliveryStatus.CLOSED}:
        turn.cancel_waiting(frozenset({delivery.state}))
        turn.mark_sent(delivery, event)
    elif known.status is DeliveryStatus.SENT:
        turn.extend_sent(known, event.retain_until)
    elif known.status is DeliveryStatus.RECALLED and not _is_recall_known(turn, known):
        turn.recall(known)


def follow_repeated_offer(turn: Turn, event: Decided, delivery: Delivery, *, counts: bool) -> None:
    """Wait for the acceptance of what the gate has offered, perhaps again; an offer that has ended is withdrawn.

    An open offer with a different urgency is withdrawn and replaced by one with a different id: it is not known here
    which of the two deadlines the other State applies.

    Args:
        turn: The turn.
        event: The decision.
        delivery: The delivery that was offered.
        counts: As in `follow_gate_offer`, for an offer that the gate has not made before.
    """
    if is_new_offer(turn, event, delivery):
        follow_gate_offer(turn, event, delivery, counts=counts)
        return
    ask = turn.get_ask(name_ask(turn.conversation.item, AskKind.ACCEPT, delivery.revision, {delivery.state}))
    if ask is None:
        return
    if not ask.is_open:
        turn.effects.append(SentAgain(ask))
    elif ask.urgency is not event.urgency:
        waiting = turn.find_guarded(ask)
        turn.change_ask(replace(ask, status=AskStatus.CANCELLED))
        for each in waiting:
            turn.offer(each)


def _is_recall_known(turn: Turn, delivery: Delivery) -> bool:
    """Return whether a State knows that a revision was recalled from it, and so keeps it out of its inbox."""
    place = frozenset({delivery.state}), delivery.revision
    recalls = [ask for ask in turn.asks if ask.kind is AskKind.ACK_RECALL and (ask.recipients, ask.revision) == place]
    return any(ask.is_open or _find_acknowledged(ask) + _UNDERSTOOD_MS > turn.now for ask in recalls)


def _find_acknowledged(ask: Ask) -> int:
    """Return when a recall was acknowledged, in UTC milliseconds; 0 if it was not."""
    return ask.given[-1].at if ask.given else 0
