"""Checks a worker's clock before it decides on a batch: against the last batch, the law pack, and the brokers' clock.

The law that applies, and the times in decisions and notices, follow from this clock. No record is decided under a clock
that is certainly wrong. Brokers stamp each record when they append it (`LogAppendTime`), so every batch shows their
time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharing.errors import InfrastructureError
from sharing.model.times import to_utc_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sharing.law.pack import Pack

TOLERANCE_MS = 5 * 60 * 1000
"""Smaller differences are tolerated: time services correct a clock in steps, and brokers differ from each other."""

_UNITS = (("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000))


class ClockError(InfrastructureError):
    """The worker's clock is wrong. None of the current batch is committed."""


@dataclass(frozen=True, slots=True)
class BrokerTime:
    """What a record shows about the brokers' clock.

    Attributes:
        appended_ms: When the broker appended the record, in UTC milliseconds of the broker's clock.
        age_max_ms: The longest time ago that this can have been, in milliseconds, measured without either side's clock;
            None if unknown, as for a record that was there before the worker.
    """

    appended_ms: int
    age_max_ms: int | None = None

    def find_problem(self, now_ms: int, tolerance_ms: int) -> str | None:
        """Return how far a clock that says `now_ms` is from the brokers', if more than is tolerated; else None."""
        if (behind_ms := self.appended_ms - now_ms) > tolerance_ms:
            return f"it is {_format_duration(behind_ms)} behind the broker's"
        if self.age_max_ms is not None and (ahead_ms := now_ms - self.appended_ms - self.age_max_ms) > tolerance_ms:
            return f"it is {_format_duration(ahead_ms)} ahead of the broker's"
        return None


class ClockCheck:
    """Judges the times at which one worker decides, in their order.

    Args:
        tolerance_ms: Difference that is tolerated, in milliseconds.

    Attributes:
        failure: The sentence with which a batch was refused; None if none was. The worker then stops.
    """

    def __init__(self, tolerance_ms: int = TOLERANCE_MS) -> None:
        self.failure: str | None = None
        self._tolerance_ms = tolerance_ms
        self._last_ms: int | None = None

    def accept_batch(self, now_ms: int, broker_times: Sequence[BrokerTime], pack: Pack) -> None:
        """Check the processing time of a batch, and remember it for the next one.

        Args:
            now_ms: The processing time, in UTC milliseconds.
            broker_times: What is known about the brokers' clock: from the batch, and since the start. Empty if brokers
                do not stamp records.
            pack: The law pack to be applied.

        Raises:
            ClockError: The clock is wrong; nothing may be decided.
        """
        self.failure = self.find_problem(now_ms, broker_times, pack)
        if self.failure is not None:
            raise ClockError(self.failure)
        self._last_ms = max(now_ms, self._last_ms or now_ms)

    def find_problem(self, now_ms: int, broker_times: Sequence[BrokerTime], pack: Pack) -> str | None:
        """Return in one sentence why this time cannot be right, or None. The arguments are those of `accept_batch`."""
        today, problem = to_utc_day(now_ms), None
        if self._last_ms is not None and self._last_ms - now_ms > self._tolerance_ms:
            problem = f"it has gone back by {_format_duration(self._last_ms - now_ms)} since the last batch"
        elif today < pack.consolidated_at:
            problem = f"it says {today}, but pack {pack.code} {pack.version} was consolidated on {pack.consolidated_at}"
        else:
            problems = (each.find_problem(now_ms, self._tolerance_ms) for each in broker_times)
            problem = next(filter(None, problems), None)
        return None if problem is None else f"the clock is wrong: {problem}; nothing is decided until it is corrected"


def _format_duration(milliseconds: int) -> str:
    """Return a duration in the largest unit of which there are at least two."""
    unit, size = next(((unit, size) for unit, size in _UNITS if milliseconds >= 2 * size), _UNITS[-1])
    return f"{milliseconds // size:,} {unit}"
