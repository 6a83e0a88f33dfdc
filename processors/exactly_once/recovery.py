"""What an exactly-once loop does after a failure: it opens both clients again, or gives up.

Which failures there are, and why one way serves for all of them, is in `processors.exactly_once.transactor`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from processors.exactly_once.kafka_errors import is_fatal, is_fenced_producer, is_permanent, is_too_large
from sharing.kafka.clients import UNASSIGNED_SESSIONS
from sharing.kafka.errors import describe_kafka_error

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

    from processors.exactly_once.batch_size import BatchSizer
    from processors.exactly_once.client_pair import ClientPair
    from processors.exactly_once.committed_positions import CommittedPositions
    from processors.exactly_once.input_logs import InputLogs, LogChangedError
    from processors.exactly_once.kafka_errors import ErrorReporter
    from processors.exactly_once.loop_config import LoopConfig
    from processors.exactly_once.retry import RetryPolicy
    from processors.exactly_once.state_store import StateStore

log = logging.getLogger(__name__)

ABORTS_MAX = 5


class Recovery:
    """Opens the clients of one loop again, and counts the aborts. One thread uses it, while nothing is being committed.

    Args:
        config: Configuration of the loop.
        clients: The clients.
        reporter: Makes the errors that stop the process.
        retry: How long to wait for the broker.
        sizer: How many records a batch may have.
        input_logs: The topics that are read.
        state_store: The state of the loop; None if it has none.
        committed: What this process has committed itself.
    """

    def __init__(
        self,
        config: LoopConfig,
        clients: ClientPair,
        reporter: ErrorReporter,
        retry: RetryPolicy,
        sizer: BatchSizer,
        input_logs: InputLogs,
        state_store: StateStore | None,
        committed: CommittedPositions,
    ) -> None:
        self._config = config
        self._clients = clients
        self._reporter = reporter
        self._retry = retry
        self._sizer = sizer
        self._input_logs = input_logs
        self._state_store = state_store
        self._committed = committed
        self._aborts = 0

    def note_committed(self) -> None:
        """Note that a transaction is committed: aborts are counted from here."""
        self._aborts = 0
        self._reporter.reset_warnings()

    def recover(self, error: KafkaError, records: int, began_at: float) -> None:
        """Open both clients again after a failed transaction, or give up.

        Args:
            error: The error.
            records: Number of records of the batch.
            began_at: When the transaction began (`time.monotonic`).

        Raises:
            InfrastructureError: The process must stop.
        """
        # A broker that aborts an expired transaction also fences its producer, even if no other process exists.
        expired = time.monotonic() - began_at > self._config.transaction_timeout_s
        if is_fatal(error) and not (expired and is_fenced_producer(error)):
            raise self._reporter.make_fatal_error(error)
        cause = self._reporter.undelivered or describe_kafka_error(error)
        if is_too_large(error) and self._clients.bound_batches():
            log.warning(
                "a record batch is larger than its topic accepts, although it is compressed; from now on each one "
                "keeps to the limit without compression, and this batch is processed again: %s",
                cause,
            )
            self.reopen_clients()
            return
        is_smaller = False
        if expired:
            is_smaller = self._sizer.count_expired(records)
            self._check_for_replacement()
        if not is_smaller:  # a restart would begin with large batches again
            self._aborts += 1
        if is_permanent(error) or self._retry.is_expired() or self._aborts == ABORTS_MAX:
            self._clients.producer.abort_transaction()
            raise self._reporter.make_fatal_error(error, self._aborts)
        log.warning("a transaction is aborted and its batch is processed again: %s", cause)
        self.reopen_clients()

    def follow_change(self, change: LogChangedError) -> None:
        """Open both clients again after a topic was deleted or created again."""
        log.warning("a topic was deleted or created again: %s; both clients are opened again", change)
        self._committed.forget()
        self.reopen_clients()

    def reopen_if_unassigned(self) -> None:
        """Open both clients again if the group has assigned nothing for long.

        Raises:
            InfrastructureError: Another process has taken this member's place.
        """
        unassigned_s = self._clients.consumer.seconds_without_assignment
        limit_s = UNASSIGNED_SESSIONS * self._config.session_timeout_s
        if unassigned_s > limit_s and not self._retry.stopping:
            log.warning("no partition could be read for %.0f s; both clients are opened again", unassigned_s)
            self._check_for_replacement()
            self.reopen_clients()

    def rejoin(self, rejection: KafkaError) -> None:
        """Open both clients again after the group has rejected this member, which no other process has replaced.

        That is so after a broker was away for longer than the session timeout.

        Args:
            rejection: The fatal error of the consumer.

        Raises:
            InfrastructureError: Another process has taken this member's place.
        """
        self._stop_if_replaced(rejection)
        log.warning(
            "the session in the group has expired, and no other process has taken it over; both clients are "
            "opened again"
        )
        self.reopen_clients()

    def _check_for_replacement(self) -> None:
        """Stop if another process has taken this member's place: opening the clients again would fence it."""
        rejection = self._clients.consumer.await_rejection()
        if rejection is not None:
            self._stop_if_replaced(rejection)

    def _stop_if_replaced(self, rejection: KafkaError) -> None:
        if self._clients.is_replaced():
            raise self._reporter.make_fatal_error(rejection)

    def reopen_clients(self) -> None:
        """Close both clients and the copies of the state, and open the clients again."""
        self._input_logs.forget_ids()
        self.close_clients()
        self._clients.open()

    def close_clients(self) -> None:
        """Close both clients and the copies of the state."""
        self._clients.close()
        if self._state_store is not None:
            self._state_store.close_partitions()
