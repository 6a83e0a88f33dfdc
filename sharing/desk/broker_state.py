"""Whether the broker answers: what the threads that follow topics report, and what every page says of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

SILENT_SECONDS_MAX: Final = 30.0
"""How long a thread may hear nothing from the broker. Each asks it every few seconds: a longer silence is a hang."""


class _Heard(NamedTuple):
    at: int
    uptime: float


class BrokerState:
    """Since when the broker is away, as the threads that follow topics see it. Thread-safe.

    A thread that fails says so. One that hangs does not: it counts as away since it last heard from the broker.

    Args:
        read_uptime: Returns seconds of a clock that is never set.
    """

    def __init__(self, read_uptime: Callable[[], float] = time.monotonic) -> None:
        self._read_uptime = read_uptime
        self._lock = threading.Lock()
        self._away: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        self._heard: dict[str, _Heard] = {}

    @property
    def away_since(self) -> int | None:
        """Since when some topic cannot be followed, in UTC milliseconds; None while all can."""
        oldest = self._read_uptime() - SILENT_SECONDS_MAX
        with self._lock:
            silent = (heard.at for heard in self._heard.values() if heard.uptime < oldest)
            return min((*self._away.values(), *silent), default=None)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each cannot be followed, by the name of what follows it: sentences with topics and codes, no content."""
        with self._lock:
            return dict(self._reasons)

    def count_silent_seconds(self) -> dict[str, float]:
        """Return for how long each has not heard from the broker, by the name of what follows."""
        now = self._read_uptime()
        with self._lock:
            return {name: max(0.0, now - heard.uptime) for name, heard in self._heard.items()}

    def expect(self, name: str, now: int) -> None:
        """Note that something begins to follow: if it never hears from the broker, it is away from now on."""
        with self._lock:
            self._heard.setdefault(name, _Heard(now, self._read_uptime()))

    def note_heard(self, name: str, now: int) -> bool:
        """Record that the broker answered, and that nothing is held back. Return whether it was away before.

        Args:
            name: What follows, such as `board`.
            now: The time in UTC milliseconds.
        """
        with self._lock:
            self._heard[name] = _Heard(now, self._read_uptime())
            self._reasons.pop(name, None)
            return self._away.pop(name, None) is not None

    def note_away(self, name: str, now: int, reason: str) -> bool:
        """Record that something cannot be followed. Return whether it could before.

        It is away since the broker last answered, or since now if it never did.

        Args:
            name: What follows it.
            now: The time in UTC milliseconds.
            reason: A sentence of `sharing.errors`.
        """
        with self._lock:
            is_new = name not in self._away
            self._away.setdefault(name, self._heard[name].at if name in self._heard else now)
            self._reasons[name] = reason
            return is_new


class BrokerContact:
    """What one thread reports of the broker, under its name.

    Args:
        broker: What all report to.
        name: Name of what follows, such as `records`.
        read_clock: Returns the time in UTC milliseconds.
    """

    def __init__(self, broker: BrokerState, name: str, read_clock: Callable[[], int]) -> None:
        self._broker = broker
        self._name = name
        self._read_clock = read_clock

    def expect(self) -> None:
        """Note that the thread begins."""
        self._broker.expect(self._name, self._read_clock())

    def note_heard(self) -> bool:
        """Record that the broker answered. Return whether it was away before."""
        return self._broker.note_heard(self._name, self._read_clock())

    def note_away(self, reason: str) -> bool:
        """Record that what the thread follows cannot be followed. Return whether it could before."""
        return self._broker.note_away(self._name, self._read_clock(), reason)
