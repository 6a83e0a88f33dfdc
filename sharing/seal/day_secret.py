"""The secret of a day, from which the salts of commitments to content are derived, wrapped under the State's key.

There is one for each input partition, UTC day and wrapping key. It is kept in the gate's state store until its day's
retention ends, and then deleted: after that, nobody can tell whether a given content is the one that was decided on.

It is wrapped (AES key wrap, RFC 3394) under a key that is derived from the wrapping key and from what the secret is
for, so a secret that is put in place of another does not unwrap.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from sharing.sign.content_commitment import SECRET_BYTES

if TYPE_CHECKING:
    from pydantic import SecretBytes

KEPT_DAYS: Final = 365
"""How many days after its own day a secret is kept: as long as the State's own copies of its items."""

SECRET_KEY_PREFIX: Final = b"audit/secret/"
"""Prefix of the keys of the secrets in the state store; the day and the id of the wrapping key follow."""

_DOMAIN: Final = "sharing/day-secret/v1"


def wrap_day_secret(wrapping_key: SecretBytes, place: str, day: str, secret: bytes) -> bytes:
    """Return the secret of a day, wrapped.

    Args:
        wrapping_key: The State's wrapping key: 32 bytes.
        place: Name of the log.
        day: The UTC day: 2026-11-28.
        secret: The secret: 32 random bytes.
    """
    return aes_key_wrap(_derive_key(wrapping_key, place, day), secret)


def unwrap_day_secret(wrapping_key: SecretBytes, place: str, day: str, wrapped: bytes) -> bytes | None:
    """Return the secret of a day; None if it was wrapped under another key, or for another log or day, or altered.

    Arguments as for `wrap_day_secret`.
    """
    try:
        secret = aes_key_unwrap(_derive_key(wrapping_key, place, day), wrapped)
    except (InvalidUnwrap, ValueError):
        return None
    return secret if len(secret) == SECRET_BYTES else None


def _derive_key(wrapping_key: SecretBytes, place: str, day: str) -> bytes:
    return hmac.digest(wrapping_key.get_secret_value(), f"{_DOMAIN}\x00{place}\x00{day}".encode(), "sha256")
