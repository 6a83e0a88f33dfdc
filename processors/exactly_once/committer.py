"""The writing half of an exactly-once loop: one batch is committed while the next is read and computed.

What that means for a caller is in `processors.exactly_once.transactor`.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from processors.exactly_once.input_logs import LogChangedError
from processors.exactly_once.pending_commit import BackgroundCall, PendingCommit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import TopicPartition

    from processors.exactly_once.batch import Batch, Output
    from processors.exactly_once.batch_size import BatchSizer
    from processors.exactly_once.client_pair import ClientPair
    from processors.exactly_once.committed_positions import CommittedPositions
    from processors.exactly_once.input_logs import InputLogs
    from processors.exactly_once.overlay import Overlay
    from processors.exactly_once.recovery import Recovery
    from processors.exactly_once.retry import CallWatch
    from processors.exactly_once.state_store import StateStore

WAIT_STEP_S = 1.0


class Committer:
    """Writes the outputs of batches, and commits them with offsets and state. One thread uses it.

    Args:
        clients: The clients.
        input_logs: The topics that are read.
        state_store: The state of the loop; None if it has none.
        committed: Is told of what is committed.
        sizer: Is told how large a committed batch was, and how long it took.
        recovery: What to do when a transaction is aborted.
        calls: Is told of each call that may block.
    """

    def __init__(
        self,
        clients: ClientPair,
        input_logs: InputLogs,
        state_store: StateStore | None,
        committed: CommittedPositions,
        sizer: BatchSizer,
        recovery: Recovery,
        calls: CallWatch,
    ) -> None:
        self._clients = clients
        self._input_logs = input_logs
        self._state_store = state_store
        self._committed = committed
        self._sizer = sizer
        self._recovery = recovery
        self._calls = calls
        self._pending: PendingCommit | None = None

    @property
    def is_committing(self) -> bool:
        """Whether a batch is being committed."""
        return self._pending is not None

    @property
    def overlay(self) -> Overlay | None:
        """The view of the state, with its changes, of the batch that is being committed; None if none is."""
        return None if self._pending is None else self._pending.overlay

    def commit_batch(self, batch: Batch, outputs: Iterable[Output], on_settled: Callable[[bool], None]) -> None:
        """Write the outputs of the batch, and begin to commit them: see `Transactor.commit_batch`."""
        if not batch.offsets:
            outputs, is_empty = _look_ahead(batch, outputs)
            if is_empty:
                on_settled(True)  # noqa: FBT003 the only argument there is
                return
        begin = BackgroundCall(partial(self._begin_transaction, self._pending, batch))
        try:
            outputs = begin.compute_ahead(outputs)
        except BaseException:
            begin.wait()
            self._clients.producer.abort_transaction()
            raise
        begin.wait()
        try:
            is_valid = self.finish()
        except BaseException:
            self._clients.producer.abort_transaction()  # the transaction of this batch has begun
            raise
        if not is_valid or not self._start_commit(batch, begin.failure, outputs, on_settled):
            on_settled(False)  # noqa: FBT003 the only argument there is

    def finish(self) -> bool:
        """Wait until nothing is being committed: see `Transactor.finish_pending_commit`."""
        pending, self._pending = self._pending, None
        if pending is None:
            return True
        pending.wait()
        failure = pending.failure
        if isinstance(failure, KafkaException):
            self._recovery.recover(failure.args[0], pending.records, pending.began_at)
        elif failure is not None:
            raise failure
        else:
            self._take_over(pending)
        committed = failure is None
        pending.on_settled(committed)
        return committed

    def wait(self) -> None:
        """Wait until the commit in progress has ended, and leave it to `finish` to settle its batch."""
        # In steps, because a rebalance waits for this inside another call: the commit is watched in its own thread.
        while self._pending is not None and not self._pending.wait(WAIT_STEP_S):
            with self._calls.track():
                pass

    def _take_over(self, pending: PendingCommit) -> None:
        """Take what is committed as the positions, the size and the state from which the next batch begins."""
        self._recovery.note_committed()
        self._committed.record(pending.positions)
        self._sizer.count_committed(pending.records, pending.output_bytes, time.monotonic() - pending.began_at)
        if self._state_store is not None and pending.overlay is not None:
            self._state_store.apply_overlay(pending.overlay, pending.changelog_ends)

    def _begin_transaction(self, previous: PendingCommit | None, batch: Batch) -> None:
        """Begin the transaction of a batch, unless the previous one is aborted: then the batch will be read again."""
        if previous is not None:
            previous.wait()
        if previous is None or previous.failure is None:
            finish_check = self._input_logs.begin_check()
            idle = None if batch.offsets else self._find_idle_position(previous)
            self._clients.producer.begin_transaction(batch, self._input_logs.topic_ids, idle)
            finish_check()

    def _find_idle_position(self, previous: PendingCommit | None) -> TopicPartition | None:
        """Return a position to commit again with a batch without records; None if this process has committed none yet.

        Only offsets make the broker check that this worker is still in the group (KIP-447). Without them, a worker that
        has lost its partitions and does not know it yet could act on a deadline that another worker acts on as well.
        The position at which reading began is not used: the state store may have none for that partition, and would not
        fit the group's offsets after a restart.
        """
        if previous is not None and previous.positions:
            return previous.positions[0]
        return self._committed.find_any((each.topic, each.partition) for each in self._clients.consumer.started_at)

    def _start_commit(
        self,
        batch: Batch,
        failure: BaseException | None,
        outputs: Iterable[Output],
        on_settled: Callable[[bool], None],
    ) -> bool:
        """Write the outputs and start to commit; False if the transaction is aborted, or failed to begin."""
        producer = self._clients.producer
        try:
            if failure is not None:
                raise failure
            producer.write_outputs(outputs, batch.store_view)
        except LogChangedError as change:
            producer.abort_transaction()
            self._recovery.follow_change(change)
            return False
        except KafkaException as error:
            self._recovery.recover(error.args[0], len(batch.messages), producer.began_at)
            return False
        except BaseException:
            producer.abort_transaction()
            raise
        self._pending = PendingCommit(
            producer.commit_transaction,
            on_settled,
            batch.store_view,
            producer.changelog_ends,
            producer.began_at,
            len(batch.messages),
            producer.output_bytes,
            producer.positions,
        )
        return True


def _look_ahead(batch: Batch, outputs: Iterable[Output]) -> tuple[Iterable[Output], bool]:
    """Return the outputs of a batch without records, and whether there is nothing to commit: no output, no change."""
    computed = iter(outputs)
    first = next(computed, None)
    if first is not None:
        return chain((first,), computed), False
    return (), batch.store_view is None or not batch.store_view.changes
