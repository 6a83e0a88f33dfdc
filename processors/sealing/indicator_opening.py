"""The opening of a gate's batches: which of the State's seal keys open the indicators of a batch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sharing.seal.indicators import IndicatorOpener
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processors.gate.input_records import OpenValues
    from sharing.seal.hpke import OpeningKey


class IndicatorOpening:
    """Opens the indicators of one gate, for one batch at a time.

    Args:
        state: The State.
        get_opening_keys: Returns the State's seal keys that may open at an instant in UTC milliseconds, by id.
        framing: The framing of records.
        accepts_unsealed: Whether indicators that are not sealed are decided on, because the State runs its own
            cluster. Otherwise they are quarantined.
    """

    def __init__(
        self,
        state: str,
        get_opening_keys: Callable[[int], Mapping[str, OpeningKey]],
        *,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        accepts_unsealed: bool = False,
    ) -> None:
        self._get_opening_keys = get_opening_keys
        self._opener = IndicatorOpener(state, framing=framing, accepts_unsealed=accepts_unsealed)

    def begin_batch(self, now_ms: int) -> OpenValues:
        """Return the function that opens the values of a batch.

        Args:
            now_ms: The processing time of the batch, in UTC milliseconds.

        Raises:
            SharingError: The State's own keys cannot be read. Then none of the batch may be processed: its records
                would all be quarantined although they are not at fault.
        """
        return partial(self._opener.open_values, opening_keys=self._get_opening_keys(now_ms))
