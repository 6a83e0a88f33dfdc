"""Blocks of an audit log: one record for everything that a batch has decided or done about the items of one partition.

A block is written as a whole. One record instead of thousands saves most of what Python and Kafka need for each output,
and the chain, the tree and the checkpoints are about blocks. Each entry can still be proved by itself: its path leads
to the root in the head of its block, and the path of the block to the root of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from sharing.audit.log_head import LogHead
from sharing.errors import DecodeError
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_bytes, encode_long, read_string
from sharing.serialization.codec import HEADER_LENGTH, Codec, get_codec, get_split_codecs
from sharing.sign.content_commitment import COMMITMENT_BYTES, NONCE_BYTES
from sharing.sign.merkle_tree import HASH_BYTES, compute_root, hash_leaf, hash_leaves, hash_prefixed_leaves

SCHEMA: Final = "audit_block"

BLOCK_BYTES_MAX: Final = 400_000
"""The size limit of a block with several entries: larger records gain nothing and make readers wait."""

_HEAD_CODEC: Final[Codec] = get_split_codecs(SCHEMA, "entries")[0]
_HEAD_BYTES_MAX: Final = 4_096
_END_OF_ARRAY: Final = encode_long(0)
_TAIL_FIELDS: Final = frozenset({"entries", "commitments"})


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
        previous: Leaf hash of the previous block.
        message_roots: The signed roots of the messages that were written together with it.
        root: Root of the tree over its entries.
        entries: Decisions or acts, each in single-object encoding.
        head: The head: all fields before the entries, as they were written, no matter which release wrote them.
        salt_nonce: Random bytes from which the salts of the commitments are derived; empty if there are none.
        commitments: For each entry 32 bytes that commit to the content that it is about; empty if there are none.
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
    salt_nonce: bytes = b""
    commitments: bytes = b""

    @property
    def leaf(self) -> bytes:
        """Its leaf hash in the tree of the log."""
        return hash_leaf(self.head)

    def get_commitment(self, index: int) -> bytes:
        """Return the commitment of an entry; empty if there are none."""
        return self.commitments[index * COMMITMENT_BYTES : (index + 1) * COMMITMENT_BYTES]

    def hash_entries(self) -> list[bytes]:
        """Return the leaf hashes of its entries, from which the root in its head is computed."""
        if not self.commitments:
            return hash_leaves(self.entries)
        return hash_prefixed_leaves(map(self.get_commitment, range(len(self.entries))), self.entries)

    def encode_unframed(self) -> bytes:
        """Return the record without a header."""
        return self.head + _encode_tail(self.entries, self.commitments)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """The log that a batch adds to.

    Attributes:
        state: Code of the State.
        log: The log.
        partition: The partition.
    """

    state: str
    log: AuditLogName
    partition: int


Commit = Callable[[LogPlace, int, int], tuple[bytes, Sequence[bytes]]]
"""Commits to the contents of the entries from one position up to another, which form a block of a log.

Returns the random bytes of the salts, and the commitment of each entry.
"""


def add_blocks(
    head: LogHead,
    place: LogPlace,
    entries: Sequence[bytes],
    message_roots: Sequence[bytes],
    written_at: int,
    *,
    commit: Commit | None = None,
    bytes_max: int = BLOCK_BYTES_MAX,
) -> Iterator[tuple[AuditBlock, LogHead]]:
    """Yield the blocks that contain the entries, each with the head of the log after it.

    Args:
        head: The head of the log before them.
        place: The log.
        entries: The entries, in order.
        message_roots: The signed roots of the messages that are written together with them.
        written_at: Instant of the batch, in UTC milliseconds.
        commit: Commits to the contents of the entries; None to make no commitments.
        bytes_max: The size limit of a block with several entries.
    """
    roots = tuple(message_roots)
    added = 0 if commit is None else COMMITMENT_BYTES
    for start, stop in _split(entries, bytes_max - _HEAD_BYTES_MAX, added):
        part = entries[start:stop]
        nonce, commitments = (b"", ()) if commit is None else commit(place, start, stop)
        root = compute_root(hash_prefixed_leaves(commitments, part) if commitments else hash_leaves(part))
        block = AuditBlock(
            place.state, place.log, place.partition, head.blocks, head.entries, written_at, head.previous, roots, root,
            tuple(part), _encode_head(place, head, written_at, roots, len(part), root, nonce), nonce,
            b"".join(commitments),
        )  # fmt: skip
        head = head.add_block(block.leaf, len(part))
        yield block, head


def read_block(value: bytes | None) -> AuditBlock:
    """Return a block as it was written, in single-object encoding. Its root is not computed again.

    Raises:
        DecodeError: The value is not a block, or its number of entries differs from the one in its head.
    """
    fields = get_codec(SCHEMA).decode(value)
    entries = tuple(fields["entries"])
    if len(entries) != fields["count"] or not entries:
        raise DecodeError("a block of the audit log does not have as many entries as its head says", cause="MALFORMED")
    if any(len(each) != HASH_BYTES for each in (fields["previous"], fields["root"], *fields["message_roots"])):
        raise DecodeError("a block of the audit log has a hash of the wrong length", cause="MALFORMED")
    nonce, commitments = fields["salt_nonce"], fields["commitments"]
    expected = (NONCE_BYTES, COMMITMENT_BYTES * len(entries)) if nonce or commitments else (0, 0)
    if (len(nonce), len(commitments)) != expected:
        raise DecodeError("a block of the audit log does not have one commitment for each entry", cause="MALFORMED")
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
        nonce,
        commitments,
    )


def decode_entries(value: bytes | None) -> list[dict[str, Any]]:
    """Return the decisions or acts of a block in single-object encoding, decoded, in order.

    Raises:
        DecodeError: The value is not a block, or one of its entries cannot be decoded.
    """
    block = read_block(value)
    codec = get_codec(block.log.entry_schema)
    return [codec.decode(entry) for entry in block.entries]


def read_entry_id(entry: bytes, log: AuditLogName) -> str:
    """Return which item an entry is about, without decoding the rest of it; for a decision, the id of the indicator.

    Raises:
        DecodeError: It is not an entry of this log.
    """
    if log is AuditLogName.DECISIONS and entry.startswith(_DECISION_HEADER):
        return _read_id(entry, 0)
    if log is AuditLogName.ACTS and entry.startswith(_ACT_HEADER):
        return _read_id(entry, 1)
    fields: dict[str, Any] = get_codec(log.entry_schema).decode(entry)  # of another release
    return str(fields["indicator_id" if log is AuditLogName.DECISIONS else "item_id"])


_DECISION_HEADER: Final = get_codec("decision").header
_ACT_HEADER: Final = get_codec("act").header


def _read_id(entry: bytes, strings_before: int) -> str:
    position = HEADER_LENGTH
    try:
        for _ in range(strings_before):
            position = read_string(entry, position)[1]
        return read_string(entry, position)[0]
    except (IndexError, ValueError):
        raise DecodeError("an entry of the audit log has no item id", cause="MALFORMED") from None


def _encode_head(
    place: LogPlace, head: LogHead, written_at: int, roots: tuple[bytes, ...], count: int, root: bytes, nonce: bytes
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
            "salt_nonce": nonce,
        }
    )


def _find_head(unframed: bytes, fields: Mapping[str, Any], entries: Sequence[bytes]) -> bytes:
    """Return the head as it was written: the bytes before the entries, no matter which fields that release had.

    A block whose entries are not in the form that is written was altered, and verification reports it. Its head is
    still the one that its fields encode, so that what follows can be checked.
    """
    tail = _encode_tail(entries, fields["commitments"])
    if unframed.endswith(tail):
        return unframed[: len(unframed) - len(tail)]
    return _HEAD_CODEC.encode_unframed({name: value for name, value in fields.items() if name not in _TAIL_FIELDS})


def _encode_tail(entries: Sequence[bytes], commitments: bytes) -> bytes:
    lengths = map(encode_long, map(len, entries))
    return b"".join(
        (
            encode_long(len(entries)),
            *chain.from_iterable(zip(lengths, entries, strict=True)),
            _END_OF_ARRAY,
            encode_bytes(commitments),
        )
    )


def _split(entries: Sequence[bytes], bytes_max: int, added: int) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of consecutive entries that fit into a block together.

    An entry that is too large gets a block of its own.

    Args:
        entries: The entries.
        bytes_max: How many bytes fit.
        added: How many bytes a block has for each entry, in addition to the entry.
    """
    start, size = 0, 0
    added += 3  # its length takes up to three bytes
    for place, length in enumerate(map(len, entries)):
        size += length + added
        if size > bytes_max and place > start:
            yield start, place
            start, size = place, length + added
    if len(entries) > start:
        yield start, len(entries)
