"""What is open and overdue, counted from the open Asks: no item's content, and no person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sharing.console.found_asks import FoundAsk
from sharing.conversation.vocabulary import AskKind
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency

LATE_SHOWN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """How many Asks of one kind are open.

    Attributes:
        kind: The kind.
        is_ours: Whether people of this State are asked; otherwise those of others.
        open: How many are open.
        emergencies: How many of them are about emergencies.
        unclaimed: How many of them nobody deals with.
        last_day: How many of them end within a day.
        escalated: How many of them went to a further contact point.
        repeated: How many of them are asked again, because nobody has answered.
        overdue: How many of them were to be answered by now.
    """

    kind: AskKind
    is_ours: bool
    open: int
    emergencies: int
    unclaimed: int
    last_day: int
    escalated: int
    repeated: int
    overdue: int


@dataclass(frozen=True, slots=True)
class WaitingView:
    """What waits.

    Attributes:
        rows: The counts, by kind and who is asked; kinds of which none is open are left out.
        late: Open Asks that are overdue, were asked again or escalated, those with the least time left first.
        late_count: How many such Asks there are, also those that are not in `late`.
    """

    rows: tuple[WaitingRow, ...]
    late: tuple[FoundAsk, ...]
    late_count: int


def view_waiting(asks: Iterable[FoundAsk], state: str, now: int) -> WaitingView:
    """Return what waits.

    Args:
        asks: The open Asks.
        state: The State of the desk.
        now: The time in UTC milliseconds.
    """
    groups: dict[tuple[AskKind, bool], list[FoundAsk]] = {}
    late = []
    for found in asks:
        groups.setdefault((found.ask.kind, found.ask.state == state), []).append(found)
        if is_late(found, now):
            late.append(found)
    late.sort(key=lambda found: (found.ask.expires_at, found.ask.id))
    order = list(AskKind)
    keys = sorted(groups, key=lambda key: (not key[1], order.index(key[0])))
    rows = tuple(_count(kind, groups[kind, is_ours], now, is_ours=is_ours) for kind, is_ours in keys)
    return WaitingView(rows, tuple(late[:LATE_SHOWN_MAX]), len(late))


def is_late(found: FoundAsk, now: int) -> bool:
    """Return whether an open Ask is overdue, was asked again because nobody answered, or was escalated."""
    ask = found.ask
    return ask.expires_at <= now or ask.round > 1 or ask.escalated > 0


def _count(kind: AskKind, asks: list[FoundAsk], now: int, *, is_ours: bool) -> WaitingRow:
    each = [found.ask for found in asks]
    return WaitingRow(
        kind=kind,
        is_ours=is_ours,
        open=len(each),
        emergencies=sum(ask.urgency is Urgency.EMERGENCY for ask in each),
        unclaimed=sum(ask.find_claimant(now) is None for ask in each),
        last_day=sum(now < ask.expires_at <= now + DAY_MS for ask in each),
        escalated=sum(ask.escalated > 0 for ask in each),
        repeated=sum(ask.round > 1 for ask in each),
        overdue=sum(ask.expires_at <= now for ask in each),
    )
