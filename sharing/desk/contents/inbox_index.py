"""What is in the State's inbox, without content: what the list shows, and where each message is."""

from __future__ import annotations

import sys
import threading
from typing import Any, NamedTuple

from sharing.console.inbox_items import InboxItem, UnreadableItem, describe_bad_batches
from sharing.console.inbox_rows import InboxRow, make_inbox_row
from sharing.console.recalls import Recalled, add_recall, is_recalled, read_revision
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.desk.contents.item_categories import find_inbox_category
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.vocabulary import NoticeKind

_RECALL = NoticeKind.RECALL.value
_OFFER = "OFFER"


class InboxPlace(NamedTuple):
    """Where a message of the inbox is."""

    topic: str
    partition: int
    offset: int


class IndexedMessage(NamedTuple):
    """A message of the inbox.

    Attributes:
        row: What is listed of it.
        place: Where it is.
    """

    row: InboxRow
    place: InboxPlace

    @property
    def revision(self) -> Revision:
        """The revision of the item that it is about."""
        return read_revision(self.row.fields)


class InboxIndex:
    """The messages of the inbox by their ids and items. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, IndexedMessage] = {}
        self._unreadable: dict[str, UnreadableItem] = {}
        self._bad_batches: dict[str, UnreadableItem] = {}
        self._items: dict[tuple[str, str], tuple[str, ...]] = {}
        self._recalled: Recalled = {}
        self._listed: list[tuple[InboxRow, bool]] | None = None
        self._is_read = False

    @property
    def is_read(self) -> bool:
        """Whether the inbox was read to its end, and is not being read again."""
        return self._is_read

    @property
    def is_complete(self) -> bool:
        """Whether the inbox was read to its end, and no batch of it is damaged: what is not here was not received."""
        with self._lock:
            return self._is_read and not self._bad_batches

    def mark_read(self) -> None:
        """Note that the inbox was read to its end."""
        self._is_read = True

    def mark_unread(self) -> None:
        """Note that the inbox is read again: what is known is listed, and nothing of it is opened until then."""
        self._is_read = False

    def take(self, key: str, place: InboxPlace, opened: InboxItem | UnreadableItem | None) -> None:
        """Note what a record is.

        Args:
            key: The key of the record: the id of the message.
            place: Where the record is.
            opened: The message; why it cannot be opened; or None if the record deletes it.
        """
        with self._lock:
            self._drop(key)
            self._listed = None
            if isinstance(opened, UnreadableItem):
                self._unreadable[key] = opened
            elif opened is not None:
                row = _share_texts(make_inbox_row(opened), find_inbox_category(opened))
                add_recall(self._recalled, opened)
                shared = place._replace(topic=sys.intern(place.topic))
                self._messages[key] = IndexedMessage(row, shared)
                item = _get_item(row.fields)
                self._items[item] = (*self._items.get(item, ()), key)

    def take_bad_batches(self, bad: Unreadable) -> None:
        """Note batches that no client can read: nobody knows which messages are in them."""
        with self._lock:
            self._bad_batches |= describe_bad_batches(bad)

    def list_rows(self) -> list[tuple[InboxRow, bool]]:
        """Return what is listed of each message, newest first, and whether it is recalled."""
        with self._lock:
            if self._listed is None:
                rows = [(each.row, self._is_gone(each.row)) for each in self._messages.values()]
                self._listed = sorted(rows, key=lambda listed: (-listed[0].received_at, listed[0].id))
            return list(self._listed)

    def list_unreadable(self) -> list[UnreadableItem]:
        """Return what cannot be opened: messages, and batches of them that cannot be read."""
        with self._lock:
            return [*self._unreadable.values(), *self._bad_batches.values()]

    def find(self, message: str) -> IndexedMessage | None:
        """Return the message with an id; None if there is none."""
        with self._lock:
            return self._messages.get(message)

    def find_newest(self, provider: str, item: str, *, is_offer: bool) -> IndexedMessage | None:
        """Return the newest notice of an item that has content, or the newest offer of it; None if there is none.

        Args:
            provider: The State that provides it.
            item: Id of the item.
            is_offer: Whether an offer is wanted.
        """
        with self._lock:
            messages = [self._messages[each] for each in self._items.get((provider, item), ())]
        wanted = [each for each in messages if each.row.kind != _RECALL and (each.row.kind == _OFFER) is is_offer]
        return max(wanted, key=lambda each: (each.revision, each.row.received_at), default=None)

    def has_item(self, provider: str, item: str) -> bool:
        """Return whether the inbox has anything about an item."""
        with self._lock:
            return bool(self._items.get((provider, item)))

    def find_recalled(self, provider: str, item: str) -> Revision:
        """Return the last revision of an item that a notice in the inbox recalls."""
        with self._lock:
            return self._recalled.get((provider, item), NO_REVISION)

    def list_items(self, item: str) -> list[tuple[str, str]]:
        """Return the items with an id, by their States: several may use one id."""
        with self._lock:
            return sorted(known for known, messages in self._items.items() if known[1] == item and messages)

    def _drop(self, key: str) -> None:
        self._unreadable.pop(key, None)
        known = self._messages.pop(key, None)
        if known is not None:
            item = _get_item(known.row.fields)
            left = tuple(each for each in self._items.pop(item, ()) if each != key)
            if left:
                self._items[item] = left

    def _is_gone(self, row: InboxRow) -> bool:
        return row.kind != _RECALL and is_recalled(self._recalled, row.fields)


def _share_texts(row: InboxRow, category: str | None) -> InboxRow:
    """Return a row with its category, and with codes that are kept in memory once, however many rows have them."""
    shared: dict[str, Any] = {name: sys.intern(row.fields[name]) for name in ("from_state", "urgency")}
    shared["category"] = None if category is None else sys.intern(category)
    codes = [sys.intern(code) for code in row.fields["conditions"]]
    return row._replace(kind=sys.intern(row.kind), fields={**row.fields, **shared, "conditions": codes})


def _get_item(fields: dict[str, Any]) -> tuple[str, str]:
    return fields["from_state"], fields["item_id"]
