"""A value that takes long to compute, computed in a thread of its own: a page shows the last one and its age."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sharing.errors import SharingError
from sharing.model.times import MINUTE_MS
from sharing.sentences import get_sentence, say
from sharing.telemetry.logs import describe_exception

log = logging.getLogger(__name__)

Value = TypeVar("Value")

FRESH_MS: Final = 5 * MINUTE_MS
RETRY_MS: Final = MINUTE_MS // 2
"""After a failure, a page that is opened tries again no sooner than that."""


@dataclass(frozen=True, slots=True)
class Computed(Generic[Value]):
    """What a page knows of the value. Its `repr` does not show it.

    Attributes:
        value: The last value; None if none was computed yet.
        computed_at: When its computation began, in UTC milliseconds: it says nothing of what came later.
        is_running: Whether another one is computed now.
        failure: Why the last computation failed, in one sentence; "" if it did not.
        failed_at: When it failed.
    """

    value: Value | None = None
    computed_at: int | None = None
    is_running: bool = False
    failure: str = ""
    failed_at: int | None = None

    def __repr__(self) -> str:
        return f"Computed(at {self.computed_at}, {'running' if self.is_running else 'idle'})"


class BackgroundResult(Generic[Value]):
    """Computes a value when a page asks for it and the last one is old. Thread-safe; no call waits.

    A computation that fails keeps the last value, and its age says how old that is.

    Args:
        name: What is computed, for the log and the name of the thread.
        compute: Computes it; may take minutes.
        read_clock: Returns the time in UTC milliseconds.
        fresh_ms: How old a value may be before a page that is opened has another one computed, in milliseconds.
        turn: Held while it is computed: results that share one are computed one after another.
    """

    def __init__(
        self,
        name: str,
        compute: Callable[[], Value],
        read_clock: Callable[[], int],
        *,
        fresh_ms: int = FRESH_MS,
        turn: threading.Lock | None = None,
    ) -> None:
        self._name = name
        self._compute = compute
        self._read_clock = read_clock
        self._fresh_ms = fresh_ms
        self._turn = turn or threading.Lock()
        self._lock = threading.Lock()
        self._known: Computed[Value] = Computed()

    def get(self) -> Computed[Value]:
        """Return what is known, and have the value computed if there is none or it is old."""
        with self._lock:
            if self._is_due(self._read_clock()):
                self._begin()
            return self._known

    def refresh(self) -> Computed[Value]:
        """Have the value computed now, unless that is being done. Return what is known."""
        with self._lock:
            if not self._known.is_running:
                self._begin()
            return self._known

    def _is_due(self, now: int) -> bool:
        known = self._known
        if known.is_running:
            return False
        if known.failed_at is not None and now < known.failed_at + RETRY_MS:
            return False
        return known.computed_at is None or now >= known.computed_at + self._fresh_ms

    def _begin(self) -> None:
        known = self._known
        self._known = Computed(known.value, known.computed_at, True, known.failure, known.failed_at)  # noqa: FBT003
        threading.Thread(target=self._run, name=f"desk-{self._name}", daemon=True).start()

    def _run(self) -> None:
        failure = ""
        value: Value | None = None
        with self._turn:
            began_at = self._read_clock()
            try:
                value = self._compute()
            except SharingError as error:
                failure = get_sentence(error)
            except Exception as error:  # noqa: BLE001 the thread ends in any case, and the page must not wait for ever
                log.error("%s could not be computed: %s", self._name, describe_exception(error))  # noqa: TRY400
                failure = say("The desk could not compute this; the log says where it went wrong.")
        with self._lock:
            known = self._known
            if failure:
                self._known = Computed(known.value, known.computed_at, False, failure, self._read_clock())  # noqa: FBT003
            else:
                self._known = Computed(value, began_at)
