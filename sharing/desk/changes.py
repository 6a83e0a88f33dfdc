"""Tells every open page that something has changed. Threads announce it; server-sent events carry it on."""

from __future__ import annotations

import asyncio
import threading


class ChangeFeed:
    """A number that grows with each change, and that event loops can wait on. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revision = 0
        self._is_closed = False
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def revision(self) -> int:
        """How many changes were announced."""
        with self._lock:
            return self._revision

    @property
    def is_closed(self) -> bool:
        """Whether the server ends: nobody may wait any more."""
        with self._lock:
            return self._is_closed

    def announce(self) -> None:
        """Announce that something has changed. Any thread may call it."""
        with self._lock:
            self._revision += 1
            self._wake()

    def close(self) -> None:
        """Release everybody who waits, because the server ends."""
        with self._lock:
            self._is_closed = True
            self._wake()

    async def wait_for_change(self, revision: int, seconds: float) -> int:
        """Wait until the revision is another than the given one, or the time is over; return it."""
        event = asyncio.Event()
        with self._lock:
            if self._revision != revision or self._is_closed:
                return self._revision
            self._waiting[event] = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            with self._lock:
                self._waiting.pop(event, None)
        return self.revision

    def _wake(self) -> None:
        for event, loop in self._waiting.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
        self._waiting.clear()
