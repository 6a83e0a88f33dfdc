"""A transaction that is being committed, in a thread of its own, while the next batch is computed."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from processors.lane.batch import Outgoing
    from processors.lane.ledger import View


def ignore(_: bool) -> None:  # noqa: FBT001 the one thing there is to say
    """Do nothing about how a batch was settled."""


class Flight:
    """One transaction, from its last output to its end.

    Args:
        finish: Commits, and returns when all is committed.
        settled: Is to hear how it ended; called by who waits for it, not here.
        view: What the transaction changes in the ledger, if there is one.

    Attributes:
        done: Whether it has ended, one way or the other.
        failure: What `finish` raised.
    """

    def __init__(self, finish: Callable[[], None], settled: Callable[[bool], None], view: View | None) -> None:
        self.settled = settled
        self.view = view
        self.done = False
        self.failure: BaseException | None = None
        self._finish = finish
        # A thread for each: 0.1 ms of 16. A daemon: a call that never returns shall not keep the process alive.
        self._thread = threading.Thread(target=self._fly, name="commit", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for its end; librdkafka's calls in it are bounded by who makes them."""
        self._thread.join()

    def look_ahead(self, outputs: Iterable[Outgoing]) -> Iterable[Outgoing]:
        """Compute outputs until this transaction has ended, and leave the rest to be computed as they are taken."""
        source = iter(outputs)
        ahead: list[Outgoing] = []
        for output in source:
            ahead.append(output)
            if self.done:
                break
        return chain(ahead, source)

    def _fly(self) -> None:
        try:
            self._finish()
        except BaseException as failure:  # noqa: BLE001 it is raised where the flight is waited for
            self.failure = failure
        self.done = True
