"""The key of one message, the encryption under it, and the commitment to it.

The key of a message is HKDF-Expand (RFC 5869, section 2.3) of the data key, with the message's 16 random bytes as
context: one block, which is one HMAC-SHA256. Two messages share a data key and never a message key, so each message key
encrypts once, and the nonce of AES-256-GCM may be constant: a nonce must never repeat *under one key*.

AES-GCM does not bind a ciphertext to one key: a sender could make one ciphertext that opens to two contents under two
keys, and show one key to the recipient and another to a court. So the hash of the message key, the *commitment*, is
part of what is signed. It tells nothing about the key, which has 256 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
TAG_BYTES: Final = 16

_KEY_DOMAIN: Final = b"sharing/message-key/v1\x00"
_COMMITMENT_DOMAIN: Final = b"sharing/commitment/v1\x00"
_NONCE: Final = bytes(12)
_BLOCK: Final = b"\x01"


def derive_message_key(data_key: bytes, salt: bytes) -> bytes:
    """Return the key of a message.

    Args:
        data_key: 32 random bytes.
        salt: The message's 16 random bytes.
    """
    return hmac.digest(data_key, _KEY_DOMAIN + salt + _BLOCK, "sha256")


def compute_commitment(message_key: bytes) -> bytes:
    """Return the commitment to the key of a message."""
    return hashlib.sha256(_COMMITMENT_DOMAIN + message_key).digest()


def encrypt_once(message_key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Return a text, encrypted under a key that encrypts nothing else.

    Args:
        message_key: What `derive_message_key` returned.
        plaintext: The text.
        associated: What is authenticated with it.
    """
    return AESGCM(message_key).encrypt(_NONCE, plaintext, associated)


def decrypt(message_key: bytes, ciphertext: bytes, associated: bytes) -> bytes | None:
    """Return the text of `encrypt_once`, or None if the key is another, or if anything was altered."""
    try:
        return AESGCM(message_key).decrypt(_NONCE, ciphertext, associated)
    except (InvalidTag, ValueError):
        return None
