"""Private keys in memory: their names, and their seeds.

A *wrapping key* is symmetric, and only the State has it: it wraps the keys of items in the State's own topics.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretBytes, model_validator

from sharing.errors import InputError
from sharing.model.strict_model import StrictModel
from sharing.trust.documents import Instant, StateCode
from sharing.trust.key_pairs import SEED_BYTES, derive_public_key
from sharing.trust.public_keys import KeyAlgorithm, KeyId, KeyRole, PublishedKey
from sharing.trust.signatures import MemorySigningKey

ROOT_ROLE: Final = "root"
WRAP_ROLE: Final = "wrap"
READER_ROLE: Final = "reader"
OFFICER_ROLE: Final = "officer"
WRAPPING_KEY_BYTES: Final = 32
_ROLES: Final = "|".join((ROOT_ROLE, *KeyRole, WRAP_ROLE, READER_ROLE, OFFICER_ROLE))
_IDENTITY_CONTEXT: Final = b"sharing/wrapping-key-id/v1"


class WrappingKeyName(StrictModel):
    """The name of a symmetric key that wraps the keys of items in a State's own topics. No other State knows the key.

    Attributes:
        algorithm: Always AES-256.
        key_id: HMAC-SHA256 of a constant under the key: it reveals nothing about the key, and detects a wrong one.
        made_at: When it was made. The newest wraps; older ones only unwrap.
    """

    algorithm: Literal["aes-256"] = "aes-256"
    key_id: KeyId
    made_at: Instant


class KeyHeader(StrictModel):
    """The unencrypted part of a private key's file.

    Attributes:
        kind: Always `private-key`.
        format: Version of this format.
        state: The State.
        role: `root`, the role of an online key, `reader`, `officer`, or `wrap` for a wrapping key.
        key: Its public key, or the name of a wrapping key.
    """

    kind: Literal["private-key"] = "private-key"
    format: Literal[1] = 1
    state: StateCode
    role: Annotated[str, Field(pattern=f"^(?:{_ROLES})$")]
    key: PublishedKey | WrappingKeyName

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.key, WrappingKeyName) != (self.role == WRAP_ROLE):
            raise ValueError("a wrapping key has the role `wrap`, and no other key has it")
        return self


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key in memory. Its `repr` shows no secret.

    Attributes:
        header: Whose key it is, and its purpose.
        seed: The private key.
    """

    header: KeyHeader
    seed: SecretBytes

    @property
    def key_id(self) -> KeyId:
        """Id of the key."""
        return self.header.key.key_id

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair.

        Raises:
            InputError: It is a wrapping key, which has none.
        """
        if isinstance(self.header.key, WrappingKeyName):
            raise InputError("a wrapping key has no public key")
        return self.header.key

    def to_signing_key(self) -> MemorySigningKey:
        """Return the key as one that signs.

        Raises:
            InputError: It is a seal key or another key that cannot sign.
        """
        if self.header.key.algorithm is not KeyAlgorithm.ED25519:
            raise InputError(f"the {self.header.role} key does not sign")
        return MemorySigningKey(self.seed)


def generate_key(state: str, role: str, algorithm: KeyAlgorithm) -> PrivateKey:
    """Return a new private key, generated with the operating system's randomness."""
    seed = SecretBytes(secrets.token_bytes(SEED_BYTES[algorithm]))
    return PrivateKey(KeyHeader(state=state, role=role, key=derive_public_key(algorithm, seed)), seed)


def generate_wrapping_key(state: str, now: int) -> PrivateKey:
    """Return a new wrapping key, generated with the operating system's randomness.

    Args:
        state: The State.
        now: The time, in UTC milliseconds.
    """
    seed = SecretBytes(secrets.token_bytes(WRAPPING_KEY_BYTES))
    name = WrappingKeyName(key_id=_derive_key_id(seed), made_at=now)
    return PrivateKey(KeyHeader(state=state, role=WRAP_ROLE, key=name), seed)


def count_seed_bytes(header: KeyHeader) -> int:
    """Return how long the seed of a key is."""
    return WRAPPING_KEY_BYTES if isinstance(header.key, WrappingKeyName) else SEED_BYTES[header.key.algorithm]


def require_seed(header: KeyHeader, seed: SecretBytes, what: str) -> PrivateKey:
    """Return the private key of a header and its seed.

    Raises:
        InputError: The seed belongs to another key.
    """
    if len(seed.get_secret_value()) == count_seed_bytes(header):
        if isinstance(header.key, WrappingKeyName):
            belongs = hmac.compare_digest(_derive_key_id(seed), header.key.key_id)
        else:
            belongs = derive_public_key(header.key.algorithm, seed) == header.key
        if belongs:
            return PrivateKey(header, seed)
    raise InputError(f"{what}: the private key does not match the public key in the file")


def _derive_key_id(seed: SecretBytes) -> str:
    return hmac.digest(seed.get_secret_value(), _IDENTITY_CONTEXT, hashlib.sha256).hex()
