"""The keys of the entries: the direction, the providing State (for items of other States), and the item's id."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from sharing.errors import DecodeError, InputError
from sharing.model.indicator_record import UUID_PATTERN

OUT_PREFIX: Final = b"out/"
IN_PREFIX: Final = b"in/"
ITEM_PREFIXES: Final = (OUT_PREFIX, IN_PREFIX)
LOG_PREFIX: Final = b"log/"
"""Prefix of the entries that the loop itself keeps in the same store: how far each input partition was processed."""

ESCALATION_PREFIX: Final = b"told/"
"""Prefix of the entries of what people must still be notified of by an escalation message: `escalations.py`."""

COVERS_PREFIX: Final = b"covers/"
"""Key prefix of the entry of the answers that cover later Asks, one in each partition: `covers.py`."""

LOOP_PREFIXES: Final = (LOG_PREFIX, ESCALATION_PREFIX, COVERS_PREFIX, b"id/", b"stream/", b"sent/", b"audit/")
LOOP_KEYS: Final = frozenset({b"sent", b"counted"})
"""Keys and prefixes of all entries that do not belong to a conversation. `id/` and `stream/`: which messages have
arrived; `sent` and `counted`: the numbers of the sent messages."""

UUID_BYTES: Final = 16
_UUID: Final = re.compile(UUID_PATTERN)


class ItemKey(NamedTuple):
    """What an entry is about.

    Attributes:
        item: Id of the item.
        from_state: The providing State of an item that was received; None for the State's own items.
    """

    item: str
    from_state: str | None


@lru_cache(maxsize=4096)  # an item is looked up, advanced and kept under its id
def pack_uuid(text: str) -> bytes | None:
    """Return the 16 bytes of a UUID (RFC 9562); None if the text is not one in its usual form, in lower case."""
    return bytes.fromhex(text.replace("-", "")) if _UUID.fullmatch(text) else None


def unpack_uuid(packed: bytes) -> str:
    """Return the usual form of a UUID."""
    text = packed.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def make_own_key(item: str) -> bytes:
    """Return the key of the entry of an item of the State's own.

    Raises:
        InputError: The item's id is not a UUID.
    """
    return OUT_PREFIX + _pack_item(item)


def make_received_key(from_state: str, item: str) -> bytes:
    """Return the key of the entry of an item of another State. Two States may use one id.

    Raises:
        InputError: The item's id is not a UUID.
    """
    return b"%b%b/%b" % (IN_PREFIX, from_state.encode(), _pack_item(item))


def is_log_key(key: bytes) -> bool:
    """Return whether an entry does not belong to a conversation: the loop keeps it for itself."""
    return key.startswith(LOOP_PREFIXES) or key in LOOP_KEYS


def read_item_key(key: bytes) -> ItemKey:
    """Return what an entry is about.

    Raises:
        DecodeError: This release does not know such a key.
    """
    if key.startswith(OUT_PREFIX) and len(key) == len(OUT_PREFIX) + UUID_BYTES:
        return ItemKey(unpack_uuid(key[len(OUT_PREFIX) :]), None)
    named, slash, packed = key[len(IN_PREFIX) : -UUID_BYTES - 1], key[-UUID_BYTES - 1 : -UUID_BYTES], key[-UUID_BYTES:]
    if key.startswith(IN_PREFIX) and named and slash == b"/":
        return ItemKey(unpack_uuid(packed), named.decode(errors="replace"))
    raise DecodeError(
        "an entry of the conversations has a key of a kind that this release does not know; update this program to "
        "the release of the worker that wrote it",
        cause="UNKNOWN_KIND",
    )


def _pack_item(item: str) -> bytes:
    packed = pack_uuid(item)
    if packed is None:
        raise InputError("the item id is not a UUID in lower case; refuse the record that has it", field="item")
    return packed
