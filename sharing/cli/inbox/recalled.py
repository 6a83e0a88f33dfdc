"""Which received items are recalled, for commands: where the conversations may not be read, the inbox alone tells."""

from __future__ import annotations

from typing import Final

from sharing.cli.shared.console import err
from sharing.clients.inbox_reader import InboxReader
from sharing.console.connection import ConsoleConnection
from sharing.console.inbox_items import InboxItem, UnreadableItem, read_inbox
from sharing.console.recalls import Recalled, add_recall, read_recalled
from sharing.errors import InfrastructureError
from sharing.kafka.unreadable_records import Unreadable

RECALLS_UNKNOWN: Final = (
    "an item that is not marked may have been recalled: do not use it until the operators have restored the topic "
    "(docs/maintain.md)"
)


def read_kept_recalls(console: ConsoleConnection, unreadable: Unreadable) -> Recalled | None:
    """Return what is recalled, as the worker keeps it; None where that may not be read, and this says so.

    With the certificate of a case system, recalls in the inbox are all that is known.

    Args:
        console: The connection.
        unreadable: Is given what cannot be read: a recall may be in it.
    """
    try:
        return read_recalled(console, unreadable)
    except InfrastructureError as error:
        err.print(f"only recalls that are in the inbox are known: {error}")
        return None


def find_item_and_recalls(
    console: ConsoleConnection, reader: InboxReader, message_id: str, recalled: Recalled
) -> dict[str, InboxItem | UnreadableItem]:
    """Return an item of the inbox, if it is there, and what cannot be opened: a recall may be in it.

    Args:
        console: The connection.
        reader: Opens the inbox.
        message_id: Id of the item.
        recalled: Is given the recalls that are in the inbox.
    """

    def keep(item: InboxItem) -> InboxItem | None:
        add_recall(recalled, item)
        return item if item.id == message_id else None

    kept = read_inbox(console, reader, keep)
    return {key: each for key, each in kept.items() if each is not None}
