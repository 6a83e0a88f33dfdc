"""The order of the entries by when something is due, and how much of each State waits in them.

An element is an instant of eight bytes and a key: elements are ordered like their instants. A state store that keeps
its entries on disk keeps this order with them: `processors.exactly_once.entry_order`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sharing.conversation_state.entries import list_waiting
from sharing.conversation_state.entry_head import (
    COUNT_BYTES,
    COUNTS_END,
    INSTANT_END,
    NEVER,
    NONE_WAITING,
    list_headers,
    read_due,
)
from sharing.conversation_state.item_keys import IN_PREFIX, ITEM_PREFIXES, UUID_BYTES, is_log_key, read_item_key
from sharing.serialization.codec import HEADER_LENGTH

_NO_REPLIES: Final = bytes(COUNT_BYTES)


class DueEntry(NamedTuple):
    """What is derived from one entry.

    Attributes:
        element: When something is due, and the key; None if nothing will be.
        counts: How many open Asks and early replies of each State there are.
    """

    element: bytes | None
    counts: Mapping[str, int]


class DueOrder:
    """Derives when something is due, and what waits."""

    name: str = "due/1"

    def concerns(self, key: bytes) -> bool:
        """Return whether an entry belongs to an item."""
        return key.startswith(ITEM_PREFIXES)

    def derive(self, key: bytes, value: bytes) -> DueEntry:
        """Return when something is due in the entry of an item, and what waits in it.

        Raises:
            DecodeError: It is malformed, or of a kind that this release does not know.
        """
        due_at = read_due(value)
        return DueEntry(None if due_at == NEVER else due_at + key, list_waiting(key, value))

    def derive_all(self, entries: Iterable[tuple[bytes, bytes]], counts: Counter[str]) -> list[bytes]:
        """Return the elements of entries, and count what waits in them.

        Raises:
            DecodeError: An entry is malformed, or of a kind that this release does not know.
        """
        return list_elements(entries, counts)


def list_elements(entries: Iterable[tuple[bytes, bytes]], waiting: Counter[str]) -> list[bytes]:
    """Return the instants and keys of the entries in which something will be due, and count what waits in them.

    Args:
        entries: Keys and values of a partition.
        waiting: Receives how many open Asks and early replies of each State there are.

    Raises:
        DecodeError: An entry is malformed, or of a kind that this release does not know.
    """
    elements = []
    headers, named = list_headers(), Counter[bytes]()
    for key, entry in entries:  # may be a million, so the usual case calls nothing
        if key.startswith(ITEM_PREFIXES):
            due_at = entry[HEADER_LENGTH:INSTANT_END]
            counts = entry[INSTANT_END:COUNTS_END]
            if entry[:HEADER_LENGTH] not in headers or len(counts) < len(NONE_WAITING):
                read_due(entry)  # raises with the cause
            if due_at != NEVER:
                elements.append(due_at + key)
            if counts != NONE_WAITING:
                if key.startswith(IN_PREFIX):
                    early = 0 if counts[COUNT_BYTES:] == _NO_REPLIES else int.from_bytes(counts[COUNT_BYTES:], "big")
                    named[key[: -UUID_BYTES - 1]] += int.from_bytes(counts[:COUNT_BYTES], "big") + early
                elif counts[COUNT_BYTES:] != _NO_REPLIES:
                    waiting.update(list_waiting(key, entry))
        elif not is_log_key(key):
            read_item_key(key)  # raises with the cause
    waiting.update({prefix[len(IN_PREFIX) :].decode(errors="replace"): count for prefix, count in named.items()})
    return elements
