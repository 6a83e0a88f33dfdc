"""The keys to which content for other States is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sharing.seal.faults import SealError
from sharing.seal.hpke import wrap
from sharing.seal.message_keys import KEY_BYTES
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole, PublishedKey
from sharing.trust.verification import get_current_key


def select_seal_keys(trusted: Mapping[str, TrustedKeys], now: int) -> dict[str, PublishedKey]:
    """Return the seal key of each State that has one in force to which something can be sealed.

    Args:
        trusted: The verified online keys of each State.
        now: The time, in UTC milliseconds.
    """
    found = {}
    for state, keys in trusted.items():
        try:
            key = get_current_key(keys, KeyRole.SEAL, now)
        except TrustError:  # its root or statement has expired
            continue
        if key is not None and _is_usable(published := key.to_published()):
            found[state] = published
    return found


@lru_cache(maxsize=1_000)
def _is_usable(key: PublishedKey) -> bool:
    """Return whether something can be sealed to a key: one State's bad key must not stop what goes to the others."""
    try:
        wrap("", key, bytes(KEY_BYTES), b"")
    except SealError:
        return False
    return True
