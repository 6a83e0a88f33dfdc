"""Salted commitments to content: what a decision was about can be shown but cannot be guessed.

A commitment is the SHA-256 of a salt of 32 bytes and the content. Values are enumerable, so a plain hash would confirm
a right guess; nobody can guess the salt. Anyone with salt and content can compute the commitment again.

Salts are derived, never stored: those of a block from a secret and the random bytes in the head of the block, that of
an item whose copy is kept from the key of that copy. SHAKE256 (FIPS 202) and HKDF (RFC 5869) are one-way, so a salt
that is shown tells nothing about the secret or about another salt. Once secret or copy is deleted, the salt is gone.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable
from typing import Final

SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 16
SALT_BYTES: Final = 32
COMMITMENT_BYTES: Final = 32

_BLOCK_DOMAIN: Final = b"sharing/content-salts/v1\x00"
_ITEM_DOMAIN: Final = b"sharing/content-salt/v1\x00"
_FIRST_BLOCK: Final = b"\x01"

_SALT: Final = struct.Struct(f"{SALT_BYTES}s")
_sha256 = hashlib.sha256


def derive_salts(secret: bytes, nonce: bytes, place: str, count: int) -> list[bytes]:
    """Return the salts of the entries of a block, in order: the first bytes of SHAKE256 over secret, nonce and place.

    Args:
        secret: 32 random bytes.
        nonce: The 16 random bytes of the block.
        place: Name of the log.
        count: Number of the entries.

    Raises:
        ValueError: Secret or nonce has the wrong length.
    """
    if len(secret) != SECRET_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("salts need a secret of 32 and a nonce of 16 bytes")
    stream = hashlib.shake_256(b"".join((_BLOCK_DOMAIN, secret, nonce, place.encode()))).digest(SALT_BYTES * count)
    return [salt for (salt,) in _SALT.iter_unpack(stream)]


def derive_item_salt(item_key: bytes) -> bytes:
    """Return the salt that belongs to the key of an item's copy: HKDF-Expand (RFC 5869, section 2.3), one block.

    Args:
        item_key: The key: 32 bytes.
    """
    return hmac.digest(item_key, _ITEM_DOMAIN + _FIRST_BLOCK, "sha256")


def compute_commitments(salts: Iterable[bytes], contents: Iterable[bytes]) -> list[bytes]:
    """Return the commitments to some contents, each under its salt of 32 bytes.

    Raises:
        ValueError: The numbers of salts and contents differ.
    """
    return [_sha256(salt + content).digest() for salt, content in zip(salts, contents, strict=True)]


def is_commitment_to(commitment: bytes, salt: bytes, content: bytes) -> bool:
    """Return whether this is the commitment to this content under this salt."""
    if len(salt) != SALT_BYTES:
        return False
    return hmac.compare_digest(compute_commitments((salt,), (content,))[0], commitment)
