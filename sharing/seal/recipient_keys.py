"""The keys to which content for other States is sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import final

from sharing.seal.faults import SealError
from sharing.seal.hpke import wrap
from sharing.seal.message_keys import KEY_BYTES
from sharing.trust.documents import CLOCK_TOLERANCE_MS, INSTANT_MAX
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


@final
class SealKeySelection:
    """Selects seal keys again only when the selection may change: it takes a millisecond for 192 States."""

    def __init__(self) -> None:
        self._trusted: Mapping[str, TrustedKeys] | None = None
        self._selected: Mapping[str, PublishedKey] = {}
        self._from = self._until = 0

    def select(self, trusted: Mapping[str, TrustedKeys], now: int) -> Mapping[str, PublishedKey]:
        """Return the same as `select_seal_keys`, and the same object for as long as nothing changes.

        Args:
            trusted: The verified online keys of each State: a new object if anything in it has changed.
            now: The time, in UTC milliseconds. It may be earlier than that of the previous call.
        """
        if trusted is not self._trusted or not self._from <= now < self._until:
            selected = select_seal_keys(trusted, now)
            changes = {change for keys in trusted.values() for change in _list_changes(keys)}
            self._from = max((change for change in changes if change <= now), default=0)
            self._until = min((change for change in changes if change > now), default=INSTANT_MAX)
            if selected != self._selected:
                self._selected = selected
            self._trusted = trusted
        return self._selected


def _list_changes(keys: TrustedKeys) -> Iterator[int]:
    """Yield the instants at which a different seal key of a State, or none, may become the selected one."""
    root, statement = keys.root.metadata, keys.statement
    for period in (root, statement):
        yield period.issued_at - CLOCK_TOLERANCE_MS
        yield period.expires_at + CLOCK_TOLERANCE_MS + 1
    for key in statement.keys:
        if key.role is KeyRole.SEAL:
            yield key.valid_from
            yield key.valid_until + 1
    for revocation in statement.revocations:
        yield revocation.effective_at


@lru_cache(maxsize=1_000)
def _is_usable(key: PublishedKey) -> bool:
    """Return whether something can be sealed to a key: one State's bad key must not block messages to the others."""
    try:
        wrap("", key, bytes(KEY_BYTES), b"")
    except SealError:
        return False
    return True
