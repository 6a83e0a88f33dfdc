"""Read a batch, commit what came of it: the two librdkafka clients behind a lane, driven by one thread.

**What is atomic.** The outputs of a batch, its changes to the ledger and the offsets of its records are committed in
one Kafka transaction (KIP-98, KIP-447). A reader with `isolation.level=read_committed` sees all of them or none.

**What is repeated.** What was not committed is read again, by this process or by the next owner of its
partitions: after an abort, a crash, SIGKILL, a lost partition. So a function of a batch is called at least once
for each record, and what it made is committed exactly once. The records of a partition keep their order; where a
batch begins and ends may differ each time.

**Two batches are out at most.** While one is being committed, the next is read, and computed if it is full. Its own
transaction begins when the one before is committed, and nothing of it is written sooner. A batch that is not full waits
for that, and grows: so under a backlog computing and committing overlap, and without one nothing waits longer than it
must. If the first is aborted, the second is discarded with it, and the records of both come again.

**What a caller may assume.** Each batch is settled once, in order: with True when all of it is committed, with False
when nothing is and its records will come again. Partitions are given up only when nothing is being committed, because
the callbacks of a rebalance run inside `read` and wait for that, and taken only when no transaction holds their
offsets back (`docs/adr/0019`). Who was thought dead cannot commit: the transactional id is fenced by a successor, the
generation of the group by the group. A batch sees the ledger with the changes of all batches before it, and of none
that was aborted (`processors.exactly_once.state_store`).

**How it recovers.** One way for all: both clients are closed and opened anew. That is what a restart does, too:
the new producer aborts what the old one left, the new consumer starts at the committed offsets, the ledger is read
from its topic. A broker that goes away is waited for without end, once one has answered. A consumer that
hears of no assignment, not even of none, for `UNASSIGNED_SESSIONS` of its sessions may have lost its way back to the
group, which librdkafka does not notice. Both are opened anew then, too; where the group was only slow, no harm is done.

**What ends the process.** Fenced by another process with the same ids, a missing permission, an output that no
broker will take, `ABORTS_MAX` aborts in a row, no broker within `start_timeout_s` of the start. Each is raised as
`InfrastructureError`, and nothing of the batch at hand is committed.

No key, value or header is ever logged or part of an error.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from processors.exactly_once.batch import Batch, Outgoing, OutputRecord
from processors.exactly_once.changelog import open_state_store
from processors.exactly_once.config import LoopConfig
from processors.exactly_once.consumer import BatchConsumer
from processors.exactly_once.kafka_errors import ErrorReporter, is_fatal, is_fenced_producer, is_permanent
from processors.exactly_once.pending_commit import BackgroundCall, PendingCommit, ignore
from processors.exactly_once.producer import TransactionalProducer
from processors.exactly_once.retry import RetryPolicy
from sharing.kafka.clients import UNASSIGNED_SESSIONS, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import KafkaError

    from processors.exactly_once.state_store import StateStore

__all__ = ["Batch", "LoopConfig", "OutputRecord", "Transactor"]

log = logging.getLogger(__name__)

ABORTS_MAX = 5
POLL_S = 0.1  # how long a read waits for a first record


class Transactor:
    """A consumer and a transactional producer that act as one. One thread calls it; any thread may call `stop`."""

    _outbox: TransactionalProducer
    _inbox: BatchConsumer

    def __init__(self, route: LoopConfig, clock: Callable[[], int]) -> None:
        self._route = route
        self._clock = clock
        self._witness = ErrorReporter(route)
        self._patience = RetryPolicy()
        self._clients = ExitStack()
        self._ledger = open_state_store(route, self._is_stopping, clock) if route.state_topic else None
        self._flight: PendingCommit | None = None
        self._aborts = 0

    @property
    def waiting_since(self) -> float | None:
        """When the call that librdkafka has not returned from yet began (`time.monotonic`), or None."""
        return self._patience.waiting_since

    def open(self) -> None:
        """Fence an earlier process with the same ids, abort what it left open, and join the group.

        Raises:
            InfrastructureError: No broker answers within `start_timeout_s`, or it refuses.
        """
        self._patience.start(self._route.start_timeout_s)
        self._open()
        self._patience.wait_without_limit()

    def read(self) -> Batch | None:
        """Wait shortly for a record, then take all that is there, up to the limits; None when there is none.

        Raises:
            InfrastructureError: Fenced, or not permitted.
        """
        try:
            messages = self._collect()
            if self._ledger is not None and not self._restore(self._ledger):
                return None
        except KafkaException as failure:
            raise self._witness.fatal_error(failure.args[0]) from None
        errors = [message.error() for message in messages if message.error()]
        if errors:
            self._witness.handle_errors(errors)
            messages = [message for message in messages if not message.error()]
        if not messages:
            return None
        self._witness.mark_connected()
        offsets = {(message.topic(), message.partition()): message.offset() + 1 for message in messages}
        below = self._flight.view if self._flight is not None else None
        view = self._ledger.view(below) if self._ledger is not None else None
        return Batch(messages, self._clock(), offsets, self._inbox.member, view)

    def commit(self, batch: Batch, outputs: Iterable[Outgoing], settled: Callable[[bool], None] = ignore) -> None:
        """Write the outputs of the batch, and begin to commit them with its offsets.

        Args:
            batch: The last one that `read` returned.
            outputs: May be computed on the way; what that raises aborts the transaction and is passed on.
            settled: Is told whether all is committed: during this call, or a later one of any method.

        Raises:
            InfrastructureError: The process must end.
        """
        begin = BackgroundCall(partial(self._begin, self._flight, batch))
        try:
            outputs = begin.look_ahead(outputs)
        except BaseException:
            begin.wait()
            self._outbox.abort()
            raise
        begin.wait()
        try:
            good = self.settle()
        except BaseException:
            self._outbox.abort()  # what has begun
            raise
        if not good or not self._launch(batch, begin.failure, outputs, settled):
            settled(False)  # noqa: FBT003 the one thing there is to say

    def settle(self) -> bool:
        """Wait until nothing is being committed.

        Returns:
            Whether what was read stays good. If not, the batch before was aborted, and all begins anew.

        Raises:
            InfrastructureError: The process must end.
        """
        flight, self._flight = self._flight, None
        if flight is None:
            return True
        flight.wait()
        failure = flight.failure
        if isinstance(failure, KafkaException):
            self._recover(failure.args[0], flight.began)
        elif failure is not None:
            raise failure
        else:
            self._aborts = 0
            self._witness.forget()
            if self._ledger is not None and flight.view is not None:
                self._ledger.apply(flight.view, flight.ends)
        committed = failure is None
        flight.settled(committed)
        return committed

    def stop(self) -> None:
        """From now on wait for nothing longer than a transaction may take."""
        self._patience.stop(self._route.transaction_timeout_s)

    def close(self) -> None:
        """Leave; as a static member, so that the partitions wait for this worker until the session's time-out."""
        self._close_clients()
        if self._ledger is not None:
            self._ledger.close()

    def _open(self) -> None:
        witness = self._witness
        try:
            self._outbox = TransactionalProducer(self._route, witness, self._patience)
            self._clients.callback(self._outbox.close)
            self._inbox = BatchConsumer(self._route, witness, self._give_up, self._is_stopping)
            self._clients.callback(self._inbox.close)
        except KafkaException as failure:
            raise witness.fatal_error(failure.args[0]) from None

    def _close_clients(self) -> None:
        if self._flight is not None:
            self._flight.wait()
        with self._patience.waiting():
            self._clients.close()
        if self._ledger is not None:
            self._ledger.revoke()

    def _is_stopping(self) -> bool:
        return self._patience.stopping

    def _restore(self, ledger: StateStore) -> bool:
        """Read back what the ledger says of partitions that are new here; False when that is not to be waited for."""
        if self._inbox.fresh:
            if not self.settle() or not ledger.assign(self._inbox.fresh):
                return False
            self._inbox.fresh.clear()
        return True

    def _collect(self) -> list[Any]:
        """Take a full batch at once; with what is less, wait until the batch before is committed, and take more."""
        if self._flight is not None:
            self._fill(0)
            if self._inbox.full:
                return self._inbox.take()
            if not self.settle():
                return []
        self._outbox.serve()
        self._fill(POLL_S)
        messages = self._inbox.take()
        alone_s = self._inbox.unassigned_s
        if not messages and alone_s > UNASSIGNED_SESSIONS * self._route.session_timeout_s and not self._is_stopping():
            log.warning("there was nothing to read from for %.0f s; clients are opened anew", alone_s)
            self._inbox.listen()  # for an heir, as after a transaction that outlived its time
            self._reopen()
        return messages

    def _fill(self, wait_s: float) -> None:
        if not self._inbox.fill(wait_s) and self.settle():
            self._reopen()

    def _give_up(self, partitions: set[int]) -> None:
        if self._flight is not None:
            self._flight.wait()
        if self._ledger is not None:
            self._ledger.revoke(partitions)

    def _begin(self, before: PendingCommit | None, batch: Batch) -> None:
        """Begin the transaction of a batch, unless the one before is aborted: then the batch is read again."""
        if before is not None:
            before.wait()
        if before is None or before.failure is None:
            self._outbox.begin(batch)

    def _launch(
        self,
        batch: Batch,
        failure: BaseException | None,
        outputs: Iterable[Outgoing],
        settled: Callable[[bool], None],
    ) -> bool:
        """Write the outputs, and let them be committed; False when the transaction is aborted, or failed to begin."""
        outbox = self._outbox
        try:
            if failure is not None:
                raise failure
            outbox.write(outputs, batch.state)
        except KafkaException as error:
            self._recover(error.args[0], outbox.began)
            return False
        except BaseException:
            outbox.abort()
            raise
        self._flight = PendingCommit(outbox.finish, settled, batch.state, outbox.ends, outbox.began)
        return True

    def _recover(self, error: KafkaError, began: float) -> None:
        """Begin anew after a failed transaction that began then (`time.monotonic`), or give up."""
        # A broker that aborts a transaction for its age fences its producer, too: nobody else has to be there.
        outlived = time.monotonic() - began > self._route.transaction_timeout_s
        if is_fatal(error) and not (outlived and is_fenced_producer(error)):
            raise self._witness.fatal_error(error)
        if outlived:
            self._inbox.listen()  # for an heir: to open anew would fence it
        self._aborts += 1
        if is_permanent(error) or self._patience.is_expired() or self._aborts == ABORTS_MAX:
            self._outbox.abort()
            raise self._witness.fatal_error(error, self._aborts)
        log.warning(
            "a transaction is aborted and its batch done again: %s", self._witness.undelivered or explain(error)
        )
        self._reopen()

    def _reopen(self) -> None:
        self._close_clients()
        self._open()
