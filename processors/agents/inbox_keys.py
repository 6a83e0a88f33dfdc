"""Where the inbox gets the keys for a batch: its State's key folder, and the directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from processors.inbox.inbox_processor import InboxKeys
from sharing.errors import InputError
from sharing.seal.inbox_sealing import require_usable_readers
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole, PublishedKey

if TYPE_CHECKING:
    from sharing.keystore.online_keys import OnlineKeys


class InboxKeySource:
    """Collects the keys for each batch.

    Args:
        state: The State.
        online_keys: Its own keys.
        get_trusted_keys: Returns the verified online keys of each State, as the directory has them now.
    """

    def __init__(
        self, state: str, online_keys: OnlineKeys, get_trusted_keys: Callable[[], Mapping[str, TrustedKeys]]
    ) -> None:
        self._state = state
        self._online_keys = online_keys
        self._get_trusted_keys = get_trusted_keys
        self._checked: Sequence[PublishedKey] | None = None

    def collect_keys(self, now_ms: int) -> InboxKeys:
        """Return the keys for a batch.

        Args:
            now_ms: The time, in UTC milliseconds.

        Raises:
            SharingError: One of the State's own keys is missing or has ended, there is no list of readers, or no other
                State is trusted: nothing can be opened, and nothing may be refused for that reason.
        """
        signing = self._online_keys.get_signing_key(KeyRole.GATE, now_ms)
        opening = self._online_keys.get_opening_keys(now_ms)
        readers = self._online_keys.get_readers(now_ms)
        if readers != self._checked:
            require_usable_readers(self._state, readers)
            self._checked = readers
        trusted = self._get_trusted_keys()
        if not trusted:
            raise InputError(
                f"{self._state}: no State's keys are trusted: pin roots with `sharing trust add`, and check that the "
                "directory has the keys of these States"
            )
        statement = self._online_keys.get_newest_keys(now_ms).statement
        revoked = frozenset(item.key for item in statement.revocations if item.effective_at <= now_ms)
        return InboxKeys(trusted, opening, readers, signing, revoked)
