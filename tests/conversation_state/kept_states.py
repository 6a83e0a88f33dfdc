"""States of conversations for tests: as they come from the state machines, under ids that are UUIDs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.entries import (
    KeptConversation,
    decode_conversation,
    decode_received,
    encode_conversation,
    encode_received,
)
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.ids import make_item_id
from sharing.serialization.codec import get_codec

ITEM = make_item_id("CH", "fedpol", "item")


def make_item(number: int) -> str:
    return make_item_id("CH", "fedpol", str(number))


def list_parts(kept: Conversation | ReceivedItem) -> list[Any]:
    """Return the mappings of a state as lists: their order decides the order of effects, and `==` ignores it."""
    if isinstance(kept, ReceivedItem):
        return [list(kept.asks.items()), list(kept.results.items()), list(kept.conditions.items())]
    return [list(kept.deliveries.items()), list(kept.asks.items())]


def check_avro(entry: bytes) -> None:
    """Check that an entry, which is written by hand, is byte for byte what the codec writes."""
    codec = get_codec("conversation_state")
    assert codec.encode(codec.decode(entry)) == entry


def check_round_trip(conversation: Conversation) -> Conversation:
    """Check that a conversation is read as it was written, to the same bytes, and return what was read."""
    item, conversation = conversation.item, replace(conversation, item=ITEM)
    key, entry = make_own_key(ITEM), encode_conversation(KeptConversation(conversation))
    read = decode_conversation(key, entry)
    assert read == KeptConversation(conversation)
    assert list_parts(read.conversation) == list_parts(conversation)
    assert encode_conversation(read) == entry
    check_avro(entry)
    return replace(read.conversation, item=item)


def check_received_round_trip(received: ReceivedItem) -> ReceivedItem:
    """Check that a received item is read as it was written, to the same bytes, and return what was read."""
    item, received = received.item, replace(received, item=ITEM)
    key, entry = make_received_key(received.from_state, ITEM), encode_received(received)
    read = decode_received(key, entry)
    assert read == received
    assert list_parts(read) == list_parts(received)
    assert encode_received(read) == entry
    check_avro(entry)
    return replace(read, item=item)
