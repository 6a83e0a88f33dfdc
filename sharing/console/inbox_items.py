"""What is in a State's inbox, opened with a reader's key. Nothing counts as received by it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sharing.clients.inbox_reader import InboxReader
from sharing.console.connection import ConsoleConnection
from sharing.errors import DecodeError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches
from sharing.model.notice import Notice
from sharing.model.record_times import read_broker_stamp
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.inbox_record import decode_item
from sharing.serialization.codec import get_codec
from sharing.topology.topics import INBOX, INBOX_URGENT

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class InboxItem:
    """An item of the inbox. Its `repr` shows no content.

    Attributes:
        id: Id of the notice or offer.
        kind: Which of the two.
        received_at: When the worker verified it, in UTC milliseconds.
        fields: The fields of the notice or offer.
        place: Topic, partition and offset.
    """

    id: str
    kind: MessageKind
    received_at: int
    fields: Mapping[str, Any] = field(repr=False)
    place: str

    def to_notice(self) -> Notice:
        """Return the notice.

        Raises:
            DecodeError: Its content is not of this version.
        """
        try:
            return Notice.from_records(self.fields, get_codec("notice_content").decode(self.fields["content"]))
        except (ValueError, TypeError) as error:
            raise DecodeError(f"not a notice of this version ({type(error).__name__})", cause="UNREADABLE") from None

    @property
    def sent_at(self) -> int:
        """When it was sent, in UTC milliseconds."""
        return to_milliseconds(self.fields["sent_at"])


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item that is not opened.

    Attributes:
        id: Its id, which is the record's key; "" of a batch that cannot be read.
        place: Topic, partition and offset.
        reason: Why. Contains nothing of its content.
    """

    id: str
    place: str
    reason: str


def read_inbox(
    console: ConsoleConnection, reader: InboxReader, keep: Callable[[InboxItem], Kept]
) -> dict[str, Kept | UnreadableItem]:
    """Return what is kept of each item of the inbox, by its id. Deleted items are left out.

    A batch that cannot be read is an unreadable item, by its place.

    Raises:
        InfrastructureError: No broker answers, a topic cannot be read, or no item can be judged.
    """
    kept: dict[str, Kept | UnreadableItem] = {}
    bad: Unreadable = []
    for key, message in _read_messages(console, bad):
        kept.pop(key, None)
        if message.value():
            opened = open_message(console, reader, key, message)
            kept[key] = opened if isinstance(opened, UnreadableItem) else _keep(opened, keep)
    return kept | describe_bad_batches(bad)


def _keep(item: InboxItem, keep: Callable[[InboxItem], Kept]) -> Kept | UnreadableItem:
    try:
        return keep(item)
    except DecodeError as error:
        return UnreadableItem(item.id, item.place, str(error))


def describe_bad_batches(bad: Unreadable) -> dict[str, UnreadableItem]:
    """Return batches that cannot be read as items that cannot be opened, by their places."""
    return {each.place: UnreadableItem("", each.place, each.reason) for each in bad}


def find_inbox_items(
    console: ConsoleConnection, reader: InboxReader, ids: Collection[str]
) -> dict[str, InboxItem | UnreadableItem]:
    """Return the items with these ids that are in the inbox, and what may be one of them, as `read_inbox`.

    Raises:
        InfrastructureError: As `read_inbox`.
    """
    bad: Unreadable = []
    found = {key: message for key, message in _read_messages(console, bad) if key in ids}
    items = {key: open_message(console, reader, key, message) for key, message in found.items() if message.value()}
    return items | describe_bad_batches(bad)


def _read_messages(console: ConsoleConnection, bad: Unreadable) -> Iterator[tuple[str, Any]]:
    """Yield keys and records of the inbox. Batches that cannot be read are added to a list."""
    for kind in (INBOX, INBOX_URGENT):
        topic = kind.topic(console.state)
        group = name_console_group(console.state, "inbox")
        with closing(TopicRange(console.servers, topic, group, properties=console.properties)) as opened:
            for batch in opened.read_batches():
                for message in batch:
                    yield (message.key() or b"").decode(errors="replace"), message
            add_bad_batches(bad, opened.bad_batches)


def open_message(
    console: ConsoleConnection, reader: InboxReader, key: str, message: Any
) -> InboxItem | UnreadableItem:  # fmt: skip
    """Return what a record of the inbox is, opened; or why it cannot be opened.

    Args:
        console: The connection.
        reader: Opens it.
        key: The key of the record: the id of the message.
        message: The consumed record, which is none that deletes a message.

    Raises:
        InfrastructureError: No item can be judged.
    """
    place = f"{message.topic()}/{message.partition()}@{message.offset()}"
    try:
        value = console.framing.to_single_object(message.value()) or b""
        kind, content = reader.open_item(value, read_broker_stamp(message))
        fields = get_codec(kind.schema_name).decode(content)
        return InboxItem(fields["id"], kind, decode_item(value).envelope.received_at, fields, place)
    except DecodeError as error:
        return UnreadableItem(key, place, str(error))
