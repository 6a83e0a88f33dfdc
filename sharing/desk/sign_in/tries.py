"""Limits how often signing in can be tried: for each address, and for all together."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Final

from sharing.desk.settings import is_loopback
from sharing.desk.web.client_names import name_client
from sharing.model.times import MINUTE_MS

TRIES_PER_MINUTE: Final = 60
"""By one address, which may be that of an office: two requests for each officer, when a shift begins."""

TRIES_PER_MINUTE_TOGETHER: Final = 6_000
"""By all. No try is guessed right, and one costs less than a millisecond: the limit spares the machine, and is so high
that a few addresses cannot use it up and keep officers from signing in."""

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
            every, own = self._recent(_ALL, now), self._recent(name_client(address), now)
            is_proxy = is_loopback(address)  # whose clients must not lock each other out
            if len(every) >= TRIES_PER_MINUTE_TOGETHER or (len(own) >= TRIES_PER_MINUTE and not is_proxy):
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
