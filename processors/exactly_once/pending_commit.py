"""What the broker is waited for in a thread of its own, while outputs are computed: a transaction's begin and end."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from processors.exactly_once.batch import Outgoing
    from processors.exactly_once.state_store import Overlay


def ignore(_: bool) -> None:  # noqa: FBT001 the one thing there is to say
    """Do nothing about how a batch was settled."""


class BackgroundCall:
    """A call that waits for the broker.

    Args:
        work: What to call.

    Attributes:
        done: Whether it has ended, one way or the other.
        failure: What it raised.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.done = False
        self.failure: BaseException | None = None
        self._work = work
        # A thread for each: 0.1 ms of 16. A daemon: a call that never returns shall not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="errand", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for its end; librdkafka's calls in it are bounded by who makes them."""
        self._thread.join()

    def look_ahead(self, outputs: Iterable[Outgoing]) -> Iterable[Outgoing]:
        """Compute outputs until the call has ended, and leave the rest to be computed as they are taken."""
        source = iter(outputs)
        ahead: list[Outgoing] = []
        for output in source:
            ahead.append(output)
            if self.done:
                break
        return chain(ahead, source)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as failure:  # noqa: BLE001 it is raised where the call is waited for
            self.failure = failure
        self.done = True


class PendingCommit(BackgroundCall):
    """The end of one transaction.

    Args:
        finish: Commits, and returns when all is committed.
        settled: Is to hear how it ended; called by who waits for it, not here.
        view: What the transaction changes in the ledger, if there is one.
        ends: After the last record of each partition of the ledger; complete when it has ended.
        began: When the transaction began (`time.monotonic`).
    """

    def __init__(
        self,
        finish: Callable[[], None],
        settled: Callable[[bool], None],
        view: Overlay | None,
        ends: Mapping[int, int],
        began: float,
    ) -> None:
        self.settled = settled
        self.view = view
        self.ends = ends
        self.began = began
        super().__init__(finish)
