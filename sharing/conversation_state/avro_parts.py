"""The parts of which an entry is assembled in Avro's binary encoding, written by hand.

Entries are written once for each draft of the gate, and the general encoder of records takes longer than everything
else that is done about an item that was simply disclosed. What is written here is compared with that encoder by a test
(`tests/conversation_state/kept_states.py`): byte for byte the same, for every state that the state machines reach.

Source: Avro 1.12.0 specification, "Binary Encoding", "Complex Types".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from sharing.conversation.asks import Publisher
from sharing.conversation.revision import Revision
from sharing.conversation_state.item_keys import pack_uuid
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string

TRUE: Final = b"\x01"
FALSE: Final = b"\x00"
NULL: Final = b"\x00"
"""The first branch of a union, which has no value."""

FIRST, SECOND = b"\x00", b"\x02"
"""Which branch of a union follows."""

NOTHING: Final = b"\x00"
"""An array without elements, and the end of every other."""


def write_array(elements: Sequence[bytes]) -> bytes:
    """Return an array of elements that are already encoded."""
    return b"".join((encode_long(len(elements)), *elements, NOTHING)) if elements else NOTHING


def write_texts(texts: Iterable[str]) -> bytes:
    """Return an array of texts in alphabetical order: a set has no order of its own."""
    return write_array([encode_string(text) for text in sorted(texts)])


def write_boolean(value: bool) -> bytes:  # noqa: FBT001 the value itself
    """Return a boolean."""
    return TRUE if value else FALSE


def write_optional_text(text: str | None) -> bytes:
    """Return a text, or null."""
    return NULL if text is None else SECOND + encode_string(text)


def write_optional_long(number: int | None) -> bytes:
    """Return an integer, or null."""
    return NULL if number is None else SECOND + encode_long(number)


def write_id(text: str) -> bytes:
    """Return an id: ids made here are UUIDs; one that another State has chosen may be any text."""
    packed = pack_uuid(text)
    return SECOND + encode_string(text) if packed is None else FIRST + encode_bytes(packed)


def write_revision(revision: Revision) -> bytes:
    """Return a revision."""
    return encode_long(revision.version) + encode_long(revision.amendment)


@lru_cache(maxsize=1024)
def write_publisher(publisher: Publisher) -> bytes:
    """Return a publisher."""
    return encode_string(publisher.agency) + write_optional_text(publisher.officer)
