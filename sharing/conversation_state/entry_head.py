"""The beginning of an entry of the state store: what is read of it without decoding the rest.

It has the next instant at which time alone changes something, the number of open Asks, and the number of early replies.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from sharing.conversation_state.entry_fields import SCHEMA
from sharing.errors import DecodeError
from sharing.serialization.codec import HEADER_LENGTH, SINGLE_OBJECT_MARKER, get_codec

INSTANT_BYTES: Final = 8
NEVER: Final = bytes(INSTANT_BYTES)
"""Used instead of the instant at which time alone changes something, if it never does."""

INSTANT_END: Final = HEADER_LENGTH + INSTANT_BYTES
"""Where the instant ends in an entry. It begins after the header."""

COUNT_BYTES: Final = 2
OPEN_END: Final = INSTANT_END + COUNT_BYTES
"""Where the number of open Asks ends in an entry. It begins after the instant."""

COUNTS_END: Final = OPEN_END + COUNT_BYTES
"""Where the number of early replies ends in an entry. It begins after the number of open Asks."""

NONE_WAITING: Final = bytes(2 * COUNT_BYTES)
"""Used instead of both numbers if nothing is waiting."""

_DUE_MAX: Final = 2 ** (8 * INSTANT_BYTES) - 1
_COUNT_MAX: Final = 2 ** (8 * COUNT_BYTES) - 1


@cache
def list_headers() -> frozenset[bytes]:
    """Return how an entry may begin: with the header of each version of the schema that this release knows."""
    return frozenset(SINGLE_OBJECT_MARKER + fingerprint for fingerprint in get_codec(SCHEMA).writer_schemas)


def read_due(entry: bytes) -> bytes:
    """Return when something is due, as the eight bytes in the entry, without decoding the rest: ordered like instants.

    Raises:
        DecodeError: It is not an entry of a conversation, or has a schema that this release does not know.
    """
    codec = get_codec(SCHEMA)
    if len(entry) < COUNTS_END or entry[:HEADER_LENGTH] not in list_headers():
        codec.decode(entry)  # raises with the cause
        raise DecodeError("an entry of the conversations is too short; restore the topic", cause="MALFORMED")
    return entry[HEADER_LENGTH:INSTANT_END]


def count_open_asks(entry: bytes) -> int:
    """Return how many Asks of an entry are open, without decoding the rest.

    Raises:
        DecodeError: It is not an entry of a conversation, or has a schema that this release does not know.
    """
    read_due(entry)
    return int.from_bytes(entry[INSTANT_END:OPEN_END], "big")


def count_early(entry: bytes) -> int:
    """Return how many early replies an entry has, or withdrawals that came before their offers, without decoding it.

    Raises:
        DecodeError: It is not an entry of a conversation, or has a schema that this release does not know.
    """
    read_due(entry)
    return int.from_bytes(entry[OPEN_END:COUNTS_END], "big")


def encode_instant(instant: int | None) -> bytes:
    """Return an instant in UTC milliseconds as eight bytes; None means never. Anything before 1970 is due."""
    return NEVER if instant is None else min(max(instant, 1), _DUE_MAX).to_bytes(INSTANT_BYTES, "big")


def encode_head(due_at: int | None, open_asks: int, early_replies: int) -> bytes:
    """Return the beginning of an entry: what is read of it without decoding."""
    counts = (min(count, _COUNT_MAX).to_bytes(COUNT_BYTES, "big") for count in (open_asks, early_replies))
    return b"".join((get_codec(SCHEMA).header, encode_instant(due_at), *counts))
