"""Records each view of content in `national.<st>.uses` before it is shown (Directive (EU) 2016/680, article 25)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from sharing.console.connection import ConsoleConnection
from sharing.errors import SharingError
from sharing.kafka.use_log import Use, UseContext, UseLog

log = logging.getLogger(__name__)

COMMAND: Final = "desk"
"""What opens, in the record of a view."""


class Recorder(Protocol):
    """Writes uses, and returns when the broker has confirmed them."""

    def record(self, uses: list[Use], reader: str | None = None) -> None:
        """Write them; raise a `SharingError` if they are not confirmed."""


class ViewRecorder:
    """Records views, each in the name of the officer who sees it. Thread-safe.

    After a failure the next view gets a new connection: a broker that was away must not end the desk.

    Args:
        open_log: Returns where views are recorded, for the id of the key that opens.
        note_failure: Is called for each view that was not recorded.
    """

    def __init__(self, open_log: Callable[[str], Recorder], note_failure: Callable[[], None] = lambda: None) -> None:
        self._note_failure = note_failure
        self._open_log = open_log
        self._logs: dict[str, Recorder] = {}
        self._lock = threading.Lock()

    def record(self, officer: str, reader_key: str, use: Use) -> bool:
        """Record that an officer is about to see content. Return whether that was confirmed.

        Args:
            officer: Id of the officer.
            reader_key: Id of the key that opens it; "" where the State's own keys do.
            use: What is seen, and when.
        """
        with self._lock:
            recorder = self._logs.get(reader_key)
            try:
                if recorder is None:
                    recorder = self._logs[reader_key] = self._open_log(reader_key)
                recorder.record([use], officer)
            except SharingError as error:
                self._logs.pop(reader_key, None)
                self._note_failure()
                log.warning("content is not shown, because that cannot be recorded: %s", error)
                return False
        return True


def make_view_recorder(
    console: ConsoleConnection, read_clock: Callable[[], int], note_failure: Callable[[], None] = lambda: None
) -> ViewRecorder:
    """Return what records views on the State's topic.

    Args:
        console: The connection.
        read_clock: Returns the time in UTC milliseconds.
        note_failure: Is called for each view that was not recorded.
    """

    def open_log(reader_key: str) -> Recorder:
        context = UseContext("desk", reader_key, COMMAND, console.settings.reader_purpose or "")
        return UseLog(console.servers, console.state, context, console.properties, console.framing, read_clock)

    return ViewRecorder(open_log, note_failure)
