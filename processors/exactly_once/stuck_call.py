"""Finds out whether a librdkafka call does not return, in a process that may have been suspended meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S: Final = 1.0
"""How often it is checked, in seconds."""

_COUNTED_S_MAX: Final = 2 * TICK_S  # between two checks; more has passed if this process was suspended


class StuckCallDetector:
    """Counts for how long the same call has been in progress while this process was running.

    Where a virtual machine is suspended, or a process is stopped by a signal, the clock goes on and the call cannot
    return. So the time between two checks counts only up to twice the `TICK_S` that it should be.

    Args:
        clock: Returns the time in seconds; it never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checked_at = clock()
        self._call_started_at: float | None = None
        self._running_s = 0.0

    def count_seconds(self, call_started_at: float | None) -> float:
        """Return for how many seconds a call has been seen in progress. To be called every `TICK_S`.

        Args:
            call_started_at: When the oldest call in progress began; None if there is none.
        """
        now = self._clock()
        elapsed_s, self._checked_at = now - self._checked_at, now
        if call_started_at is None or call_started_at != self._call_started_at:
            self._call_started_at, self._running_s = call_started_at, 0.0
        else:
            self._running_s += min(elapsed_s, _COUNTED_S_MAX)
        return self._running_s
