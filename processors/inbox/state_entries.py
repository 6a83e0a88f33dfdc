"""The entries of the inbox's state store, as they are on its changelog topic: `schemas/inbox_state.avsc`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sharing.seal.sequences import StreamId, StreamPosition
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.sign.merkle_tree import HASH_BYTES

ID_PREFIX: Final = b"id/"
STREAM_PREFIX: Final = b"stream/"

_SCHEMA: Final = "inbox_state"
_INSTANT_BYTES: Final = 8
_INSTANT_START: Final = HEADER_LENGTH + 1
"""The instant follows the header and the Avro length prefix of its eight bytes, which is one byte."""


@dataclass(frozen=True, slots=True)
class ReceivedStream:
    """One stream of a sending State.

    Attributes:
        position: How far it has arrived.
        counted_at: Time of the last count statement, in UTC milliseconds; before the first one, when the stream became
            known.
    """

    position: StreamPosition
    counted_at: int


class OpenedBefore(NamedTuple):
    """A message that was opened.

    Attributes:
        commitment: Its commitment.
        signer: Id of the State's own gate key under which it was sealed for the readers.
    """

    commitment: bytes
    signer: str


def make_message_key(message_id: str) -> bytes:
    """Return the key of a message's entry. The id is a UUID."""
    return ID_PREFIX + bytes.fromhex(message_id.replace("-", ""))


def make_stream_key(stream: StreamId) -> bytes:
    """Return the key of a stream's entry. The partition is that of the entry itself."""
    return make_stream_prefix(stream.from_state) + f"{stream.loop}/{stream.topic}".encode()


def make_stream_prefix(from_state: str) -> bytes:
    """Return the prefix of the keys of all streams of a State."""
    return STREAM_PREFIX + f"{from_state}/".encode()


def read_stream_key(key: bytes, partition: int) -> StreamId:
    """Return the stream of an entry."""
    from_state, loop, topic = key.removeprefix(STREAM_PREFIX).decode().split("/")
    return StreamId(from_state, loop, partition, topic)


def read_changed_at(entry: bytes) -> int:
    """Return when an entry was written, in UTC milliseconds."""
    return int.from_bytes(entry[_INSTANT_START : _INSTANT_START + _INSTANT_BYTES], "big")


def encode_message(message: OpenedBefore, now_ms: int) -> bytes:
    """Return the entry of a message that was opened."""
    return _encode(now_ms, "message", message.commitment + bytes.fromhex(message.signer))


def encode_stream(stream: ReceivedStream, now_ms: int) -> bytes:
    """Return the entry of a stream."""
    position = stream.position
    fields = {"began_at": position.began_at, "last": position.last, "counted_at": stream.counted_at}
    return _encode(now_ms, "stream", fields)


def decode_message(entry: bytes) -> OpenedBefore:
    """Return what is known about a message that was opened."""
    message: bytes = get_codec(_SCHEMA).decode(entry)["message"]
    return OpenedBefore(message[:HASH_BYTES], message[HASH_BYTES:].hex())


def decode_stream(entry: bytes) -> ReceivedStream:
    """Return a stream."""
    fields = get_codec(_SCHEMA).decode(entry)["stream"]
    return ReceivedStream(StreamPosition(fields["began_at"], fields["last"]), fields["counted_at"])


def _encode(now_ms: int, field: str, value: Any) -> bytes:
    empty = {"message": None, "stream": None}
    return get_codec(_SCHEMA).encode({"changed_at": now_ms.to_bytes(_INSTANT_BYTES, "big"), **empty, field: value})
