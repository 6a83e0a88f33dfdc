"""Closes a resource that one thread uses and any thread may close: only once, and never while it is in use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count


class DeferredClose:
    """Decides when, and in which thread, a resource is closed.

    Protocol:

    - One thread uses the resource, and only inside `with use() as allowed`, and only if `allowed`.
    - Any thread may call `request`, any number of times, even inside such a section or in a signal handler.
    - If the resource is in use, `request` returns immediately, and the using thread closes it after the section.
    - Otherwise the thread that calls `request` closes it.
    - After the first request, no further section is allowed.

    Args:
        close: Closes the resource. It is called once, without the lock held.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        # Guards the fields below. Re-entrant, because a signal handler may interrupt a thread that holds it and call
        # `request`. The order of the statements under the lock, and the atomic `next`, keep that case correct.
        self._lock = threading.RLock()
        self._sections = 0  # a section may contain another one
        self._requested = False
        self._claims = count()
        self._section = _Section(self._enter, self._leave)

    @property
    def is_requested(self) -> bool:
        """Whether `request` was called."""
        with self._lock:
            return self._requested

    def use(self) -> AbstractContextManager[bool]:
        """Enter a section in which the resource stays open. Yields False if it must no longer be used."""
        return self._section

    def request(self) -> None:
        """Close the resource now, or at the end of the section that is using it."""
        with self._lock:
            self._requested = True
            must_close = self._claim_close()
        if must_close:
            self._close()

    def _enter(self) -> bool:
        with self._lock:
            self._sections += 1
            return not self._requested

    def _leave(self) -> None:
        with self._lock:
            self._sections -= 1
            must_close = self._claim_close()
        if must_close:
            self._close()

    def _claim_close(self) -> bool:
        """Return whether the caller must close the resource: True once. The caller holds the lock."""
        return self._requested and not self._sections and next(self._claims) == 0


class _Section(AbstractContextManager[bool]):
    """A section in which the resource is used. One object serves all: the owner counts those that are entered."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], bool], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> bool:
        return self._enter()

    def __exit__(self, *_: object) -> None:
        self._leave()
