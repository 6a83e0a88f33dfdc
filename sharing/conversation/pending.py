"""Amendments that the gate does not decide on: people are notified and asked again.

What an officer has supplied or corrected goes to the gate, which may refuse it: it is quarantined there, and no answer
comes back. Without a deadline of its own, the item would wait forever, and nobody would know.
"""

from __future__ import annotations

from sharing.conversation.effects import Overdue
from sharing.conversation.turn import Turn
from sharing.conversation.vocabulary import AskKind


def follow_pending(turn: Turn) -> None:
    """If the gate has not decided in time on what was handed to it, raise an alert, and ask for the facts again."""
    if not turn.end_pending():
        return
    answered = [ask for ask in turn.asks if ask.kind is AskKind.SUPPLY_FACT and not ask.is_open]
    waiting = [(ask, turn.find_guarded(ask)) for ask in answered]
    is_asked = False
    for ask, deliveries in waiting:
        if deliveries:
            again = turn.open_ask(
                ask.kind, ask.recipients, number=ask.round + 1, revision=ask.revision, facts=ask.facts
            )
            for delivery in deliveries:
                turn.guard(delivery, again)
            turn.effects.append(Overdue(again.id))
            is_asked = True
    if not is_asked:
        turn.effects.append(Overdue(""))  # a correction or withdrawal that nobody asked for
