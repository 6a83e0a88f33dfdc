"""Limits how often signing in can be tried: for each address, and for all together."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Final

from sharing.model.times import MINUTE_MS

TRIES_PER_MINUTE: Final = 60
"""By one address. Behind a proxy that is all officers of an office: two requests each, when a shift begins."""

TRIES_PER_MINUTE_TOGETHER: Final = 600
ADDRESSES_MAX: Final = 10_000
_ALL: Final = ""


class SignInTries:
    """Counts tries within the last minute. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, deque[int]] = OrderedDict()

    def note(self, address: str, now: int) -> bool:
        """Record a try; return whether it is allowed. One that is not allowed does not count.

        Args:
            address: The address of the client.
            now: The time in UTC milliseconds.
        """
        with self._lock:
            own, every = self._recent(address or "?", now), self._recent(_ALL, now)
            if len(own) >= TRIES_PER_MINUTE or len(every) >= TRIES_PER_MINUTE_TOGETHER:
                return False
            own.append(now)
            every.append(now)
            return True

    def _recent(self, address: str, now: int) -> deque[int]:
        tries = self._tries.setdefault(address, deque())
        self._tries.move_to_end(address)
        while tries and tries[0] <= now - MINUTE_MS:
            tries.popleft()
        while len(self._tries) > ADDRESSES_MAX:
            self._tries.popitem(last=False)
        return tries
