"""The entries as one batch sees and changes them, with the index of what is due kept in step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.covers import Covers, decode_covers, encode_covers, make_covers_key
from sharing.conversation_state.due_index import DueIndex, DueItem, StateView
from sharing.conversation_state.entries import (
    KeptConversation,
    decode_conversation,
    decode_received,
    encode_conversation,
    encode_received,
    list_waiting,
)
from sharing.conversation_state.entry_head import NEVER, read_due
from sharing.conversation_state.item_keys import make_own_key, make_received_key


class _Indexed(NamedTuple):
    """What the index has of an entry.

    Attributes:
        due_at: The instant under which it has the entry; `NEVER` if it has none.
        waiting: How many open Asks and early replies it has counted, by State.
    """

    due_at: bytes
    waiting: Mapping[str, int]


_ABSENT = _Indexed(NEVER, {})


class BatchEntries:
    """What one batch reads and writes. The partition is that of the record that names the item.

    Args:
        index: What is due. It follows the view from here on.
        view: The batch's view of the state store.

    Raises:
        DecodeError: A partition has an entry that is malformed, or of a kind that this release does not know.
    """

    def __init__(self, index: DueIndex, view: StateView) -> None:
        index.follow(view)
        self._index = index
        self._view = view
        self._indexed: dict[DueItem, _Indexed] = {}

    def find_conversation(self, partition: int, item: str) -> KeptConversation | None:
        """Return what is kept about an item of the State's own; None if nothing.

        Raises:
            DecodeError: The entry has a kind or a value that this release does not know.
            InputError: The item's id is not a UUID.
        """
        key = make_own_key(item)
        entry = self._get(DueItem(partition, key))
        return None if entry is None else decode_conversation(key, entry)

    def find_received(self, partition: int, from_state: str, item: str) -> ReceivedItem | None:
        """Return what is kept about an item of another State; None if nothing.

        Raises:
            DecodeError: The entry has a kind or a value that this release does not know.
            InputError: The item's id is not a UUID.
        """
        key = make_received_key(from_state, item)
        entry = self._get(DueItem(partition, key))
        return None if entry is None else decode_received(key, entry)

    def keep_conversation(self, partition: int, kept: KeptConversation) -> None:
        """Keep what is known about an item of the State's own.

        Raises:
            InputError: It is too large, or the item's id is not a UUID.
        """
        self._put(DueItem(partition, make_own_key(kept.conversation.item)), encode_conversation(kept))

    def keep_received(self, partition: int, received: ReceivedItem) -> None:
        """Keep what is known about an item of another State.

        Raises:
            InputError: It is too large, or the item's id is not a UUID.
        """
        self._put(DueItem(partition, make_received_key(received.from_state, received.item)), encode_received(received))

    def keep(self, partition: int, kept: KeptConversation | ReceivedItem) -> None:
        """Keep what is known about an item.

        Raises:
            InputError: It is too large, or the item's id is not a UUID.
        """
        if isinstance(kept, ReceivedItem):
            self.keep_received(partition, kept)
        else:
            self.keep_conversation(partition, kept)

    def keep_entry(self, item: DueItem, entry: bytes) -> None:
        """Store what is known about an item, already encoded."""
        self._put(item, entry)

    def find_covers(self, partition: int) -> Covers:
        """Return the answers of a partition that cover later Asks.

        Raises:
            DecodeError: The entry is malformed, or of a schema that this release does not know.
        """
        return decode_covers(self._view.get(partition, make_covers_key(partition)))

    def keep_covers(self, partition: int, covers: Covers) -> None:
        """Keep the answers of a partition that cover later Asks."""
        self._view.put(partition, make_covers_key(partition), encode_covers(covers))

    def forget(self, item: DueItem) -> None:
        """Remove an entry."""
        before = self._find_indexed(item)
        self._view.delete(item.partition, item.key)
        self._note(item, before, _ABSENT)

    def count_waiting(self, partition: int, state: str) -> int:
        """Return how many open Asks and early replies of another State a partition has."""
        return self._index.count_waiting(partition, state)

    def take_due(self, now_ms: int, limit: int, until: Mapping[int, int] | None = None) -> list[DueItem]:
        """Return items that have something due up to an instant, the earliest first.

        Each must be advanced to that instant and kept again in this batch. The call looks at `limit` elements of the
        index, of which some may be outdated: more is due as long as `DueIndex.find_next_due` is not later than now.

        Args:
            now_ms: The instant in UTC milliseconds.
            limit: How many at most.
            until: For each partition an earlier instant that counts instead (`DueIndex.pop_due`).
        """
        due = []
        for item, due_at in self._index.pop_due(now_ms, limit, until):
            indexed = self._find_indexed(item)
            if indexed.due_at == due_at:
                self._index.note_taken(item.partition)
                self._indexed[item] = indexed._replace(due_at=NEVER)
                due.append(item)
        return due

    def _find_indexed(self, item: DueItem) -> _Indexed:
        """Return what the index has of an entry."""
        known = self._indexed.get(item)
        if known is None:
            self._get(item)
            known = self._indexed[item]
        return known

    def _get(self, item: DueItem) -> bytes | None:
        entry = self._view.get(item.partition, item.key)
        if item not in self._indexed:
            self._indexed[item] = _read_indexed(item, entry)
        return entry

    def _put(self, item: DueItem, entry: bytes) -> None:
        before = self._find_indexed(item)
        self._view.put(item.partition, item.key, entry)
        self._note(item, before, _read_indexed(item, entry))

    def _note(self, item: DueItem, before: _Indexed, after: _Indexed) -> None:
        self._index.note_change(item, before.due_at, after.due_at)
        self._index.note_waiting(item.partition, before.waiting, after.waiting)
        self._indexed[item] = after


def _read_indexed(item: DueItem, entry: bytes | None) -> _Indexed:
    return _ABSENT if entry is None else _Indexed(read_due(entry), list_waiting(item.key, entry))
