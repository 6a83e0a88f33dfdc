"""Up to which block a log is time-stamped, and which blocks were stamped too long after their own time of writing."""

from __future__ import annotations

from typing import Final, NamedTuple

from sharing.model.times import DAY_MS, format_time

STAMPED_WITHIN_MS: Final = 3 * DAY_MS
"""A block must be covered by a time stamp within this time, once its log gets time stamps: a service may be down for a
weekend. A rewritten history has no time stamps from the time that it describes."""


class LateStamp(NamedTuple):
    """Blocks that were not time-stamped in time.

    Attributes:
        block: Number of the first one.
        sentence: What people read.
    """

    block: int
    sentence: str


class StampCoverage:
    """Receives the blocks of a log in order, and the time stamps of the checkpoints that agree with them.

    Attributes:
        blocks: Size of the log in the last checkpoint with a time stamp.
        last_at: The time in that time stamp, in UTC milliseconds; None if there is none.
        first_at: The time in the first one.
    """

    def __init__(self) -> None:
        self.blocks = 0
        self.last_at: int | None = None
        self.first_at: int | None = None
        self._waiting: tuple[int, int] | None = None
        """Number of the first block that no time stamp covers, and its own time of writing."""

    def add_block(self, number: int, written_at: int) -> None:
        """Add the next block."""
        if self._waiting is None:
            self._waiting = number, written_at

    def add_stamp(self, size: int, stamped_at: int) -> LateStamp | None:
        """Add the time stamp of a checkpoint that covers all blocks so far; return what it covers too late.

        Blocks written before the log got time stamps are not late: they are known to be as old as the first time stamp.
        """
        late = None
        if self.first_at is None:
            self.first_at = stamped_at
        else:
            late = self._find_late(stamped_at, f"the first time stamp that covers them is of {format_time(stamped_at)}")
        self.blocks, self.last_at, self._waiting = size, stamped_at, None
        return late

    def finish(self, now: int) -> LateStamp | None:
        """Return the last blocks of the log if they have waited too long for a time stamp.

        Args:
            now: The reader's clock, in UTC milliseconds.
        """
        return None if self.first_at is None else self._find_late(now, "no time stamp covers them yet")

    def _find_late(self, at: int, reason: str) -> LateStamp | None:
        if self._waiting is None or self._waiting[1] >= at - STAMPED_WITHIN_MS:
            return None
        block, written_at = self._waiting
        return LateStamp(
            block,
            f"the blocks from {block} on say that they were written from {format_time(written_at)} on, but {reason}",
        )
