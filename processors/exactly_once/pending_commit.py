"""Background threads that wait for the broker while outputs are computed: to begin and to commit a transaction."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING

from processors.exactly_once.batch import Output, count_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from confluent_kafka import TopicPartition

    from processors.exactly_once.overlay import Overlay


COMPUTED_AHEAD_BYTES_MAX = 32 * 1024 * 1024


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

    def wait(self, limit_s: float | None = None) -> bool:
        """Wait until the call has ended; return whether it has. The call itself limits how long librdkafka may take.

        Args:
            limit_s: How long to wait, in seconds; None for as long as the call takes.
        """
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def compute_ahead(self, outputs: Iterable[Output]) -> Iterable[Output]:
        """Compute outputs until the call has ended; the remaining ones are computed when they are consumed.

        Not more than `COMPUTED_AHEAD_BYTES_MAX` bytes: the outputs for many recipients can be much larger than memory.
        """
        source = iter(outputs)
        computed: list[Output] = []
        size = 0
        for output in source:
            computed.append(output)
            size += count_bytes(output)
            if self.done or size > COMPUTED_AHEAD_BYTES_MAX:
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
        records: Number of records of the batch.
        output_bytes: Size of their outputs, in bytes.
        positions: The offsets that the transaction commits.
    """

    def __init__(
        self,
        commit: Callable[[], None],
        on_settled: Callable[[bool], None],
        overlay: Overlay | None,
        changelog_ends: Mapping[int, int],
        began_at: float,
        records: int,
        output_bytes: int,
        positions: Sequence[TopicPartition] = (),
    ) -> None:
        self.positions = positions
        self.on_settled = on_settled
        self.overlay = overlay
        self.changelog_ends = changelog_ends
        self.began_at = began_at
        self.records = records
        self.output_bytes = output_bytes
        super().__init__(commit)
