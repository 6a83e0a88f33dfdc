"""Sealing a data key to a State, by HPKE (RFC 9180, base mode), as `cryptography` has it.

The suites are named by what differs between them, the way to agree on a key: `MLKEM768-X25519` (X-Wing: safe as long as
either ML-KEM-768 or X25519 is), and `X25519` (DHKEM(X25519, HKDF-SHA256)). Both use HKDF-SHA256 and AES-256-GCM. The
library seals one text at a time, takes `info` and no associated data, and makes the ephemeral key itself.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from pydantic import SecretBytes

from sharing.seal.faults import SealError, SealFault
from sharing.trust.key_pairs import derive_public_key
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.verification import shorten


class SealSuite(StrEnum):
    """The suites, by the name that an envelope carries."""

    MLKEM768_X25519 = "MLKEM768-X25519"
    X25519 = "X25519"


SUITE_OF_ALGORITHM = MappingProxyType(
    {KeyAlgorithm.MLKEM768_X25519: SealSuite.MLKEM768_X25519, KeyAlgorithm.X25519: SealSuite.X25519}
)
"""The suite of each algorithm of a seal key."""

_HPKE = MappingProxyType(
    {
        SealSuite.MLKEM768_X25519: Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
        SealSuite.X25519: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
    }
)
_MLKEM_SEED_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184


class OpeningKey(Protocol):
    """A private key to which others seal. It may be wrapped by a token, so there is no way to read it."""

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        ...

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Return what was sealed to this key.

        Args:
            wrapped: What `wrap` returned.
            info: The context with which it was sealed.

        Raises:
            SealError: It was not sealed to this key with this context, or was altered.
        """
        ...


@final
class MemoryOpeningKey:
    """A seal key in the memory of this process. Its `repr` shows the key's id, and it cannot be pickled."""

    __slots__ = ("_key", "_public_key", "_suite")

    def __init__(self, algorithm: KeyAlgorithm, seed: SecretBytes) -> None:
        """Make the key pair of a seed.

        Args:
            algorithm: Algorithm of a seal key.
            seed: Random bytes, as `sharing.trust.key_pairs` describes them.

        Raises:
            ValueError: The algorithm cannot open messages, or the seed has the wrong length.
        """
        if algorithm not in SUITE_OF_ALGORITHM:
            raise ValueError(f"a key of {algorithm} cannot open messages")
        self._public_key = derive_public_key(algorithm, seed)
        self._suite = _HPKE[SUITE_OF_ALGORITHM[algorithm]]
        data = seed.get_secret_value()
        self._key: X25519PrivateKey | MLKEM768X25519PrivateKey
        if algorithm is KeyAlgorithm.X25519:
            self._key = X25519PrivateKey.from_private_bytes(data)
        else:
            mlkem = MLKEM768PrivateKey.from_seed_bytes(data[:_MLKEM_SEED_BYTES])
            x25519 = X25519PrivateKey.from_private_bytes(data[_MLKEM_SEED_BYTES:])
            self._key = MLKEM768X25519PrivateKey(mlkem, x25519)

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        return self._public_key

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Return what was sealed to this key.

        Raises:
            SealError: It was not sealed to this key with this context, or was altered.
        """
        try:
            return self._suite.decrypt(wrapped, self._key, info=info)
        except (InvalidTag, ValueError):
            raise SealError(
                SealFault.NOT_OPENED, "the data key does not open with the key that the message names"
            ) from None

    def __repr__(self) -> str:
        return f"MemoryOpeningKey({self._public_key.key_id[:16]}…)"

    def __reduce__(self) -> str:
        raise TypeError("a private key is never copied or stored by pickle")


def find_suite(state: str, key: PublishedKey) -> SealSuite:
    """Return the suite that seals to a State's key.

    Raises:
        SealError: It is not a seal key.
    """
    suite = SUITE_OF_ALGORITHM.get(key.algorithm)
    if suite is None:
        raise SealError(SealFault.UNUSABLE_RECIPIENT_KEY, f"{state}: nothing can be sealed to a key of {key.algorithm}")
    return suite


def wrap(state: str, key: PublishedKey, secret: bytes, info: bytes) -> bytes:
    """Return a secret, sealed to a State's key: the encapsulated key, then the ciphertext.

    Args:
        state: The State, for the message of an error.
        key: Its seal key.
        secret: What is sealed.
        info: Context that is needed to open it.

    Raises:
        SealError: Nothing can be sealed to this key. A State may have published bytes that are not a key.
    """
    suite = _HPKE[find_suite(state, key)]
    try:
        return suite.encrypt(secret, _load_public_key(key), info=info)
    except ValueError:
        raise SealError(
            SealFault.UNUSABLE_RECIPIENT_KEY,
            f"{state}: nothing can be sealed to its key {shorten(key.key_id)}; ask that State for another",
        ) from None


def _load_public_key(key: PublishedKey) -> X25519PublicKey | MLKEM768X25519PublicKey:
    data = bytes.fromhex(key.public)
    if key.algorithm is KeyAlgorithm.X25519:
        return X25519PublicKey.from_public_bytes(data)
    mlkem = MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_PUBLIC_BYTES])
    return MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(data[_MLKEM_PUBLIC_BYTES:]))
