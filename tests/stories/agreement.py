"""Both sides of a conversation say the same, once nothing is under way between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import NO_REVISION
from sharing.conversation.vocabulary import AskKind, AskStatus, DeliveryStatus
from sharing.conversation_state.entries import KeptConversation
from sharing.ids import make_notice_id

if TYPE_CHECKING:
    from tests.stories.states import State


def check_agreement(
    states: Mapping[str, State],
    hostile: Collection[str],
    undelivered: Collection[str | None],
    kept_until: Mapping[str, int],
) -> None:
    """Check what the provider of each item says against what the other States say that keep to the rules.

    Args:
        states: The States.
        hostile: Those that do not keep to the rules.
        undelivered: Ids of the questions to other States that could not be sent, or not withdrawn.
        kept_until: By the id of a notice, until when the State that has it surely keeps it, in UTC milliseconds.
    """
    able = {code: state for code, state in states.items() if code not in hostile and _has_read_all(state)}
    received = {(code, each.from_state, each.item): each for code in able for each in _list_received(able[code])}
    offered: set[str] = set()
    now = max((each.now for each in able.values()), default=0)
    for conversation in (each for state in able.values() for each in _list_own(state)):
        for code in able:
            theirs = received.get((code, conversation.state, conversation.item))
            _check_sent(conversation, code, theirs, now, kept_until)
            offered |= _check_offered(conversation, code, theirs, now)
    for (_, provider, _), theirs in received.items():
        open_asks = [ask for ask in theirs.asks.values() if ask.is_open and ask.closes_at > now]
        asked = {ask.id for ask in open_asks if ask.kind is AskKind.ACCEPT}
        assert provider not in able or asked <= offered | {*undelivered}, (
            "people are asked about an offer that its State knows nothing of"
        )


def _has_read_all(state: State) -> bool:
    return state.is_running and state.is_conversing


def _list_received(state: State) -> Iterator[ReceivedItem]:
    return (kept for _, kept in state.list_kept() if isinstance(kept, ReceivedItem))


def _list_own(state: State) -> Iterator[Conversation]:
    own = (kept.conversation for _, kept in state.list_kept() if isinstance(kept, KeptConversation))
    return (conversation for conversation in own if conversation.revision != NO_REVISION)


def _check_sent(
    conversation: Conversation, code: str, theirs: ReceivedItem | None, now: int, kept_until: Mapping[str, int]
) -> None:
    """Check that a State can read what its provider says it has, as long as it may keep it, and nothing else."""
    ends: dict[str, int] = {}
    for delivery in conversation.list_deliveries(DeliveryStatus.SENT):
        if delivery.state == code:
            version, amendment = delivery.revision
            publisher = conversation.publisher.agency
            notice = make_notice_id(conversation.state, publisher, conversation.indicator, version, code, amendment)
            ends[notice] = delivery.ends_at or 0
    for notice, ends_at in ends.items():
        is_there = theirs is not None and theirs.has_in_inbox(notice)
        assert is_there or min(ends_at, kept_until.get(notice, ends_at)) <= now, (
            "a State does not have what its provider says it has"
        )
        assert not is_there or theirs is None or (theirs.retain_until or 0) <= ends_at, (
            "a State keeps for longer what its provider may have forgotten"
        )


def _check_offered(conversation: Conversation, code: str, theirs: ReceivedItem | None, now: int) -> set[str]:
    """Check that the people of the other State are asked about the offers that wait. Return the ids of these."""
    asks = [ask for ask in conversation.asks.values() if ask.is_open and ask.kind is AskKind.ACCEPT]
    waiting = {ask.id for ask in asks if ask.state == code}
    known = {} if theirs is None else theirs.asks
    due = {ask.id for ask in asks if ask.closes_at <= now}  # a clock may be ahead
    # A provider that reads late of what its gate has offered waits for an answer for longer.
    asked = {
        ask.id for ask in known.values() if ask.is_open or (ask.status is AskStatus.EXPIRED and ask.closes_at <= now)
    }
    assert waiting - due <= asked, "nobody is asked about an offer that waits"
    return waiting
