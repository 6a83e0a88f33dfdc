"""The opening of drafts, which the State's gate seals for the State's own conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.seal.faults import SealError, SealFault
from sharing.seal.own_record_opening import OwnRecordOpener
from sharing.seal.own_records import read_own_record_key
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DRAFTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import SecretBytes

    from processors.exactly_once.batch import ConsumedRecord
    from sharing.trust.public_keys import KeyId


class DraftOpening:
    """Opens the drafts of one State: those that arrive, and the stored ones.

    Args:
        state: The State.
        find_wrapping_key: Returns a wrapping key of the State by its id, or None, at an instant in UTC milliseconds.
        clock: Returns the time in UTC milliseconds.
        framing: The framing of records.
    """

    def __init__(
        self,
        state: str,
        find_wrapping_key: Callable[[KeyId, int], SecretBytes | None],
        clock: Callable[[], int],
        *,
        framing: Framing = SINGLE_OBJECT_FRAMING,
    ) -> None:
        self._opener = OwnRecordOpener(DRAFTS.schema, state)
        self._topic = DRAFTS.topic(state)
        self._find_wrapping_key = find_wrapping_key
        self._clock = clock
        self._framing = framing

    def open_arrived(self, records: Iterable[ConsumedRecord]) -> dict[int, bytes | SealError]:
        """Return the drafts among records, in clear, by position; or why one cannot be opened.

        Args:
            records: The records of a batch.

        Raises:
            SealError: A wrapping key is not in the key folder. That is not the draft's fault, so it must wait.
            SharingError: The keys cannot be read.
        """
        opened: dict[int, bytes | SealError] = {}
        for place, record in enumerate(records):
            if record.topic() == self._topic:
                try:
                    opened[place] = self._open(record.value() or b"", record.key() or b"")
                except SealError as error:
                    if error.fault is SealFault.UNKNOWN_SEAL_KEY:
                        raise
                    opened[place] = error
        return opened

    def open_kept(self, value: bytes) -> bytes:
        """Return a stored draft, in clear.

        Raises:
            SealError: It cannot be opened.
            SharingError: The keys cannot be read.
        """
        return self._open(value, read_own_record_key(self._framing.to_single_object(value) or b""))

    def _open(self, value: bytes, key: bytes) -> bytes:
        sealed = self._framing.to_single_object(value) or b""
        return self._opener.open(sealed, key, self._find)

    def _find(self, key_id: KeyId) -> SecretBytes | None:
        return self._find_wrapping_key(key_id, self._clock())
