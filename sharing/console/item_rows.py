"""The State's own items as a list shows them: no value of any item."""

from __future__ import annotations

from typing import Any, NamedTuple

from sharing.console.own_items import describe_deliveries
from sharing.conversation.deliveries import Conversation
from sharing.conversation.revision import Revision
from sharing.conversation_state.entries import decode_conversation
from sharing.conversation_state.item_keys import OUT_PREFIX


class ItemRow(NamedTuple):
    """What is listed of an item.

    Attributes:
        item: Its id.
        agency: The agency that published it.
        revision: The newest state of it.
        urgency: Its urgency.
        deliveries: Where the newest delivery to each State stands.
        open_asks: Ids of the open Asks about it.
    """

    item: str
    agency: str
    revision: Revision
    urgency: str
    deliveries: dict[str, str]
    open_asks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "id": self.item,
            "agency": self.agency,
            "version": self.revision.version,
            "amendment": self.revision.amendment,
            "urgency": self.urgency,
            "deliveries": self.deliveries,
            "open_asks": list(self.open_asks),
        }


def read_item_row(key: bytes, entry: bytes) -> ItemRow | None:
    """Return what is listed of the item of an entry; None if it is another State's, or no entry of an item.

    Raises:
        DecodeError: The entry is malformed, or has a value that this release does not know.
    """
    return make_item_row(decode_conversation(key, entry).conversation) if key.startswith(OUT_PREFIX) else None


def make_item_row(conversation: Conversation) -> ItemRow:
    """Return what is listed of an item."""
    return ItemRow(
        conversation.item,
        conversation.publisher.agency,
        conversation.revision,
        conversation.urgency.value,
        describe_deliveries(conversation),
        tuple(ask.id for ask in conversation.asks.values() if ask.is_open),
    )
