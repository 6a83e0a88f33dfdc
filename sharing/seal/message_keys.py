"""The key of one message, the encryption under it, and the commitment to it.

The key of a message is HKDF-Expand (RFC 5869, section 2.3) of the data key, with the message's 16 random bytes as
context: one block, which is one HMAC-SHA256. Two messages share a data key and never a message key, so each message key
encrypts only once, and the nonce of AES-256-GCM may be constant: a nonce must never repeat *under one key*.

AES-GCM does not bind a ciphertext to one key: a sender could make one ciphertext that opens to two contents under two
keys, and show one key to the recipient and another to a court. So the hash of the message key, the *commitment*, is
part of what is signed. It tells nothing about the key, which has 256 random bits.
"""

from __future__ import annotations

import hashlib
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
TAG_BYTES: Final = 16

_KEY_DOMAIN: Final = b"sharing/message-key/v1\x00"
_COMMITMENT_DOMAIN: Final = b"sharing/commitment/v1\x00"
_NONCE: Final = bytes(12)
_BLOCK: Final = b"\x01"

_HMAC_BLOCK_BYTES: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


@final
class MessageKeyDeriver:
    """Derives the keys of the messages under one data key. Its `repr` shows no secret, and it cannot be pickled.

    A key is an HMAC-SHA-256 under the data key. As section 4 of RFC 2104 suggests, the two hash states that depend on
    the data key alone are kept: the library would compute them again for each message, which takes twice as long as
    everything else.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, data_key: bytes) -> None:
        """Keep a data key.

        Args:
            data_key: 32 random bytes.

        Raises:
            ValueError: It is longer than a block of SHA-256.
        """
        if len(data_key) > _HMAC_BLOCK_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes")
        block = data_key.ljust(_HMAC_BLOCK_BYTES, b"\x00")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD) + _KEY_DOMAIN)
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def derive(self, salt: bytes) -> bytes:
        """Return the key of a message.

        Args:
            salt: The message's 16 random bytes.
        """
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(salt + _BLOCK)
        outer.update(inner.digest())
        return outer.digest()

    def __repr__(self) -> str:
        return "MessageKeyDeriver()"

    def __reduce__(self) -> str:
        raise TypeError("a data key is never copied or stored by pickle")


def derive_message_key(data_key: bytes, salt: bytes) -> bytes:
    """Return the key of a single message.

    Args:
        data_key: 32 random bytes.
        salt: The message's 16 random bytes.
    """
    return MessageKeyDeriver(data_key).derive(salt)


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
    """Return the text of `encrypt_once`, or None if the key is wrong or anything was altered."""
    try:
        return AESGCM(message_key).decrypt(_NONCE, ciphertext, associated)
    except (InvalidTag, ValueError):
        return None
