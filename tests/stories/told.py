"""What the agencies of a State are told about their items agrees with what its conversation knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from sharing.conversation.revision import NO_REVISION
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.conversation_state.entries import KeptConversation
from sharing.outcomes.outcome import digest_agency
from sharing.rulings.act import Act

if TYPE_CHECKING:
    from tests.stories.states import State


def check_told(state: State, undelivered: Collection[Act], asked_once: Collection[str]) -> None:
    """Check that an agency, from what it is told alone, knows which States have its items, and what people are asked.

    A conversation that has forgotten an item, and one that has not read its drafts, cannot be compared.

    Args:
        state: The State.
        undelivered: The acts about what could not be sent. A State that was not told of a recall still has the item.
        asked_once: Ids of the questions that were asked before they could not be sent again.
    """
    if state.reader.list_unread():
        return
    told = state.read_outcomes()
    for _, kept in state.list_kept():
        if not isinstance(kept, KeptConversation) or kept.conversation.revision == NO_REVISION:
            continue
        conversation = kept.conversation
        history = told[digest_agency(conversation.publisher.agency), conversation.indicator]
        if history.newest != conversation.revision:
            continue
        having = {delivery.state for delivery in conversation.list_deliveries(DeliveryStatus.SENT)}
        sent = {
            (to, revision) for to, (revision, status) in history.deliveries.items() if status is DeliveryStatus.SENT
        }
        acts = [act for act in undelivered if act.item_id == conversation.item]
        unaware = {to for act in acts for to in act.states}
        known = {to for to, _ in sent & conversation.deliveries.keys()}  # what ended before this version is forgotten
        assert having <= {to for to, _ in sent}, [line.text for line in history.lines]
        assert known <= having | unaware, [line.text for line in history.lines]
        unasked = {act.ask for act in acts if act.ask is not None} - {*asked_once}
        open_asks = [ask for ask in conversation.asks.values() if ask.is_open and ask.id not in unasked]
        asked = Counter((ask.revision, ask.kind.value) for ask in open_asks)
        assert Counter((revision, ask) for revision, ask, _ in history.questions) == asked
