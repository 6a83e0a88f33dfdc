"""The parts of a sealed message, and their bytes: one Avro record of `schemas/sealed_message.avsc`.

A reader accepts only the canonical form of a record that this module writes, so that nothing can be altered unnoticed.
Avro allows several for the same content (an integer may be written longer than needed).
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final, NamedTuple

from sharing.seal.envelope import Envelope, decode_envelope
from sharing.seal.faults import SealError, SealFault
from sharing.seal.message_keys import TAG_BYTES
from sharing.serialization.avro_primitives import encode_long, read_bytes, read_natural
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX, get_codec
from sharing.sign.batch_tree import BLIND_BYTES, RecipientTree
from sharing.sign.merkle_tree import HASH_BYTES, hash_leaf
from sharing.trust.verification import ObjectSignature

SCHEMA_NAME: Final = "sealed_message"
_LEAF_DOMAIN: Final = b"sharing/sealed-message/v1\x00"
_ALGORITHM_BYTES_MAX: Final = 64


class SealedRecord(NamedTuple):
    """A sealed message as it was read. Nothing in it is verified.

    Attributes:
        envelope: The envelope.
        envelope_bytes: Its bytes.
        commitment: Commitment to the message's key.
        ciphertext: The padded content, encrypted.
        wrapped_key: The data key, sealed to the recipient.
        leaf_index: Position in the recipient's tree.
        leaf_count: Number of leaves of the recipient's tree.
        path: Inclusion path in the recipient's tree.
        batch: Bytes of what follows: the same in all messages of a batch to one recipient.
    """

    envelope: Envelope
    envelope_bytes: bytes
    commitment: bytes
    ciphertext: bytes
    wrapped_key: bytes
    leaf_index: int
    leaf_count: int
    path: bytes
    batch: bytes


class BatchPart(NamedTuple):
    """What the messages of a batch to one recipient have in common.

    Attributes:
        blind: The random bytes with which the root of the recipient's tree was hashed.
        recipient_index: Position of the recipient's tree in that of the batch.
        recipient_count: Number of leaves of the tree of the batch.
        path: Inclusion path of the recipient's tree.
        signed_at: When the batch was signed, in UTC milliseconds.
        algorithm: Algorithm of the signature.
        signature: The signature.
    """

    blind: bytes
    recipient_index: int
    recipient_count: int
    path: bytes
    signed_at: int
    algorithm: str
    signature: bytes


def compute_leaf(envelope: bytes, commitment: bytes, ciphertext: bytes, wrapped_digest: bytes) -> bytes:
    """Return the hash of the leaf that represents a message in its recipient's tree.

    Args:
        envelope: Bytes of the envelope.
        commitment: Commitment to the message's key.
        ciphertext: The encrypted content.
        wrapped_digest: SHA-256 of the sealed data key.
    """
    sha256 = hashlib.sha256
    return hash_leaf(
        b"".join(
            (_LEAF_DOMAIN, sha256(envelope).digest(), sha256(ciphertext).digest(), wrapped_digest, commitment)
        )
    )  # fmt: skip


def encode_batch_part(tree: RecipientTree, signed_at: int, signature: ObjectSignature) -> bytes:
    """Return the end of a record, which the messages of a batch to one recipient have in common."""
    algorithm = signature.algorithm.encode()
    return b"".join((
        tree.blind, encode_long(tree.index), encode_long(tree.count), encode_long(len(tree.path)), tree.path,
        encode_long(signed_at), encode_long(len(algorithm)), algorithm,
        encode_long(len(signature.value)), signature.value,
    ))  # fmt: skip


def decode_record(value: bytes) -> SealedRecord:
    """Return the parts of a record.

    Args:
        value: The record in Avro single-object encoding.

    Raises:
        SealError: It is too long, or not a sealed message.
    """
    if len(value) > OUTPUT_RECORD_BYTES_MAX:
        raise SealError(
            SealFault.OVERSIZED, f"the record has {len(value):,} bytes, more than {OUTPUT_RECORD_BYTES_MAX:,}"
        )
    header = get_header()
    if value[: len(header)] != header:
        raise SealError(
            SealFault.UNSEALED, "the record is not a sealed message: unsealed records from other States are refused"
        )
    envelope, end = decode_envelope(value, len(header))
    envelope_bytes = value[len(header) : end]
    position = end + HASH_BYTES
    commitment = value[end:position]
    try:
        ciphertext, position = read_bytes(value, position)
        wrapped_key, position = read_bytes(value, position)
        leaf_index, position = read_natural(value, position)
        leaf_count, position = read_natural(value, position)
        path, position = read_bytes(value, position)
    except (IndexError, ValueError):
        raise _make_error() from None
    if len(ciphertext) < TAG_BYTES:
        raise _make_error()
    return SealedRecord(
        envelope, envelope_bytes, commitment, ciphertext, wrapped_key, leaf_index, leaf_count, path, value[position:]
    )


def decode_batch_part(data: bytes) -> BatchPart:
    """Return what the messages of a batch to one recipient have in common.

    Raises:
        SealError: The bytes are something else, or something follows.
    """
    try:
        blind, position = data[:BLIND_BYTES], BLIND_BYTES
        index, position = read_natural(data, position)
        count, position = read_natural(data, position)
        path, position = read_bytes(data, position)
        signed_at, position = read_natural(data, position)
        algorithm, position = read_bytes(data, position)
        signature, position = read_bytes(data, position)
        if position != len(data) or len(algorithm) > _ALGORITHM_BYTES_MAX:
            raise ValueError
        return BatchPart(blind, index, count, path, signed_at, algorithm.decode("ascii"), signature)
    except (IndexError, ValueError):
        raise _make_error() from None


@cache
def get_header() -> bytes:
    """Return the single-object header of a sealed message."""
    return get_codec(SCHEMA_NAME).header


def _make_error() -> SealError:
    return SealError(SealFault.MALFORMED, "the record is not a complete sealed message; it was cut or altered")
