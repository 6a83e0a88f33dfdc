"""Seals the records of the desk under the State's wrapping key, and opens them. Without keys they are in clear.

They are sealed as the gate seals drafts: each with a key of its own, and with its record key and the name of its schema
as associated data, so that none can be taken for a draft or for another record.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from sharing.desk.store.desk_record import SCHEMA, DeskRecord, UnopenedRecord, decode_record
from sharing.errors import SettingsError, SharingError
from sharing.seal.own_record_opening import OwnRecordOpener
from sharing.seal.own_records import OwnRecordSealer
from sharing.seal.wrapping_keys import WrappingKeys
from sharing.serialization.framing import Framing

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretBytes

    from sharing.trust.public_keys import KeyId

_REASON_MAX: Final = 300
_NO_KEYS: Final = (
    "what the desk keeps is sealed under the State's wrapping key, and SHARING_KEY_FOLDER is not set; the operator "
    "names the folder with that key in it"
)


class RecordSealing:
    """Seals and opens the records of one State. One thread may seal while another opens.

    Args:
        state: The State.
        keys: Its wrapping keys; None if they are not here.
        framing: How records are framed.
        clock: Returns the time in UTC milliseconds.
        is_plain: Whether records are in clear without keys, as drafts are of a State that has none.
    """

    def __init__(
        self, state: str, keys: WrappingKeys | None, framing: Framing, clock: Callable[[], int], *, is_plain: bool
    ) -> None:
        self._keys = keys
        self._is_plain = is_plain
        self._framing = framing
        self._clock = clock
        self._sealer = OwnRecordSealer(state, secrets.token_bytes, framing=framing)
        self._opener = OwnRecordOpener(SCHEMA, state)

    def seal(self, record: DeskRecord) -> bytes:
        """Return the value to write.

        Raises:
            InputError: The record is too long, or the State's wrapping key cannot be read.
            SealError: It cannot be sealed.
            SettingsError: The State seals what it keeps, and its keys are not here.
        """
        value = record.encode(self._framing)
        if self._keys is None:
            if not self._is_plain:
                raise SettingsError(_NO_KEYS)
            return value
        now = self._clock()
        key_id, wrapping_key = self._keys.get_wrapping_key(now)
        self._sealer.begin_batch(key_id, wrapping_key, now)
        return self._sealer.seal_records(SCHEMA, [(record.key.encode(), value)], now)[0]

    def open(self, value: bytes | None, key: str, offset: int) -> DeskRecord | UnopenedRecord | None:
        """Return the record in a value, or why it cannot be opened; None for a tombstone."""
        if not value:
            return None
        single_object = self._framing.to_single_object(value) or b""
        try:
            if self._keys is None and not self._is_plain:
                return UnopenedRecord(key, offset, _NO_KEYS)
            if self._keys is not None:
                sealed = single_object
                opened = self._opener.open(sealed, key.encode("ascii", "replace"), self._find_key)
                single_object = self._framing.to_single_object(opened) or b""
            return decode_record(single_object, key)
        except SharingError as error:
            return UnopenedRecord(key, offset, str(error)[:_REASON_MAX])

    def _find_key(self, key_id: KeyId) -> SecretBytes | None:
        return None if self._keys is None else self._keys.find_wrapping_key(key_id, self._clock())
