"""The producer and the consumer of an exactly-once loop, which are opened and closed together."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from processors.exactly_once.consumer import BatchConsumer, Rebalancing
from processors.exactly_once.output_limits import query_output_limits
from processors.exactly_once.producer import TransactionalProducer
from processors.exactly_once.takeover import is_replaced, log_takeover

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from processors.exactly_once.input_logs import InputLogs
    from processors.exactly_once.kafka_errors import ErrorReporter
    from processors.exactly_once.loop_config import LoopConfig
    from processors.exactly_once.retry import CallWatch, RetryPolicy


class ClientPair:
    """The two clients of one loop.

    Args:
        config: Configuration of the loop.
        admin: An admin client, for as long as the process lives: librdkafka may abort the process when a client is
            destroyed whose requests have timed out.
        reporter: Receives the clients' errors.
        retry: How long to wait for the broker.
        calls: Is told of each call that may block.
        input_logs: The topics that are read.
        rebalancing: Prepares assigned partitions, and gives up revoked ones.

    Attributes:
        producer: The producer, once the pair is open.
        consumer: The consumer, once the pair is open.
        output_limits: How large the outputs may be.
    """

    producer: TransactionalProducer
    consumer: BatchConsumer

    def __init__(
        self,
        config: LoopConfig,
        admin: AdminClient,
        reporter: ErrorReporter,
        retry: RetryPolicy,
        calls: CallWatch,
        input_logs: InputLogs,
        rebalancing: Rebalancing,
    ) -> None:
        self.output_limits = config.output_limits
        self._bounds_batches = not config.relies_on_compression
        self._config = config
        self._admin = admin
        self._reporter = reporter
        self._retry = retry
        self._calls = calls
        self._input_logs = input_logs
        self._rebalancing = rebalancing
        self._open_clients = ExitStack()
        self._has_examined_cluster = False

    def open(self) -> None:
        """Fence an earlier process with the same ids, abort the transaction it left open, and join the group.

        Raises:
            InfrastructureError: No broker answers in time, or it rejects the request.
        """
        try:
            self._open_producer()
            if not self._has_examined_cluster:
                self._has_examined_cluster = True
                self._examine_cluster()
            topics = self._input_logs.select_topics()
            self.consumer = BatchConsumer(
                self._config, topics, self._reporter, self._rebalancing, self._is_stopping, self._calls
            )
            self._open_clients.callback(self.consumer.close)
        except KafkaException as failure:
            raise self._reporter.make_fatal_error(failure.args[0]) from None

    def bound_batches(self) -> bool:
        """From the next opening on, write no record batch that a topic accepts only because it is compressed.

        Returns:
            Whether this is a change.
        """
        was_bounded, self._bounds_batches = self._bounds_batches, True
        return not was_bounded

    def is_replaced(self) -> bool:
        """Return whether another process has this worker's place in the group.

        Raises:
            InfrastructureError: The broker refuses the query, or the worker is stopping and it does not answer.
        """
        try:
            return is_replaced(self._admin, self._config, self.consumer.member_id, self._is_stopping, self._calls)
        except KafkaException as failure:
            raise self._reporter.make_fatal_error(failure.args[0]) from None

    def close(self) -> None:
        """Close both clients without leaving the group."""
        with self._calls.track():
            self._open_clients.close()

    def _open_producer(self) -> None:
        self.producer = TransactionalProducer(
            self._config,
            self._reporter,
            self._retry,
            self._calls,
            self.output_limits,
            bounds_batches=self._bounds_batches,
        )
        self._open_clients.callback(self.producer.close)

    def _examine_cluster(self) -> None:
        """Report a process whose place this one takes, and keep to the size limits of the output topics."""
        log_takeover(self._admin, self._config, self._calls)
        self.output_limits = query_output_limits(self._admin, self._config.output_limits, self._calls)
        if self.output_limits != self._config.output_limits:
            self.bound_batches()  # the topics are not as the topic table says
            self.close()
            self._open_producer()

    def _is_stopping(self) -> bool:
        return self._retry.stopping
