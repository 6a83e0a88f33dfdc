"""Where a gate gets the keys for a batch from: its State's key folder, and the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processors.sealing.output_sealer import SealingKeys
from sharing.seal.recipient_keys import select_seal_keys
from sharing.trust.public_keys import KeyRole, PublishedKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sharing.keystore.online_keys import OnlineKeys
    from sharing.trust.key_statement import TrustedKeys

SELECTION_MS_MAX: Final = 1_000
"""How long the selection of the other States' keys is used, so that small batches do not pay for it each time."""


class GateKeySource:
    """Collects the keys for each batch.

    Args:
        online_keys: The State's own keys.
        get_trusted_keys: Returns the verified online keys of each State, as the directory has them now.
    """

    def __init__(self, online_keys: OnlineKeys, get_trusted_keys: Callable[[], Mapping[str, TrustedKeys]]) -> None:
        self._online_keys = online_keys
        self._get_trusted_keys = get_trusted_keys
        self._selected: tuple[Mapping[str, TrustedKeys], int, Mapping[str, PublishedKey]] | None = None

    def collect_keys(self, now_ms: int) -> SealingKeys:
        """Return the keys for a batch.

        Args:
            now_ms: The processing time of the batch, in UTC milliseconds.

        Raises:
            InputError: One of the State's own keys is missing, or has ended.
            TrustError: Its root or its key statement has expired, or does not verify.
        """
        signing_key = self._online_keys.get_signing_key(KeyRole.GATE, now_ms)
        wrapping_key_id, wrapping_key = self._online_keys.get_wrapping_key(now_ms)
        trusted = self._get_trusted_keys()
        return SealingKeys(signing_key, self._select(trusted, now_ms), len(trusted), wrapping_key_id, wrapping_key)

    def _select(self, trusted: Mapping[str, TrustedKeys], now_ms: int) -> Mapping[str, PublishedKey]:
        known = self._selected
        if known is None or known[0] is not trusted or not 0 <= now_ms - known[1] < SELECTION_MS_MAX:
            known = self._selected = (trusted, now_ms, select_seal_keys(trusted, now_ms))
        return known[2]
