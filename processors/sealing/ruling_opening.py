"""The opening of rulings that officers' clients seal to the State's worker, and of the stored ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from sharing.errors import SharingError
from sharing.seal.rulings import (
    FindWrappingKey,
    KeptRulingKey,
    is_sealed_ruling,
    open_ruling,
    open_ruling_with_key,
    unwrap_ruling_key,
    wrap_ruling_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretBytes

    from sharing.seal.hpke import OpeningKey
    from sharing.seal.wrapping_keys import WrappingKeys
    from sharing.trust.public_keys import KeyId


@dataclass(frozen=True, slots=True)
class ArrivedRuling:
    """A ruling that has arrived. Its `repr` shows no content.

    Attributes:
        record: What the officer has signed, in single-object encoding, in clear. It is not verified.
        key: The key of its sealed record, as the State keeps it; None if it came in clear.
    """

    record: bytes | None = field(repr=False)
    key: KeptRulingKey | None


@final
class BatchRulings:
    """Opens the rulings of one batch.

    Args:
        state: The State.
        opening_keys: Its seal keys that may open, by id.
        wrapping_key: Id and value of its newest wrapping key.
        find_wrapping_key: Returns one of its wrapping keys by its id, or None.
        accepts_unsealed: Whether a ruling in clear counts, because the State runs its own cluster.
    """

    def __init__(
        self,
        state: str,
        opening_keys: Mapping[str, OpeningKey],
        wrapping_key: tuple[KeyId, SecretBytes],
        find_wrapping_key: FindWrappingKey,
        *,
        accepts_unsealed: bool,
    ) -> None:
        self._state = state
        self._opening_keys = opening_keys
        self._wrapping_key = wrapping_key
        self._find_wrapping_key = find_wrapping_key
        self._accepts_unsealed = accepts_unsealed

    def open_arrived(self, value: bytes | None) -> ArrivedRuling:
        """Return a ruling that has arrived.

        Args:
            value: The record as it is in the topic, in single-object encoding.

        Raises:
            SealError: It is not sealed to this worker, or was altered.
        """
        if self._accepts_unsealed and not is_sealed_ruling(value or b""):
            return ArrivedRuling(value, None)
        opened = open_ruling(value or b"", self._state, self._opening_keys)
        return ArrivedRuling(opened.record, wrap_ruling_key(opened.key, *self._wrapping_key))

    def open_kept(self, value: bytes, key: KeptRulingKey | None) -> bytes:
        """Return a ruling that was stored as it arrived.

        Args:
            value: The record as it was in the topic, in single-object encoding.
            key: Its key, as the State keeps it; None if it came in clear.

        Raises:
            SealError: It does not open.
        """
        if key is None:
            return value
        return open_ruling_with_key(value, self._state, unwrap_ruling_key(key, self._state, self._find_wrapping_key))


@final
class RulingOpening:
    """Opens the rulings of one State's officers, for one batch at a time.

    Args:
        state: The State.
        wrapping_keys: Its wrapping keys.
        accepts_unsealed: Whether a ruling in clear counts, because the State runs its own cluster. Otherwise it is
            quarantined.
    """

    def __init__(self, state: str, wrapping_keys: WrappingKeys, *, accepts_unsealed: bool = False) -> None:
        self._state = state
        self._wrapping_keys = wrapping_keys
        self._accepts_unsealed = accepts_unsealed

    def begin_batch(self, opening_keys: Mapping[str, OpeningKey], now_ms: int) -> BatchRulings:
        """Return what opens the rulings of a batch.

        Args:
            opening_keys: The State's seal keys that may open, by id.
            now_ms: The time of the batch, in UTC milliseconds.

        Raises:
            SharingError: The State's wrapping key cannot be read, which is not the ruling's fault: it must wait.
        """
        keys = self._wrapping_keys
        return BatchRulings(
            self._state, opening_keys, keys.get_wrapping_key(now_ms), lambda key_id: _find(keys, key_id, now_ms),
            accepts_unsealed=self._accepts_unsealed,
        )  # fmt: skip


def _find(keys: WrappingKeys, key_id: KeyId, now_ms: int) -> SecretBytes | None:
    """Return a wrapping key; also None if the folder cannot be read: then stored rulings do not answer anything."""
    try:
        return keys.find_wrapping_key(key_id, now_ms)
    except SharingError:
        return None
