"""The transactional producer of a lane: the offsets of a batch and what it became, in one transaction."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.exactly_once.batch import OutputRun
from processors.exactly_once.config import LoopConfig, producer_properties
from processors.exactly_once.retry import CALL_S, RetryPolicy
from sharing.kafka.clients import explain, make_producer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.exactly_once.batch import Batch, Outgoing
    from processors.exactly_once.kafka_errors import ErrorReporter
    from processors.exactly_once.state_store import Overlay

log = logging.getLogger(__name__)

FULL_S = 0.1  # how long a full queue is given to empty before it is tried again


class TransactionalProducer:
    """One producer, from its opening to its end.

    Args:
        route: Of the lane.
        witness: Hears what goes wrong.
        patience: How long to wait.

    Attributes:
        began: When the last transaction began (`time.monotonic`).
        ends: After the last record of each partition of the ledger, in the last transaction; a new one for each.

    Raises:
        KafkaException: No broker answers in time, or it refuses.
    """

    def __init__(self, route: LoopConfig, witness: ErrorReporter, patience: RetryPolicy) -> None:
        self.began = 0.0
        self.ends: dict[int, int] = {}
        self._ledger = route.state_topic or ""
        self._transaction_s = float(route.transaction_timeout_s)
        self._witness = witness
        self._patience = patience
        self._producer = make_producer(producer_properties(route, witness.on_producer_error, self._on_delivery))
        self._insist(self._producer.init_transactions)

    def serve(self) -> None:
        """Let its callbacks be called."""
        self._producer.poll(0)

    def begin(self, batch: Batch) -> None:
        """Begin a transaction with the offsets of a batch; in a thread of its own, if need be.

        The offsets go first. As long as the transaction before is being ended, the broker takes nothing of a new one:
        for offsets librdkafka asks again after `retry.backoff.ms`, for records only after 20 ms. And who is not of the
        group any more hears it before anything is written.

        Raises:
            KafkaException: The group has gone on without this worker, or the time is up.
        """
        self.began = time.monotonic()
        self.ends = {}
        self._witness.undelivered = ""
        producer = self._producer
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in batch.offsets.items()]
        producer.begin_transaction()
        self._insist(
            lambda limit: producer.send_offsets_to_transaction(offsets, batch.member, limit), self._transaction_s
        )

    def write(self, outputs: Iterable[Outgoing], view: Overlay | None) -> None:
        """Hand outputs and changes to librdkafka.

        Args:
            outputs: May be computed on the way; what that raises is passed on.
            view: What is to change in the ledger, when the outputs are computed.

        Raises:
            KafkaException: A record cannot be taken.
        """
        try:
            self._write(outputs, view)
        except KafkaException as failure:
            if failure.args[0].code() == KafkaError._FATAL:  # noqa: SLF001 librdkafka's own name
                with self._patience.waiting():
                    self._producer.abort_transaction(CALL_S)  # says what is fatal; `produce` only that something is
            raise

    def _write(self, outputs: Iterable[Outgoing], view: Overlay | None) -> None:
        produce = self._producer.produce
        for output in outputs:
            if isinstance(output, OutputRun):
                topic = output.topic
                for key, value in zip(output.keys, output.values, strict=True):
                    try:
                        produce(topic, value, key)
                    except BufferError:
                        self._produce_later(topic, value, key)
            else:
                topic, key, value, headers = output
                try:
                    produce(topic, value, key, -1, None, None, 0, headers)  # by place: a quarter faster
                except BufferError:
                    self._produce_later(topic, value, key, headers=headers)
        for partition, changes in (view.seal() if view is not None else {}).items():
            for key, value in changes.items():
                try:
                    produce(self._ledger, value, key, partition)
                except BufferError:
                    self._produce_later(self._ledger, value, key, partition=partition)

    def finish(self) -> None:
        """Commit; in a thread of its own, if need be.

        Raises:
            KafkaException: Nothing is committed, or the time is up.
        """
        # Later there is nothing to commit: the broker has aborted it. A producer that cannot find its coordinator again
        # (confluentinc/librdkafka#5511) would try for ever; one that is opened anew finds it.
        self._insist(self._producer.commit_transaction, self._transaction_s)

    def abort(self) -> None:
        """Abort the transaction, if there is an answer in time; else its own time-out does."""
        try:
            with self._patience.waiting():
                self._producer.abort_transaction(CALL_S)
        except KafkaException as failure:
            log.warning("a transaction is left to its time-out: %s", explain(failure))

    def close(self) -> None:
        """Forget what is not sent yet: it belongs to no committed transaction."""
        self._producer.purge()

    def _produce_later(self, *what: Any, **more: Any) -> None:
        """Hand a record over as soon as the queue, which is full, takes it: it empties, or its messages time out."""
        while True:
            self._producer.poll(FULL_S)
            try:
                self._producer.produce(*what, **more)
            except BufferError:
                continue
            return

    def _insist(self, call: Any, limit_s: float = float("inf")) -> None:
        self._patience.retry(call, self._producer.poll, limit_s)
        self._witness.mark_connected()

    def _on_delivery(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._witness.on_undelivered(error, message)
        elif message.topic() == self._ledger:
            self.ends[message.partition()] = message.offset() + 1  # those of a partition come in their order
