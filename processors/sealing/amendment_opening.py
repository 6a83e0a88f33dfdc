"""The opening of amendments, which the State's conversation seals for the State's own gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.gate.input_records import AmendmentSource
from sharing.seal.own_records import open_own_record
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import AMENDMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretBytes

    from sharing.trust.public_keys import KeyId


class AmendmentOpening:
    """Opens the amendments that one gate reads, for one batch at a time.

    Args:
        state: The State.
        find_wrapping_key: Returns a wrapping key of the State by its id, or None, at an instant in UTC milliseconds.
        framing: The framing of records.
    """

    def __init__(
        self,
        state: str,
        find_wrapping_key: Callable[[KeyId, int], SecretBytes | None],
        *,
        framing: Framing = SINGLE_OBJECT_FRAMING,
    ) -> None:
        self._state = state
        self._find_wrapping_key = find_wrapping_key
        self._framing = framing

    def begin_batch(self, now_ms: int) -> AmendmentSource:
        """Return the source of the amendments of a batch.

        Args:
            now_ms: The processing time of the batch, in UTC milliseconds.
        """

        def open_amendment(value: bytes, key: bytes) -> bytes:
            sealed = self._framing.to_single_object(value) or b""
            return open_own_record(
                sealed, key, AMENDMENTS.schema, self._state, lambda key_id: self._find_wrapping_key(key_id, now_ms)
            )

        return AmendmentSource(AMENDMENTS.topic(self._state), open_amendment)
