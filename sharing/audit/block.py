"""Blocks of an audit log: one record for all that a batch has decided, or done, about the items of one partition.

A block is written as a whole. One record instead of thousands saves most of what Python and Kafka need for each output,
and the chain, the tree and the checkpoints are about blocks. Each entry can still be proved by itself: its path leads
to the root in the head of its block, and the path of the block to the root of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from sharing.audit.log_head import LogHead
from sharing.errors import DecodeError
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import HEADER_LENGTH, Codec, get_codec, get_split_codecs
from sharing.sign.merkle_tree import HASH_BYTES, compute_root, hash_leaf

SCHEMA: Final = "audit_block"

BLOCK_BYTES_MAX: Final = 400_000
"""A block with several entries is not longer: larger records gain nothing and make readers wait."""

_HEAD_CODEC: Final[Codec] = get_split_codecs(SCHEMA, "entries")[0]
_HEAD_BYTES_MAX: Final = 4_096
_END_OF_ARRAY: Final = encode_long(0)


@dataclass(frozen=True, slots=True)
class AuditBlock:
    """A block.

    Attributes:
        state: Code of the State whose log it is.
        log: The log.
        partition: The partition.
        number: How many blocks the log of the partition has before it.
        first: How many entries the log of the partition has before it.
        written_at: Instant of the batch, in UTC milliseconds.
        previous: Leaf hash of the block before.
        message_roots: The signed roots of the messages that were written together with it.
        root: Root of the tree over its entries.
        entries: Decisions or acts, each in single-object encoding.
        head: The head: all fields before the entries, as they were written, whatever the release that wrote them.
    """

    state: str
    log: AuditLogName
    partition: int
    number: int
    first: int
    written_at: int
    previous: bytes
    message_roots: tuple[bytes, ...]
    root: bytes
    entries: tuple[bytes, ...]
    head: bytes

    @property
    def leaf(self) -> bytes:
        """Its leaf hash in the tree of the log."""
        return hash_leaf(self.head)

    def encode_unframed(self) -> bytes:
        """Return the record without a header."""
        return self.head + _encode_entries(self.entries)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Which log a batch adds to.

    Attributes:
        state: Code of the State.
        log: The log.
        partition: The partition.
    """

    state: str
    log: AuditLogName
    partition: int


def add_blocks(
    head: LogHead,
    place: LogPlace,
    entries: Sequence[bytes],
    message_roots: Sequence[bytes],
    written_at: int,
    *,
    bytes_max: int = BLOCK_BYTES_MAX,
) -> Iterator[tuple[AuditBlock, LogHead]]:
    """Yield the blocks that hold some entries, each with the head of the log behind it.

    Args:
        head: The head of the log before them.
        place: The log.
        entries: The entries, in order.
        message_roots: The signed roots of the messages that are written together with them.
        written_at: Instant of the batch, in UTC milliseconds.
        bytes_max: A block with several entries is not longer.
    """
    roots = tuple(message_roots)
    for part in _split(entries, bytes_max - _HEAD_BYTES_MAX):
        root = compute_root(list(map(hash_leaf, part)))
        block = AuditBlock(
            place.state, place.log, place.partition, head.blocks, head.entries, written_at, head.previous, roots, root,
            tuple(part), _encode_head(place, head, written_at, roots, len(part), root),
        )  # fmt: skip
        head = head.add_block(block.leaf, len(part))
        yield block, head


def read_block(value: bytes | None) -> AuditBlock:
    """Return a block as it was written, in single-object encoding. Its root is not computed again.

    Raises:
        DecodeError: The value is no block, or its number of entries is not the one that its head names.
    """
    fields = get_codec(SCHEMA).decode(value)
    entries = tuple(fields["entries"])
    if len(entries) != fields["count"] or not entries:
        raise DecodeError("a block of the audit log does not have as many entries as its head says", cause="MALFORMED")
    if any(len(each) != HASH_BYTES for each in (fields["previous"], fields["root"], *fields["message_roots"])):
        raise DecodeError("a block of the audit log names a hash that is none", cause="MALFORMED")
    return AuditBlock(
        fields["state"],
        AuditLogName(fields["log"]),
        fields["partition"],
        fields["number"],
        fields["first"],
        to_milliseconds(fields["written_at"]),
        fields["previous"],
        tuple(fields["message_roots"]),
        fields["root"],
        entries,
        _find_head((value or b"")[HEADER_LENGTH:], fields, entries),
    )


def decode_entries(value: bytes | None) -> list[dict[str, Any]]:
    """Return the decisions or acts of a block in single-object encoding, decoded, in order.

    Raises:
        DecodeError: The value is no block, or one of its entries cannot be decoded.
    """
    block = read_block(value)
    codec = get_codec(block.log.entry_schema)
    return [codec.decode(entry) for entry in block.entries]


def read_entry_id(entry: bytes, log: AuditLogName) -> str:
    """Return which item an entry is about, without decoding the rest of it: of a decision, the id of the indicator.

    Raises:
        DecodeError: It is no such entry.
    """
    if log is AuditLogName.DECISIONS and entry.startswith(_DECISION_HEADER):
        return _read_string(entry, HEADER_LENGTH)[0]
    if log is AuditLogName.ACTS and entry.startswith(_ACT_HEADER):
        return _read_string(entry, _read_string(entry, HEADER_LENGTH)[1])[0]
    fields: dict[str, Any] = get_codec(log.entry_schema).decode(entry)  # of another release
    return str(fields["indicator_id" if log is AuditLogName.DECISIONS else "item_id"])


_DECISION_HEADER: Final = get_codec("decision").header
_ACT_HEADER: Final = get_codec("act").header


def _read_string(data: bytes, start: int) -> tuple[str, int]:
    """Return the Avro string at a position, and the position behind it.

    Raises:
        DecodeError: There is none.
    """
    length, shift, position = 0, 0, start
    while True:
        if position >= len(data) or shift > 21:  # noqa: PLR2004 no text here has more bytes
            raise DecodeError("an entry of the audit log is cut off", cause="MALFORMED")
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    end = position + (length >> 1)
    if length & 1 or end > len(data):
        raise DecodeError("an entry of the audit log is cut off", cause="MALFORMED")
    try:
        return data[position:end].decode(), end
    except UnicodeDecodeError:
        raise DecodeError("an entry of the audit log has an id that is no text", cause="MALFORMED") from None


def _encode_head(
    place: LogPlace, head: LogHead, written_at: int, roots: tuple[bytes, ...], count: int, root: bytes
) -> bytes:
    return _HEAD_CODEC.encode_unframed(
        {
            "state": place.state,
            "log": place.log,
            "partition": place.partition,
            "number": head.blocks,
            "first": head.entries,
            "written_at": written_at,
            "previous": head.previous,
            "message_roots": list(roots),
            "count": count,
            "root": root,
        }
    )


def _find_head(unframed: bytes, fields: Mapping[str, Any], entries: Sequence[bytes]) -> bytes:
    """Return the head as it was written: the bytes before the entries, whatever the fields of that release were.

    A block whose entries are in another form than the one that is written is altered, and verification says so. Its
    head is still the one that its fields make, so that what follows can be checked.
    """
    tail = _encode_entries(entries)
    if unframed.endswith(tail):
        return unframed[: len(unframed) - len(tail)]
    return _HEAD_CODEC.encode_unframed({name: value for name, value in fields.items() if name != "entries"})


def _encode_entries(entries: Sequence[bytes]) -> bytes:
    lengths = map(encode_long, map(len, entries))
    return b"".join(
        (encode_long(len(entries)), *chain.from_iterable(zip(lengths, entries, strict=True)), _END_OF_ARRAY)
    )


def _split(entries: Sequence[bytes], bytes_max: int) -> Iterable[Sequence[bytes]]:
    """Yield consecutive entries that fit into a block together; one that does not fit is by itself."""
    start, size = 0, 0
    for place, length in enumerate(map(len, entries)):
        size += length + 3  # its length takes up to three bytes
        if size > bytes_max and place > start:
            yield entries[start:place]
            start, size = place, length + 3
    if len(entries) > start:
        yield entries[start:]
