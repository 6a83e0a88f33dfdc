"""Background threads that wait for the broker while outputs are computed: to begin and to commit a transaction."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from processors.exactly_once.batch import Output
    from processors.exactly_once.state_store import Overlay


def ignore_outcome(_: bool) -> None:  # noqa: FBT001 the signature of `on_settled`
    """Do nothing with the outcome of a batch."""


class BackgroundCall:
    """A call that waits for the broker in a separate thread.

    Args:
        call: The function to call.

    Attributes:
        done: Whether the call has returned or raised.
        failure: The exception that the call raised, or None.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self.done = False
        self.failure: BaseException | None = None
        self._call = call
        # A new thread for each call costs 0.1 ms of 16. It is a daemon thread, because a call that never returns must
        # not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="background-call", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the call has ended. The call itself limits how long librdkafka may take."""
        self._thread.join()

    def compute_ahead(self, outputs: Iterable[Output]) -> Iterable[Output]:
        """Compute outputs until the call has ended; the remaining ones are computed when they are consumed."""
        source = iter(outputs)
        computed: list[Output] = []
        for output in source:
            computed.append(output)
            if self.done:
                break
        return chain(computed, source)

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as failure:  # noqa: BLE001 raised by the thread that waits for the call
            self.failure = failure
        self.done = True


class PendingCommit(BackgroundCall):
    """The commit of one transaction.

    Args:
        commit: Commits, and returns when everything is committed.
        on_settled: To be called with the outcome, committed (True) or aborted (False), by the thread that waits for
            the commit; not called here.
        overlay: The state changes of the transaction; None without a state store.
        changelog_ends: The offset after the last record of each changelog partition; complete once the commit ends.
        began_at: When the transaction began (`time.monotonic`).
    """

    def __init__(
        self,
        commit: Callable[[], None],
        on_settled: Callable[[bool], None],
        overlay: Overlay | None,
        changelog_ends: Mapping[int, int],
        began_at: float,
    ) -> None:
        self.on_settled = on_settled
        self.overlay = overlay
        self.changelog_ends = changelog_ends
        self.began_at = began_at
        super().__init__(commit)
