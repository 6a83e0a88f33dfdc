"""Digests of records in the gate's state store, which distinguish a repetition from a conflict.

Values are enumerable: a reader of the topic could find one by trying all. So the digests of a gate with keys are
made under a key that is derived from the State's wrapping key. An entry names that key, and stays comparable for as
long as the State keeps it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import SecretBytes

DIGEST_BYTES: Final = 16
NO_KEY: Final = ""
"""Used as the key id of a gate without keys."""

_CONTEXT: Final = b"sharing/gate-state/record-digest/v1"

FindKey = Callable[[str], "SecretBytes | None"]
"""Returns the State's wrapping key with this id, if the State still has it."""


class RecordDigester:
    """Computes and compares digests of records.

    Args:
        key_id: Id of the wrapping key in force; empty for a gate without keys.
        find_key: Finds this key, and older ones.
    """

    def __init__(self, key_id: str = NO_KEY, find_key: FindKey = lambda _: None) -> None:
        self.key_id = key_id
        self._find_key = find_key
        self._derived: dict[str, bytes | None] = {NO_KEY: b""}

    def compute(self, value: bytes) -> bytes:
        """Return the digest of a record under the key in force.

        Raises:
            ValueError: There is no such key.
        """
        digest = self._compute(self.key_id, value)
        if digest is None:
            raise ValueError("the wrapping key in force is not known")
        return digest

    def is_digest_of(self, digest: bytes, key_id: str, value: bytes) -> bool:
        """Return whether this is the digest of a record; False if the key with which it was made is gone."""
        computed = self._compute(key_id, value)
        return computed is not None and hmac.compare_digest(computed, digest)

    def _compute(self, key_id: str, value: bytes) -> bytes | None:
        if key_id not in self._derived:
            secret = self._find_key(key_id)
            self._derived[key_id] = None if secret is None else _derive(secret)
        key = self._derived[key_id]
        return None if key is None else blake2b(value, digest_size=DIGEST_BYTES, key=key).digest()


def compute_digest(data: bytes) -> bytes:
    """Return a digest that is equal only for equal data and needs no key: for data that everybody may know."""
    return blake2b(data, digest_size=DIGEST_BYTES).digest()


def _derive(secret: SecretBytes) -> bytes:
    return hmac.digest(secret.get_secret_value(), _CONTEXT, "sha256")
