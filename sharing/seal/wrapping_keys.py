"""The interface of a State's wrapping keys, under which it seals what it keeps for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pydantic import SecretBytes

    from sharing.trust.public_keys import KeyId


class WrappingKeys(Protocol):
    """The State's wrapping keys: `OnlineKeys`."""

    def get_wrapping_key(self, now: int) -> tuple[KeyId, SecretBytes]:
        """Return id and value of the newest one, at a time in UTC milliseconds."""
        ...

    def find_wrapping_key(self, key_id: KeyId, now: int) -> SecretBytes | None:
        """Return the value of a key, new or old, or None if it is not there."""
        ...
