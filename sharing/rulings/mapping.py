"""A verified ruling as events of the conversation about each item."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from sharing.conversation.asks import Ask, Officer
from sharing.conversation.events import (
    AmendmentOrdered,
    Claimed,
    Covered,
    OrderEvent,
    PassedOn,
    PeopleEvent,
    RecallOrdered,
    ResendOrdered,
    Ruled,
)
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.vocabulary import OpeningKind


class ItemEvent(NamedTuple):
    """What a ruling does in the conversation about one item.

    Attributes:
        item: Id of the item.
        event: The event.
        provider: The State that provides the item.
    """

    item: str
    event: PeopleEvent | OrderEvent
    provider: str


def to_events(
    ruling: Ruling, officer: Officer, at_ms: int, *, partition: int, roles: frozenset[str] = frozenset()
) -> tuple[ItemEvent, ...]:  # fmt: skip
    """Return what the copy of a ruling on one partition does there, in the order of its Asks.

    Free text, grounds and the values of facts stay in the ruling.

    Args:
        ruling: A verified ruling.
        officer: Who ruled.
        at_ms: The broker's time of the record, in UTC milliseconds.
        partition: The partition on which the copy was read.
        roles: The roles that may open a recall, a correction or a withdrawal; without one, nobody may.
    """
    act = ruling.act
    match act:
        case Answering() | Claiming() | PassingOn():
            return tuple(
                ItemEvent(asked.item, _make_event(act, asked, officer, at_ms), asked.provider)
                for asked in ruling.list_asks(partition)
            )
        case Opening():
            if act.partition != partition:
                return ()
            return (ItemEvent(act.item, _make_order(act, officer, roles), act.provider),)
        case EndingCover():
            return ()
        case _:
            assert_never(act)


def make_covering_event(ruling: Ruling, officer: Officer, at_ms: int, ask: Ask) -> Covered | None:
    """Return the answer that an earlier ruling gives to an Ask that was opened since; None if the ruling covers none.

    The caller must have found that the Ask is alike (`find_unlike`), and that the officer is still in force.

    Args:
        ruling: A verified ruling.
        officer: Who ruled.
        at_ms: The broker's time of the ruling, in UTC milliseconds.
        ask: The Ask.
    """
    act = ruling.act
    if not isinstance(act, Answering) or act.covers_until is None:
        return None
    # The desk's clock may be ahead of the broker's.
    since = max(at_ms, ruling.signed_at)
    return Covered(ask.id, officer, act.answer, since, act.covers_until, nonce=ask.nonce)


def _make_order(act: Opening, officer: Officer, roles: frozenset[str]) -> OrderEvent:
    states = None if act.states is None else frozenset(act.states)
    if act.opens is OpeningKind.RECALL:
        return RecallOrdered(officer, states, roles=roles)
    if act.opens is OpeningKind.RESEND:
        return ResendOrdered(officer, states, roles=roles)
    return AmendmentOrdered(officer, frozenset(fact.name for fact in act.facts), roles=roles)


def _make_event(
    act: Answering | Claiming | PassingOn, asked: AskReference, officer: Officer, at_ms: int
) -> PeopleEvent:  # fmt: skip
    match act:
        case Answering():
            facts, relaxed = frozenset(fact.name for fact in act.facts), frozenset(act.relaxed or ())
            return Ruled(asked.ask, officer, act.answer, at_ms, facts, relaxed, nonce=asked.nonce)
        case Claiming():
            return Claimed(asked.ask, officer, at_ms, act.is_ended, nonce=asked.nonce)
        case PassingOn():
            return PassedOn(asked.ask, officer, str(act.authority), at_ms, nonce=asked.nonce)
        case _:
            assert_never(act)
