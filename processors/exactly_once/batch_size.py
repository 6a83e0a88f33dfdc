"""How many records the next batch may have: fewer when their outputs are large, or when a transaction took too long."""

from __future__ import annotations

FIRST_BATCH_RECORDS = 1_000
"""Limit of the first batches, until the size of their outputs is known."""


class BatchSizer:
    """Adapts the number of records in a batch to the outputs of the batches before.

    A transaction whose outputs take longer to write than the broker allows is aborted; with the same number of records
    it would be aborted again. So the number is halved, down to one record, and then grows again with each full batch
    that is committed so fast that twice as many records would be too.

    Args:
        records_max: Upper limit, in records.
        output_bytes_max: How many bytes of outputs a batch should have at most. The first batches of larger outputs
            exceed it.
        seconds_max: How long a transaction may take.

    Attributes:
        limit: Maximum number of records in the next batch.
    """

    def __init__(self, records_max: int, output_bytes_max: int, seconds_max: float) -> None:
        self.limit = min(records_max, FIRST_BATCH_RECORDS)
        self._records_max = records_max
        self._output_bytes_max = output_bytes_max
        self._seconds_max = seconds_max
        self._allowed = records_max

    def count_committed(self, records: int, output_bytes: int, seconds: float) -> None:
        """Adapt to a batch that was committed: its records, the bytes of its outputs, and how long it took.

        A batch without records shows nothing.
        """
        if not records:
            return
        if records >= self._allowed and 2 * seconds <= self._seconds_max:
            self._allowed = min(self._records_max, 2 * self._allowed)
        fitting = self._output_bytes_max * records // max(output_bytes, 1)
        self.limit = max(1, min(self._allowed, fitting))

    def count_expired(self, records: int) -> bool:
        """Adapt to a batch with this many records that was aborted because it took too long.

        Returns:
            Whether the next batch has fewer records. A batch of one record cannot be smaller.
        """
        self._allowed = max(1, min(self._allowed, records) // 2)
        self.limit = min(self.limit, self._allowed)
        return records > 1
