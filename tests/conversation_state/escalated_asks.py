"""Asks that people must be told of, for tests of escalations. Other States' texts in them are canaries."""

from __future__ import annotations

import uuid
from dataclasses import replace

from sharing.conversation.deliveries import Conversation
from sharing.conversation.kinds import KINDS
from sharing.conversation.provider import advance
from sharing.conversation.received_events import OfferReceived
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import AskKind
from sharing.conversation_state.entries import KeptConversation, encode_conversation, encode_received
from sharing.conversation_state.escalations import (
    Escalation,
    EscalationCause,
    EscalationKey,
    EscalationMark,
    find_escalation,
)
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.model.vocabulary import Urgency
from tests.conversation.people import NOW, ChangingLaw, decide, held
from tests.conversation_state.kept_states import make_item

PARTITION = 1
LASTS = KINDS[AskKind.APPROVE].lasts


def hold_item(number: int, urgency: Urgency = Urgency.URGENT, terms: Terms | None = None) -> Conversation:
    """Return the conversation of an item that is held, unless other terms are given: one Ask is open."""
    terms = terms or held("JP")
    conversation, _ = advance(
        Conversation(make_item(number), "CH"), decide(terms, urgency=urgency), NOW, ChangingLaw({"JP": terms})
    )
    return conversation


def keep(conversation: Conversation) -> tuple[bytes, bytes]:
    """Return key and entry of a conversation."""
    return make_own_key(conversation.item), encode_conversation(KeptConversation(conversation))


def escalate(
    number: int,
    cause: EscalationCause = EscalationCause.UNANSWERED,
    step: int = 0,
    urgency: Urgency = Urgency.URGENT,
    expires_at: int | None = None,
) -> Escalation:
    """Return the escalation of a held item."""
    conversation = hold_item(number, urgency)
    (ask,) = conversation.asks.values()
    key, entry = keep(conversation)
    found = find_escalation(EscalationKey(PARTITION, key, ask.id), EscalationMark(cause, step), entry)
    assert found is not None
    return found if expires_at is None else replace(found, expires_at=expires_at)


def receive_offer(ask: str | None = None) -> tuple[EscalationKey, bytes]:
    """Return the key of the Ask of an emergency offer of Japan, and the entry of its item."""
    item, ask = make_item(0), ask or str(uuid.uuid5(uuid.NAMESPACE_DNS, "offer"))
    event = OfferReceived(ask, Revision(1), Urgency.EMERGENCY, NOW + 7_200_000)
    received = advance_received(ReceivedItem(item, "JP", "CH"), event, NOW)[0]
    return EscalationKey(PARTITION, make_received_key("JP", item), ask), encode_received(received)
