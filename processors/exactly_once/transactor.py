"""Reads a batch and commits its results: the two librdkafka clients of an exactly-once loop, driven by one thread.

This module puts the parts of a loop together and reads; `processors.exactly_once.committer` commits, and `recovery`
there opens the clients again.

**What is atomic.** The outputs of a batch, its state changes and the offsets of its records are committed in one Kafka
transaction (KIP-98, KIP-447). A reader with `isolation.level=read_committed` sees all of them or none.

**What is repeated.** Records that were not committed are read again, by this process or by the next owner of their
partitions: after an abort, a crash, SIGKILL, or a lost partition. So a function of a batch is called at least once for
each record, and its results are committed exactly once. The records of a partition keep their order; batch boundaries
may differ each time.

**At most two batches are in progress.** While one is being committed, the next one is read, and computed if it is full.
Its own transaction begins when the previous one is committed, and none of its outputs is written before that. A batch
that is not full waits for that commit, and grows: under a backlog computing and committing overlap, and without one
nothing waits longer than necessary. If the first batch is aborted, the second is discarded with it, and the records of
both are read again.

**What a caller may assume.** Each batch is settled once, in order: `on_settled` is called with True when all of it is
committed, or with False when it is aborted, none of it is committed, and its records will be read again. Partitions
are given up only while nothing is being committed, because the rebalance callbacks run inside `read_batch` and wait for
that; and they are read only after all transactions on their offsets have ended (`docs/adr/0019`). A worker that was
presumed dead cannot commit: its replacement fences the transactional id, and the group rejects an old generation. A
batch sees the state with the changes of all batches before it, and none of an aborted batch
(`processors.exactly_once.state_store`).

**How it recovers.** There is one way for all failures: both clients are closed and opened again. A restart does the
same: the new producer aborts what the old one left open, the new consumer starts at the committed offsets, and state is
restored from its topic. Once a broker has answered, a broker that goes away is waited for without limit. Both clients
are opened again, too, if the group rejects this worker although no other process has its place, as happens after a
broker was away for longer than the session timeout (`processors.exactly_once.takeover`); and if a consumer receives no
assignment, not even an empty one, for `UNASSIGNED_SESSIONS` of its session timeouts: it may have lost its way back to
the group, which librdkafka does not notice. If the group was only slow, this does no harm.

**Which log.** Offsets, state and ids of topics are committed together, and compared with the log at each assignment and
before transactions (`processors.exactly_once.input_logs`): a topic that was created again is read from its beginning,
and a log that does not fit what was processed is not read.

**What stops the process.** Being fenced by another process with the same ids, a missing permission, an output that no
broker accepts, `ABORTS_MAX` aborts in a row, no broker within `start_timeout_s` of the start, an input log that a
person has to look at. Each of these raises `InfrastructureError`, and none of the current batch is committed. A batch
that took too long is halved, and its abort counts only if it had one record.

Keys, values and headers are never logged and never part of an error.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from processors.exactly_once.assignment import Assignment
from processors.exactly_once.batch import Batch, Output, OutputRecord
from processors.exactly_once.batch_maker import BatchMaker
from processors.exactly_once.batch_size import BatchSizer
from processors.exactly_once.changelog import open_state_store
from processors.exactly_once.client_pair import ClientPair
from processors.exactly_once.committed_positions import CommittedPositions
from processors.exactly_once.committer import Committer
from processors.exactly_once.input_logs import InputLogs, LogChangedError
from processors.exactly_once.kafka_errors import ErrorReporter, is_fatal, is_outside_log
from processors.exactly_once.loop_config import LoopConfig
from processors.exactly_once.pending_commit import ignore_outcome
from processors.exactly_once.reached_ends import ReachedEnds
from processors.exactly_once.read_horizon import AdminEndsQuery, ReadHorizon
from processors.exactly_once.recovery import Recovery
from processors.exactly_once.retry import CallWatch, RetryPolicy
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BadBatch
from sharing.kafka.clients import make_admin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Batch", "LoopConfig", "OutputRecord", "Transactor"]

POLL_S = 0.1  # how long a read waits for a first record


class Transactor:
    """A consumer and a transactional producer that act as one. One thread calls it; any thread may call `begin_stop`.

    Args:
        config: Configuration of the loop.
        clock: Returns the time in UTC milliseconds; called once for each batch.

    Attributes:
        horizon: Up to which instant everything has been read; None if the configuration has no `horizon_clock`.
    """

    def __init__(self, config: LoopConfig, clock: Callable[[], int]) -> None:
        self._config = config
        self._reporter = ErrorReporter(config)
        self._calls = CallWatch()
        self._retry = RetryPolicy(self._calls)
        admin = make_admin(config.bootstrap, config.client_properties)
        self._input_logs = InputLogs(config, admin, self._is_stopping, self._calls)
        self._state_store = (
            open_state_store(config, admin, self._is_stopping, clock, self._calls) if config.changelog_topic else None
        )
        self._committed = CommittedPositions()
        self.horizon = (
            None if config.horizon_clock is None else ReadHorizon(partial(AdminEndsQuery, admin), config.horizon_clock)
        )
        ends = ReachedEnds()
        self._assignment = Assignment(
            self._input_logs, self._state_store, self._await_pending_commit, self._committed, ends, self.horizon
        )
        self._clients = ClientPair(
            config, admin, self._reporter, self._retry, self._calls, self._input_logs, self._assignment
        )
        self._batches = BatchMaker(
            self._clients, self._input_logs, self._state_store, ends, self.horizon, clock, config.idle_batch_s
        )
        self._sizer = BatchSizer(config.batch_records_max, config.output_bytes_max, config.transaction_timeout_s)
        self._recovery = Recovery(
            config,
            self._clients,
            self._reporter,
            self._retry,
            self._sizer,
            self._input_logs,
            self._state_store,
            self._committed,
        )
        self._committer = Committer(
            self._clients,
            self._input_logs,
            self._state_store,
            self._committed,
            self._sizer,
            self._recovery,
            self._calls,
        )

    @property
    def call_started_at(self) -> float | None:
        """When the oldest librdkafka call in progress began (`time.monotonic`); None between calls."""
        return self._calls.started_at

    @property
    def answered_at(self) -> float | None:
        """When a broker last answered a query outside the consumer's statistics (`time.monotonic`); None before."""
        return self._calls.answered_at

    def open(self) -> None:
        """Fence an earlier process with the same ids, abort the transaction it left open, and join the group.

        Raises:
            InfrastructureError: No broker answers within `start_timeout_s`, or it rejects the request.
        """
        self._retry.begin_start(self._config.start_timeout_s)
        self._clients.open()
        self._retry.finish_start()

    def read_batch(self) -> Batch | None:
        """Wait briefly for a record, then read all available records up to the limits; None if there are none.

        Where there has been no record for `idle_batch_s`, the batch has none.

        Raises:
            InfrastructureError: Fenced, or not permitted.
        """
        try:
            return self._read_batch()
        except KafkaException as failure:
            raise self._reporter.make_fatal_error(failure.args[0]) from None

    def _read_batch(self) -> Batch | None:
        messages, unreadable = self._collect_messages()
        failed = [message for message in messages if message.error()]
        errors = [message.error() for message in failed]
        if any(map(is_outside_log, errors)):
            # Another leader has another log, or the topic was created again: start again at a known offset.
            if self.finish_pending_commit():
                self._recovery.reopen_clients()
            return None
        if rejection := next(filter(is_fatal, errors), None):
            if self.finish_pending_commit():
                self._recovery.rejoin(rejection)
            return None
        if errors:
            messages = [message for message in messages if not message.error()]
            unreadable += self._clients.consumer.skip_bad_batches(failed)
            self._reporter.handle_errors(error for error in errors if error.code() not in BAD_BATCH_ERRORS)
        self._batches.note_ends()
        if not messages and not unreadable:
            self._check_logs_when_idle()
            is_due = self._batches.is_idle_batch_due and not self._committer.is_committing and not self._is_stopping()
            return self._make_batch([], []) if is_due else None
        self._reporter.mark_connected()
        return self._make_batch(messages, unreadable)

    def _check_logs_when_idle(self) -> None:
        if not self._committer.is_committing and self._input_logs.topic_ids:
            try:
                self._input_logs.check_when_idle()
            except LogChangedError as change:
                self._recovery.follow_change(change)

    def _make_batch(self, messages: list[Any], unreadable: list[BadBatch]) -> Batch:
        return self._batches.make(messages, unreadable, self._committer.overlay)

    def commit_batch(
        self, batch: Batch, outputs: Iterable[Output], on_settled: Callable[[bool], None] = ignore_outcome
    ) -> None:
        """Write the outputs of the batch, and begin to commit them with its offsets.

        Args:
            batch: The batch that `read_batch` returned last.
            outputs: May be computed while they are written; an exception from that aborts the transaction and is
                passed on.
            on_settled: Called with True when the batch is committed or False when it is aborted, during this call or a
                later one of any method.

        Raises:
            InfrastructureError: The process must stop.
        """
        self._committer.commit_batch(batch, outputs, on_settled)

    def finish_pending_commit(self) -> bool:
        """Wait until nothing is being committed.

        Returns:
            Whether the records read since are still valid. If not, the previous batch was aborted, and both clients
            have been opened again.

        Raises:
            InfrastructureError: The process must stop.
        """
        return self._committer.finish()

    def commit_last_outputs(self) -> None:
        """Commit what is still to be written before a clean stop, if the configuration says so.

        Raises:
            SharingError: It cannot be computed or committed. Nothing depends on it: what was committed stays.
        """
        compute = self._config.last_outputs
        if compute is None or not self._clients.consumer.is_assigned or not self.finish_pending_commit():
            return
        self._batches.forget_ends()
        batch = self._make_batch([], [])
        self.commit_batch(batch, compute(batch))
        self.finish_pending_commit()

    def begin_stop(self) -> None:
        """From now on wait no longer than a transaction may take."""
        self._retry.begin_stop(self._config.transaction_timeout_s)

    def close(self) -> None:
        """Close both clients without leaving the group.

        As a static member, this worker keeps its partitions until its session times out.
        """
        self._await_pending_commit()
        self._recovery.close_clients()
        if self._state_store is not None:
            self._state_store.close()

    def _is_stopping(self) -> bool:
        return self._retry.stopping

    def _collect_messages(self) -> tuple[list[Any], list[BadBatch]]:
        """Return a full batch immediately, or after the previous commit a smaller one with all records read so far."""
        self._clients.consumer.fetched.records_max = self._sizer.limit
        if self._committer.is_committing:
            self._fill_batch(0)
            if self._clients.consumer.fetched.is_full:
                return self._clients.consumer.fetched.take()
            if not self.finish_pending_commit():
                return [], []
        self._clients.producer.poll_callbacks()
        self._fill_batch(POLL_S)
        messages, unreadable = self._clients.consumer.fetched.take()
        if not messages:
            self._recovery.reopen_if_unassigned()
        return messages, unreadable

    def _fill_batch(self, wait_s: float) -> None:
        if not self._clients.consumer.fill_batch(wait_s) and self.finish_pending_commit():
            self._recovery.reopen_clients()

    def _await_pending_commit(self) -> None:
        self._committer.wait()
