"""Where a gate gets the keys for a batch: its State's key folder, and the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.sealing.output_sealer import SealingKeys
from sharing.seal.recipient_keys import SealKeySelection
from sharing.trust.public_keys import KeyRole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sharing.keystore.online_keys import OnlineKeys
    from sharing.trust.key_statement import TrustedKeys


class GateKeySource:
    """Collects the keys for each batch.

    Args:
        online_keys: The State's own keys.
        get_trusted_keys: Returns the verified online keys of each State, as the directory has them now.
    """

    def __init__(self, online_keys: OnlineKeys, get_trusted_keys: Callable[[], Mapping[str, TrustedKeys]]) -> None:
        self._online_keys = online_keys
        self._get_trusted_keys = get_trusted_keys
        self._selection = SealKeySelection()

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
        recipient_keys = self._selection.select(trusted, now_ms)
        return SealingKeys(
            signing_key, recipient_keys, len(trusted), wrapping_key_id, wrapping_key,
            lambda key_id: self._online_keys.find_wrapping_key(key_id, now_ms),
        )  # fmt: skip
