"""The producer side of an exactly-once loop: a batch's offsets, outputs and state changes in one transaction."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.exactly_once.batch import DEFAULT_LIMITS, OutputLimits, OutputRun, count_bytes
from processors.exactly_once.loop_config import LoopConfig, producer_properties
from processors.exactly_once.queue_bound import QueueBound
from processors.exactly_once.retry import CALL_TIMEOUT_S, CallWatch, RetryPolicy
from sharing.kafka.clients import make_producer
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.topic_ids import format_offset_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from processors.exactly_once.batch import Batch, Output
    from processors.exactly_once.kafka_errors import ErrorReporter
    from processors.exactly_once.overlay import Overlay

log = logging.getLogger(__name__)

QUEUE_POLL_S = 0.1  # how long to let a full queue drain before the next attempt
FLUSH_STEP_S = 1.0  # how long to wait for queued records before the state of the transaction is examined


class TransactionalProducer:
    """One producer, from opening to closing.

    Args:
        config: Configuration of the loop.
        reporter: Receives the producer's errors.
        retry: How long to wait for the broker.
        calls: Is told of each call that may block.
        limits: How large the outputs may be.
        bounds_batches: Whether each record batch keeps to the limit of its topic even if it is not compressed.

    Attributes:
        began_at: When the last transaction began (`time.monotonic`).
        changelog_ends: The offset after the last record of each changelog partition in the last transaction; a new
            dictionary for each transaction. Known only if the changelog has copies that outlive the process.
        output_bytes: Size of the outputs of the last transaction, in bytes.
        positions: The offsets of the last transaction.

    Raises:
        KafkaException: No broker answers in time, or it rejects the request.
    """

    def __init__(
        self,
        config: LoopConfig,
        reporter: ErrorReporter,
        retry: RetryPolicy,
        calls: CallWatch,
        limits: OutputLimits = DEFAULT_LIMITS,
        *,
        bounds_batches: bool = True,
    ) -> None:
        self.began_at = 0.0
        self.output_bytes = 0
        self.positions: list[TopicPartition] = []
        self._calls = calls
        self.changelog_ends: dict[int, int] = {}
        self._changelog_topic = config.changelog_topic or ""
        self._transaction_timeout_s = float(config.transaction_timeout_s)
        self._reporter = reporter
        self._retry = retry
        self._bound = QueueBound(limits) if bounds_batches else None
        self._group_metadata: Any = None
        self._producer = make_producer(
            producer_properties(config, reporter.on_producer_error, self._on_delivery, limits)
        )
        self._retry_call(self._producer.init_transactions)

    def poll_callbacks(self) -> None:
        """Run the librdkafka callbacks that are due."""
        self._producer.poll(0)

    def begin_transaction(self, batch: Batch, topic_ids: Mapping[str, str], idle: TopicPartition | None = None) -> None:
        """Begin a transaction with the offsets of a batch; may run in a background thread.

        The ids of its topic and of the changelog are the metadata of each offset, so that it is known which log the
        offset belongs to, and which state.

        The offsets go first. While the broker is still ending the previous transaction, it rejects the requests of a
        new one: librdkafka retries offsets after `retry.backoff.ms`, but records only after 20 ms. And a worker that is
        no longer in the group is rejected before it writes anything.

        Args:
            batch: The batch.
            topic_ids: The ids of the topics.
            idle: The position that is committed again if the batch has none, so that this is checked then, too.

        Raises:
            KafkaException: The group has continued without this worker, or the time is up.
        """
        self.began_at = time.monotonic()
        self.changelog_ends = {}
        self._reporter.undelivered = ""
        producer = self._producer
        if self._bound is not None:
            self._bound.reset()
        self._group_metadata = batch.group_metadata
        offsets = [
            TopicPartition(topic, partition, offset, self._format_metadata(topic, topic_ids))
            for (topic, partition), offset in batch.offsets.items()
        ]
        self.positions = offsets
        if idle is not None and not offsets:
            offsets = [
                TopicPartition(idle.topic, idle.partition, idle.offset, self._format_metadata(idle.topic, topic_ids))
            ]
        producer.begin_transaction()
        self._retry_call(
            lambda limit: producer.send_offsets_to_transaction(offsets, batch.group_metadata, limit),
            self._transaction_timeout_s,
        )

    def _format_metadata(self, topic: str, topic_ids: Mapping[str, str]) -> str:
        return format_offset_metadata(topic_ids.get(topic, ""), topic_ids.get(self._changelog_topic, ""))

    def write_outputs(self, outputs: Iterable[Output], overlay: Overlay | None) -> None:
        """Hand outputs and state changes to librdkafka. What must wait for room is written by `commit_transaction`.

        Args:
            outputs: May be computed while they are written; exceptions from computing them are passed on.
            overlay: The state changes of the batch, complete once its outputs are computed.

        Raises:
            KafkaException: A record cannot be accepted.
        """
        written = chain(outputs, self._iter_changes(overlay))
        if self._bound is not None:
            written = chain.from_iterable(map(self._bound.admit, written))
        with self._show_fatal_error():
            self.output_bytes = self._produce(written)
        if self._bound is not None:
            self.output_bytes += self._bound.count_waiting_bytes()

    def _write_waiting(self, bound: QueueBound) -> None:
        """Write what waits for room. The loop computes the next batch meanwhile: this is not done in its thread."""
        with self._show_fatal_error():
            while bound.has_waiting:
                self._send_queued()
                self._produce(bound.take_waiting())

    @contextmanager
    def _show_fatal_error(self) -> Iterator[None]:
        """Raise a fatal error itself; `produce` reports only that there is one."""
        try:
            yield
        except KafkaException as failure:
            if failure.args[0].code() == KafkaError._FATAL:  # noqa: SLF001 librdkafka's own name
                with self._calls.track():
                    self._producer.abort_transaction(CALL_TIMEOUT_S)
            raise

    def _iter_changes(self, overlay: Overlay | None) -> Iterator[OutputRun]:
        """Yield the records of the changelog; a generator, because they are known once the outputs are computed."""
        for partition, changes in (overlay.freeze() if overlay is not None else {}).items():
            yield OutputRun(self._changelog_topic, list(changes), list(changes.values()), partition)

    def _produce(self, outputs: Iterable[Output]) -> int:
        """Hand outputs to librdkafka, and return their size in bytes."""
        produce, size = self._producer.produce, 0
        for output in outputs:
            size += count_bytes(output)
            if isinstance(output, OutputRun):
                topic, partition = output.topic, output.partition
                for key, value in zip(output.keys, output.values, strict=True):
                    try:
                        produce(topic, value, key, partition)
                    except BufferError:
                        self._produce_when_drained(topic, value, key, partition)
            else:
                topic, key, value, headers, partition = output
                try:
                    # Positional arguments: a quarter faster.
                    produce(topic, value, key, partition, None, None, 0, headers)
                except BufferError:
                    self._produce_when_drained(topic, value, key, partition, headers=headers)
        return size

    def _send_queued(self) -> None:
        """Wait until all records that are queued are delivered or refused.

        Raises:
            KafkaException: The transaction has failed, so that nothing more will be sent.
        """
        while True:
            with self._calls.track():
                if not self._producer.flush(FLUSH_STEP_S):
                    return
            # Sends nothing, but raises the error that the transaction has met, if any; `flush` does not.
            self._retry_call(
                lambda limit: self._producer.send_offsets_to_transaction([], self._group_metadata, limit),
                self._transaction_timeout_s,
            )

    def commit_transaction(self) -> None:
        """Write what still waits for room, and commit the transaction; may run in a background thread.

        Raises:
            KafkaException: A record cannot be accepted, nothing is committed, or the time is up.
        """
        if self._bound is not None:
            self._write_waiting(self._bound)
        # After the timeout there is nothing to commit: the broker has aborted the transaction. A producer that cannot
        # find its coordinator again (confluentinc/librdkafka#5511) would retry forever; a new producer finds it.
        self._retry_call(self._producer.commit_transaction, self._transaction_timeout_s)

    def abort_transaction(self) -> None:
        """Abort the transaction. If no broker answers in time, the transaction's own timeout aborts it."""
        try:
            with self._calls.track():
                self._producer.abort_transaction(CALL_TIMEOUT_S)
        except KafkaException as failure:
            log.warning("a transaction could not be aborted and is left to time out: %s", describe_kafka_error(failure))

    def close(self) -> None:
        """Drop records that have not been sent: they belong to no committed transaction."""
        self._producer.purge()

    def _produce_when_drained(self, *args: Any, **kwargs: Any) -> None:
        """Retry a record that a full queue rejected. The queue drains, or its messages time out."""
        while True:
            self._producer.poll(QUEUE_POLL_S)
            try:
                self._producer.produce(*args, **kwargs)
            except BufferError:
                continue
            return

    def _retry_call(self, call: Any, limit_s: float = float("inf")) -> None:
        self._retry.retry_call(call, self._producer.poll, limit_s)
        self._reporter.mark_connected()

    def _on_delivery(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._reporter.on_undelivered(error, message)
        elif message.topic() == self._changelog_topic:
            self.changelog_ends[message.partition()] = message.offset() + 1  # reports of a partition arrive in order
