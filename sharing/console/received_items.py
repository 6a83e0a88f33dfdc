"""Items of other States in the entries of the conversations."""

from __future__ import annotations

from dataclasses import dataclass

from sharing.console.connection import ConsoleConnection
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.entries import decode_received
from sharing.conversation_state.item_keys import make_received_key, pack_uuid
from sharing.kafka.conversation_reader import EntryTable


@dataclass(frozen=True, slots=True)
class ReceivedPlace:
    """An item of another State about which there is a conversation.

    Attributes:
        received: What is kept about it.
        partition: Partition of the item.
    """

    received: ReceivedItem
    partition: int


def find_received_item(console: ConsoleConnection, provider: str, item: str) -> ReceivedPlace | None:
    """Return an item of another State; None if there is no conversation about it.

    Args:
        console: The connection.
        provider: The State that provides it.
        item: Id of the item.

    Raises:
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    if pack_uuid(item) is None:
        return None
    wanted = make_received_key(provider, item)

    def keep(key: bytes, entry: bytes) -> ReceivedItem | None:
        return decode_received(key, entry) if key == wanted else None

    table: EntryTable[ReceivedItem] = EntryTable(console.servers, console.state, keep, console.properties)
    table.read()
    found = table.entries.get(wanted)
    return None if found is None else ReceivedPlace(found.value, found.partition)
