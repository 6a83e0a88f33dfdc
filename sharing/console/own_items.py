"""The State's own items in the entries of the conversations, found by the id of the item or of its indicator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.console.printable import to_printable
from sharing.conversation.deliveries import Conversation
from sharing.conversation.revision import Revision
from sharing.conversation_state.entries import KeptConversation, decode_conversation
from sharing.conversation_state.entry_head import count_open_asks
from sharing.conversation_state.item_keys import OUT_PREFIX, make_own_key, pack_uuid
from sharing.errors import InputError
from sharing.kafka.conversation_reader import EntryTable
from sharing.kafka.unreadable_records import Unreadable
from sharing.sentences import say

_SHOWN_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class OwnItem:
    """An item of the State's own about which there is a conversation.

    Attributes:
        conversation: The conversation.
        partition: Partition of the item.
        drafts: The copies of the item that the worker keeps, by revision, as it has sealed them.
    """

    conversation: Conversation
    partition: int
    drafts: Mapping[Revision, bytes] = field(default_factory=dict, repr=False)


def find_own_item(console: ConsoleConnection, name: str, unreadable: Unreadable | None = None) -> OwnItem | None:
    """Return the item with an id, or that of the indicator with an id; None if there is no conversation about it.

    Args:
        console: The connection.
        name: Id of the item, or of its indicator.
        unreadable: Is given entries that cannot be read: the conversation may be in one. None if one is an error.

    Raises:
        InputError: It is the id of an indicator of several agencies.
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    own_key = None if pack_uuid(name) is None else make_own_key(name)
    named = pack_uuid(name) or name.encode()

    def keep(key: bytes, entry: bytes) -> KeptConversation | None:
        if key != own_key and not (key.startswith(OUT_PREFIX) and named in entry):
            if unreadable is not None and key.startswith(OUT_PREFIX):
                count_open_asks(entry)  # raises for an entry that may be about the indicator, and cannot be read
            return None
        kept = decode_conversation(key, entry)
        return kept if key == own_key or kept.conversation.indicator == name else None

    table: EntryTable[KeptConversation] = EntryTable(
        console.servers, console.state, keep, console.properties, skip_unreadable=unreadable is not None
    )
    table.read()
    found_key = own_key if own_key in table.entries else None
    if unreadable is not None:
        unreadable += table.list_unreadable() if found_key is None else table.list_bad_batches()
    if found_key is not None:
        return _make_item(table, found_key)
    if len(table.entries) > 1:
        ids = ", ".join(entry.value.conversation.item for entry in table.entries.values())
        raise InputError(
            say(
                "%(name)s is the id of an indicator of several agencies; name one item: %(ids)s",
                name=shorten_name(name),
                ids=ids,
            )
        )
    return next((_make_item(table, key) for key in table.entries), None)


def require_own_item(console: ConsoleConnection, name: str) -> OwnItem:
    """Return the item with an id, or that of the indicator with an id.

    Raises:
        InputError: There is no conversation about it: it was never sent, offered or held, or belongs to another State.
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    found = find_own_item(console, name)
    if found is None:
        raise InputError(
            say(
                "%(name)s: %(state)s has no conversation about such an item of its own, so no State has it and nobody "
                "is asked; `sharing items list` shows the items",
                name=shorten_name(name),
                state=console.state,
            )
        )
    return found


def shorten_name(name: str) -> str:
    """Return what a user gave, for a message."""
    return to_printable(name)[:_SHOWN_MAX]


def describe_deliveries(conversation: Conversation) -> dict[str, str]:
    """Return where the newest delivery to each State stands, by State."""
    newest: dict[str, tuple[Revision, str]] = {}
    for delivery in conversation.deliveries.values():
        known = newest.get(delivery.state)
        if known is None or known[0] < delivery.revision:
            newest[delivery.state] = delivery.revision, delivery.status.value
    return {state: status for state, (_, status) in sorted(newest.items())}


def _make_item(table: EntryTable[KeptConversation], key: bytes) -> OwnItem:
    entry = table.entries[key]
    return OwnItem(entry.value.conversation, entry.partition, entry.value.drafts)
