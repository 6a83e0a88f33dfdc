"""Up to which block a log is covered by a checkpoint, and up to which block by one that enough States have cosigned."""

from __future__ import annotations

from typing import Final

from sharing.model.times import HOUR_MS, MINUTE_MS

COVERED_WITHIN_MS: Final = 10 * MINUTE_MS
"""A block must be covered by a checkpoint within this time: there is one each minute."""

WITNESSED_WITHIN_MS: Final = HOUR_MS
"""A block must be covered by a checkpoint with enough cosignatures within this time."""


class CheckpointCoverage:
    """Receives the blocks of a log in order, and the checkpoints that agree with them.

    Attributes:
        witnessed: How many entries are covered by a checkpoint with enough cosignatures and unchanged.
        witnessed_blocks: Size of the log in the last such checkpoint.
        witnessed_at: When that checkpoint had enough cosignatures, in UTC milliseconds; None if there is none.
        sure_blocks: The same as `witnessed_blocks`, but for the last such checkpoint before anything is wrong.
        sure_at: The same as `witnessed_at`, but for that checkpoint.
    """

    def __init__(self) -> None:
        self.witnessed = 0
        self.witnessed_blocks = 0
        self.witnessed_at: int | None = None
        self.sure_blocks = 0
        self.sure_at: int | None = None
        self._pending = 0
        """How many unchanged entries wait for a checkpoint with enough cosignatures."""

        self._uncovered: tuple[int, int] | None = None
        self._unwitnessed: tuple[int, int] | None = None
        """Number of the first block that waits, and its own time of writing."""

    def add_block(self, number: int, written_at: int, entries: int) -> None:
        """Add the next block.

        Args:
            number: Its number.
            written_at: When it says that it was written, in UTC milliseconds.
            entries: How many unchanged entries it has.
        """
        self._pending += entries
        waiting = number, written_at
        self._uncovered = self._uncovered or waiting
        self._unwitnessed = self._unwitnessed or waiting

    def drop_pending(self) -> None:
        """Note that no later checkpoint shows that the waiting entries are unchanged."""
        self._pending = 0

    def add_checkpoint(self, size: int, witnessed_at: int | None, *, is_sure: bool) -> None:
        """Add a checkpoint that covers all blocks so far.

        Args:
            size: Size of the log in it.
            witnessed_at: When it had enough cosignatures, in UTC milliseconds; None if it does not have them.
            is_sure: Whether nothing is wrong so far.
        """
        self._uncovered = None
        if witnessed_at is None:
            return
        self._unwitnessed = None
        self.witnessed += self._pending
        self._pending = 0
        self.witnessed_blocks, self.witnessed_at = size, witnessed_at
        if is_sure:
            self.sure_blocks, self.sure_at = size, witnessed_at

    def find_uncovered(self, now: int) -> int | None:
        """Return the number of the first block that has waited too long for a checkpoint; None if there is none.

        Args:
            now: The reader's clock, in UTC milliseconds.
        """
        return _find_late(self._uncovered, now - COVERED_WITHIN_MS)

    def find_unwitnessed(self, now: int) -> int | None:
        """Return the number of the first block that has waited too long for one with enough cosignatures.

        Args:
            now: The reader's clock, in UTC milliseconds.
        """
        return _find_late(self._unwitnessed, now - WITNESSED_WITHIN_MS)


def _find_late(waiting: tuple[int, int] | None, since: int) -> int | None:
    return None if waiting is None or waiting[1] >= since else waiting[0]
