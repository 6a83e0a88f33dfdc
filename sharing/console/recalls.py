"""Which received items are recalled: nothing of them may be used any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.console.connection import ConsoleConnection
from sharing.console.inbox_items import InboxItem
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation_state.entries import decode_received
from sharing.conversation_state.item_keys import IN_PREFIX
from sharing.kafka.conversation_reader import EntryTable
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.vocabulary import MessageKind, NoticeKind

Recalled = dict[tuple[str, str], Revision]
"""The last revision that is recalled, by the providing State and the item."""


def read_recalled(console: ConsoleConnection, unreadable: Unreadable) -> Recalled:
    """Return what is recalled, as the worker keeps it.

    Args:
        console: The connection.
        unreadable: Is given what cannot be read: a recall may be in it.

    Raises:
        InfrastructureError: No broker answers, or the topic may not be read, as with the certificate of a case system:
            recalls in the inbox are all that is known then.
    """

    def keep(key: bytes, entry: bytes) -> tuple[tuple[str, str], Revision] | None:
        if not key.startswith(IN_PREFIX):
            return None
        received = decode_received(key, entry)
        is_any = received.recalled > NO_REVISION
        return ((received.from_state, received.item), received.recalled) if is_any else None

    table: EntryTable[tuple[tuple[str, str], Revision]] = EntryTable(
        console.servers, console.state, keep, console.properties, skip_unreadable=True
    )
    table.read()
    unreadable += table.list_unreadable()
    return dict(entry.value for entry in table.entries.values())


def add_recall(recalled: Recalled, item: InboxItem) -> None:
    """Add the recall that a notice in the inbox is."""
    fields = item.fields
    if item.kind is MessageKind.NOTICE and fields["kind"] == NoticeKind.RECALL:
        place = fields["from_state"], fields["item_id"]
        recalled[place] = max(recalled.get(place, NO_REVISION), read_revision(fields))


def is_recalled(recalled: Recalled, fields: Mapping[str, Any]) -> bool:
    """Return whether a notice or offer is of a revision that is recalled."""
    return read_revision(fields) <= recalled.get((fields["from_state"], fields["item_id"]), NO_REVISION)


def read_revision(fields: Mapping[str, Any]) -> Revision:
    """Return the revision of a notice or offer."""
    return Revision(fields["version"], fields["amendment"])
