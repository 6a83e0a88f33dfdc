"""What the passing of time does on the receiving State's side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sharing.conversation.asks import GRACE_MS, Ask
from sharing.conversation.deliveries import EARLY_MS
from sharing.conversation.effects import Ended, Escalate, Overdue
from sharing.conversation.inbox_copies import shred_copies
from sharing.conversation.vocabulary import AskStatus, Consequence

if TYPE_CHECKING:
    from sharing.conversation.received_events import ReceivedEffect
    from sharing.conversation.received_item import ReceivedItem

UNHEARD_MS: Final = EARLY_MS + GRACE_MS
"""How long after an answer the other State must have reported what became of it."""


def find_unheard_end(received: ReceivedItem) -> int | None:
    """Return when people are notified that another State has not reported an answer's result, in UTC milliseconds."""
    unheard = (ask for ask in received.asks.values() if _is_unheard(received, ask))
    return min((ask.given[-1].at + UNHEARD_MS for ask in unheard), default=None)


def follow_time(received: ReceivedItem, now: int) -> tuple[ReceivedItem, tuple[ReceivedEffect, ...]]:
    """Return the state after time has passed, and what must be done, in order.

    Args:
        received: The state before.
        now: The time, in UTC milliseconds.
    """
    effects: list[ReceivedEffect] = []
    asks = dict(received.asks)
    for ask in received.asks.values():
        if ask.is_open:
            asks[ask.id], caused = _follow_open(ask, now)
            effects += caused
        elif _is_unheard(received, ask) and ask.given[-1].at + UNHEARD_MS <= now:
            asks[ask.id] = replace(ask, escalated=_count_steps(ask) + 1)
            effects.append(Overdue(ask.id))
    if asks != received.asks:
        received = replace(received, asks=asks)
    if received.retain_until is not None and received.retain_until <= now:
        received, shred = shred_copies(received, received.revision)
        effects.append(shred)
    return received, tuple(effects)


def _follow_open(ask: Ask, now: int) -> tuple[Ask, list[ReceivedEffect]]:
    if ask.closes_at > now:
        steps = ask.list_escalations(now)
        return replace(ask, escalated=steps.stop), [Escalate(ask.id, step) for step in steps]
    if ask.row.silence is Consequence.REPEAT:
        expires_at = now + ask.row.lasts[ask.urgency]
        again = replace(ask, opened_at=now, expires_at=expires_at, round=ask.round + 1, escalated=0)
        return again, [Overdue(ask.id)]
    expired = replace(ask, status=AskStatus.EXPIRED)
    return expired, [Ended(expired)]


def _is_unheard(received: ReceivedItem, ask: Ask) -> bool:
    """Return whether the result of an answer is unknown, and people have not been notified of that yet."""
    is_answered = ask.status is AskStatus.ANSWERED and bool(ask.given)
    return is_answered and ask.id not in received.results and ask.escalated <= _count_steps(ask)


def _count_steps(ask: Ask) -> int:
    return len(ask.row.escalations)
