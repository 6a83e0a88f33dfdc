"""What parts of the desk count for operators, beside what their pages show."""

from __future__ import annotations

import threading
from collections.abc import Callable


class DeskFigures:
    """Counts and readings of one desk. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unrecorded = 0
        self._read_ruling_wait: Callable[[], float] = lambda: 0.0

    @property
    def unrecorded(self) -> int:
        """How often content was not shown, because the broker did not confirm the record of that."""
        with self._lock:
            return self._unrecorded

    @property
    def ruling_wait_seconds(self) -> float:
        """For how long the oldest ruling of this desk waits for the State's worker; 0 if none does."""
        return self._read_ruling_wait()

    def note_unrecorded(self) -> None:
        """Count content that was not shown, because that could not be recorded."""
        with self._lock:
            self._unrecorded += 1

    def watch_rulings(self, read_wait_seconds: Callable[[], float]) -> None:
        """Have the wait for the worker read from here on.

        Args:
            read_wait_seconds: Returns for how long the oldest ruling waits.
        """
        self._read_ruling_wait = read_wait_seconds
