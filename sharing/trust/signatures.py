"""What exactly is signed, and the one interface of a private key that signs.

Every message begins with the kind of the object and the State that signs, so that a signature on one kind of object is
never valid for another kind, and never for another State that lists the same key as its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretBytes

from sharing.trust.public_keys import KeyAlgorithm, PublishedKey

SIGNATURE_BYTES = 64


class ObjectKind(StrEnum):
    """The kinds of objects that are signed.

    A root and a key statement are signed by root keys, a ruling and a standing acceptance by an officer's key, a ruling
    and a sign-in by an officer's passkey (its hash is the challenge), all others by online keys
    (`verification.SIGNING_ROLES`).
    """

    ROOT = "root"
    KEYS = "keys"
    NOTICES = "notices"
    COUNTS = "counts"
    REPLY = "reply"
    DIRECTORY_ENTRY = "directory-entry"
    OFFICER = "officer"
    READERS = "readers"
    RULING = "ruling"
    STANDING_ACCEPTANCE = "standing-acceptance"
    SIGN_IN = "sign-in"
    INVITATION = "invitation"
    INBOX_KEY = "inbox-key"
    EXPORT = "export"


def build_message(kind: ObjectKind, state: str, payload: bytes) -> bytes:
    """Return the bytes that are signed.

    Args:
        kind: Kind of the object.
        state: Code of the State that signs.
        payload: The object in its canonical form.
    """
    return b"sharing/%s/v1\x00%s\x00" % (kind.encode(), state.encode()) + payload


class SigningKey(Protocol):
    """A private key that signs. It may be in a token, so there is no way to read it."""

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature on a message of `build_message`."""
        ...


@final
class MemorySigningKey:
    """An Ed25519 key in the memory of this process. Its `repr` shows the key's id, and it cannot be pickled."""

    __slots__ = ("_key", "_public_key")

    def __init__(self, seed: SecretBytes) -> None:
        """Make the key pair of a seed.

        Args:
            seed: 32 random bytes: the private key of RFC 8032.
        """
        self._key = Ed25519PrivateKey.from_private_bytes(seed.get_secret_value())
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._public_key = PublishedKey(algorithm=KeyAlgorithm.ED25519, public=public.hex())

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature on a message of `build_message`."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"MemorySigningKey({self._public_key.key_id[:16]}…)"

    def __reduce__(self) -> str:
        raise TypeError("a private key is never copied or stored by pickle")


def is_signature_by(key: PublishedKey, signature: bytes, message: bytes) -> bool:
    """Return whether this key made the signature on this message; never True for a key that cannot sign."""
    if key.algorithm is not KeyAlgorithm.ED25519 or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
