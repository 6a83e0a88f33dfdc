"""Proving one message to a court, without opening any other.

The recipient hands over the record as it arrived, the key of this one message, and the sender's root and key
statement. With them anybody can check offline that the sender's gate signed this message, and that this is its content:
the signature covers the commitment to the key. The data key, from which all message keys of an epoch derive, stays
secret, and cannot be computed from a message key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pydantic import SecretBytes

from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import OpeningKey
from sharing.seal.opening import MessageOpener, VerifiedMessage, open_with_key
from sharing.seal.sealed_record import BatchPart, compute_leaf, decode_batch_part, decode_record
from sharing.sign.batch_statement import encode_batch_statement
from sharing.sign.batch_tree import compute_batch_root, compute_recipient_root, hash_recipient
from sharing.trust.key_statement import TrustedKeys


def export_message_key(
    opener: MessageOpener, verified: VerifiedMessage, opening_keys: Mapping[str, OpeningKey]
) -> SecretBytes:
    """Return the key of one message, which opens this message and no other.

    Args:
        opener: The recipient's opener.
        verified: The message.
        opening_keys: The recipient's seal keys, by id.

    Raises:
        SealError: The message does not open.
    """
    message_key = opener.open_message_key(verified, opening_keys)
    open_with_key(verified, message_key)
    return SecretBytes(message_key)


def check_disclosed_message(
    value: bytes, message_key: SecretBytes, trusted: Mapping[str, TrustedKeys], now: int
) -> tuple[VerifiedMessage, bytes]:
    """Return a message and its content, if its sender has signed them.

    Args:
        value: The record as it arrived.
        message_key: What `export_message_key` returned.
        trusted: The sender's online keys.
        now: The time to check for, in UTC milliseconds: today, or when the message arrived if the sender's keys have
            ended since.

    Raises:
        SealError: The sender has not signed it, or the key is not that of this message.
    """
    opener = MessageOpener(decode_record(value).envelope.to_state)
    verified = opener.verify(value, trusted, now)
    return verified, open_with_key(verified, message_key.get_secret_value())


def compute_batch_statement(value: bytes) -> tuple[bytes, BatchPart]:
    """Return what the sender's gate has signed for the batch of a message, and the part with the signature.

    The inclusion path of the message leads to its root. Only the existence of such a path is verified.

    Args:
        value: The record as it arrived.

    Raises:
        SealError: It is not a sealed message, or its path does not lead to a root.
    """
    record = decode_record(value)
    wrapped_digest = hashlib.sha256(record.wrapped_key).digest()
    leaf = compute_leaf(record.envelope_bytes, record.commitment, record.ciphertext, wrapped_digest)
    own_root = compute_recipient_root(leaf, record.leaf_index, record.leaf_count, record.path)
    part = decode_batch_part(record.batch)
    root = None
    if own_root is not None:
        recipient = hash_recipient(own_root, record.leaf_count, part.blind)
        root = compute_batch_root(recipient, part.recipient_index, part.recipient_count, part.path)
    if root is None:
        raise SealError(
            SealFault.BAD_SIGNATURE, "the inclusion path of the message does not lead to a root; it was altered"
        )
    try:
        return encode_batch_statement(root, part.signed_at), part
    except ValueError:
        raise SealError(SealFault.MALFORMED, "the message's signing time is not in the years 2000 to 2099") from None
