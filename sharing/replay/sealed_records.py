"""Opens the sealed indicators of a State's topic, for a rehearsal, with the seal keys of that State's gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sharing.seal.hpke import OpeningKey
from sharing.seal.indicator_record import SCHEMA_NAME
from sharing.seal.indicators import IndicatorOpener
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing


class SealedRecords:
    """The sealed indicators of one State. Records that are not sealed pass unchanged.

    Args:
        state: The State.
        opening_keys: Its seal keys, by id; None if they are not configured: then sealed records are refused.
        framing: The framing of records.
    """

    def __init__(
        self, state: str, opening_keys: Mapping[str, OpeningKey] | None, framing: Framing = SINGLE_OBJECT_FRAMING
    ) -> None:
        self._state = state
        self._opening_keys = opening_keys
        self._framing = framing
        self._header = get_codec(SCHEMA_NAME).header
        self._opener = IndicatorOpener(state, framing=framing, accepts_unsealed=True)

    def open_values(
        self, values: Sequence[bytes | None], keys: Sequence[bytes | None]
    ) -> tuple[list[bytes | None], dict[int, str]]:
        """Return the indicators in Avro single-object encoding, and by position why some cannot be read.

        Args:
            values: The values of records, as they were received.
            keys: The keys of these records.
        """
        if self._opening_keys is not None:
            opened, refused = self._opener.open_values(values, keys, self._opening_keys)
            return opened, {position: str(error) for position, error in refused.items()}
        plain = [self._framing.to_single_object(value) for value in values]
        sealed = [position for position, value in enumerate(plain) if value is not None and self._is_sealed(value)]
        reason = (
            f"is sealed to the gate of {self._state}: to open it, set SHARING_KEY_FOLDER and "
            "SHARING_KEY_PASSPHRASE_FILE (or SHARING_KEY_TOKEN) to that gate's keys"
        )
        for position in sealed:
            plain[position] = None
        return plain, dict.fromkeys(sealed, reason)

    def _is_sealed(self, value: bytes) -> bool:
        return value.startswith(self._header)
