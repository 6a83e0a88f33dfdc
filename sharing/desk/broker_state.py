"""Whether the broker answers: what the threads that follow topics report, and what every page says of it."""

from __future__ import annotations

import threading


class BrokerState:
    """Since when the broker is away, as the threads that follow topics see it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away: dict[str, int] = {}
        self._reasons: dict[str, str] = {}

    @property
    def away_since(self) -> int | None:
        """Since when some topic cannot be followed, in UTC milliseconds; None while all can."""
        with self._lock:
            return min(self._away.values(), default=None)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each cannot be followed, by the name of what follows it: sentences with topics and codes, no content."""
        with self._lock:
            return dict(self._reasons)

    def note_away(self, name: str, now: int, reason: str) -> bool:
        """Record that something cannot be followed. Return whether it could before.

        Args:
            name: What follows it, such as `board`.
            now: The time in UTC milliseconds.
            reason: A sentence of `sharing.errors`.
        """
        with self._lock:
            is_new = name not in self._away
            self._away.setdefault(name, now)
            self._reasons[name] = reason
            return is_new

    def note_back(self, name: str) -> bool:
        """Record that it can be followed. Return whether it could not before."""
        with self._lock:
            self._reasons.pop(name, None)
            return self._away.pop(name, None) is not None
