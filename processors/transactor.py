"""Read a batch, commit what came of it: the two librdkafka clients behind a lane, driven by one thread.

**What is atomic.** The outputs of a batch and the offsets of its records are committed in one Kafka transaction
(KIP-98, KIP-447). A reader with `isolation.level=read_committed` sees all of them or none.

**What is repeated.** What was not committed is read again, by this process or by the next owner of its
partitions: after an abort, a crash, SIGKILL, a lost partition. So a function of a batch is called at least once
for each record, and what it made is committed exactly once. The records of a partition keep their order; where a
batch begins and ends may differ each time.

**What a caller may assume.** One batch is out at a time. `commit` returns True when all of it is committed, and
False when nothing is and its records will come again. Partitions are given up between batches only, because the
callbacks of a rebalance run inside `read`, in the thread that also commits. Who was thought dead cannot commit:
the transactional id is fenced by a successor, the generation of the group by the group.

**How it recovers.** One way for all: both clients are closed and opened anew. That is what a restart does, too:
the new producer aborts what the old one left, the new consumer starts at the committed offsets. A broker that
goes away is waited for without end, once one has answered.

**What ends the process.** Fenced by another process with the same ids, a missing permission, an output that no
broker will take, `ABORTS_MAX` aborts in a row, no broker within `start_timeout_s` of the start. Each is raised as
`InfrastructureError`, and nothing of the batch at hand is committed.

No key, value or header is ever logged or part of an error.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition

from processors.batch import Batch, Output
from processors.kafka_errors import is_fatal, is_fenced_producer, is_hopeless, is_outage, is_passing
from processors.lane_config import Route, consumer_properties, producer_properties
from sharing.errors import InfrastructureError
from sharing.kafka.clients import explain, make_consumer, make_producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from confluent_kafka import Consumer, KafkaError, Producer

__all__ = ["Batch", "Output", "Route", "Transactor"]

log = logging.getLogger(__name__)

ABORTS_MAX = 5
CALL_S = 1.0  # how long a call may block before the call to stop is looked at
POLL_S = 0.1  # how long a read waits for a first record
CHUNK = 1_000  # records between two looks at the size of a batch


class Transactor:
    """A consumer and a transactional producer that act as one. One thread calls it; any thread may call `stop`.

    Attributes:
        waiting_since: When the call that librdkafka has not returned from yet began (`time.monotonic`), or None.
    """

    _producer: Producer
    _consumer: Consumer

    def __init__(self, route: Route, clock: Callable[[], int]) -> None:
        self.waiting_since: float | None = None
        self._route = route
        self._clock = clock
        self._clients = ExitStack()
        self._deadline = self._end = float("inf")  # of the start, and of everything once it is to stop
        self._opened = False
        self._member: Any = None
        self._revoked = self._assigned = False  # during the current call of `consume`
        self._began = 0.0
        self._aborts = 0
        self._undelivered = ""
        self._silent = False
        self._warned: set[int] = set()

    def open(self) -> None:
        """Fence an earlier process with the same ids, abort what it left open, and join the group.

        Raises:
            InfrastructureError: No broker answers within `start_timeout_s`, or it refuses.
        """
        self._deadline = time.monotonic() + self._route.start_timeout_s
        self._open()
        self._deadline = float("inf")
        self._opened = True

    def read(self) -> Batch | None:
        """Wait shortly for a record, then take all that is there, up to the limits; None when there is none.

        Raises:
            InfrastructureError: Fenced, or not permitted.
        """
        try:
            self._producer.poll(0)  # serves its callbacks
            messages = self._drain()
        except KafkaException as failure:
            raise self._give_up(failure.args[0]) from None
        errors = [message.error() for message in messages if message.error()]
        if errors:
            self._heed(errors)
            messages = [message for message in messages if not message.error()]
        if not messages:
            return None
        self._hear()
        offsets = {(message.topic(), message.partition()): message.offset() + 1 for message in messages}
        return Batch(messages, self._clock(), offsets, self._member)

    def commit(self, batch: Batch, outputs: Iterable[Output]) -> bool:
        """Write the outputs and the offsets of the batch in one transaction.

        Args:
            batch: The last one that `read` returned.
            outputs: May be computed on the way; what that raises aborts the transaction and is passed on.

        Returns:
            Whether all is committed. If not, nothing is, and the records will be read again.

        Raises:
            InfrastructureError: The process must end.
        """
        self._undelivered = ""
        self._began = time.monotonic()
        try:
            self._attempt(batch, outputs)
        except KafkaException as failure:
            self._recover(failure.args[0])
            return False
        except BaseException:
            self._abort()
            raise
        self._aborts = 0
        self._warned.clear()
        return True

    def stop(self) -> None:
        """From now on wait for nothing longer than a transaction may take."""
        self._end = time.monotonic() + (self._route.transaction_timeout_s if self._opened else 0)

    def close(self) -> None:
        """Leave; as a static member, so that the partitions wait for this worker until the session's time-out."""
        with self._waiting():
            self._clients.close()

    def _open(self) -> None:
        try:
            self._producer = make_producer(producer_properties(self._route, self._on_producer_error, self._on_delivery))
            self._clients.callback(self._producer.purge)
            self._insist(self._producer.init_transactions)
            self._consumer = make_consumer(consumer_properties(self._route, self._on_error))
            self._clients.callback(self._consumer.close)
            hooks = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_revoke}
            self._consumer.subscribe(list(self._route.topics), **hooks)
        except KafkaException as failure:
            raise self._give_up(failure.args[0]) from None

    def _drain(self) -> list[Any]:
        room, consume = self._route.batch_records_max, self._consumer.consume
        messages = consume(1, POLL_S)
        size = sum(map(len, messages))
        while messages and len(messages) < room and size < self._route.batch_bytes_max:
            self._revoked = self._assigned = False
            more = consume(min(CHUNK, room - len(messages)), 0)
            if self._revoked:
                # What was read until now may not be ours any more. Its owner begins at the committed offsets.
                if self._assigned:
                    self._reopen()
                return []
            if not more:
                break
            size += sum(map(len, more))
            messages += more
        return messages

    def _attempt(self, batch: Batch, outputs: Iterable[Output]) -> None:
        producer = self._producer
        produce = producer.produce
        producer.begin_transaction()
        for topic, key, value, headers in outputs:
            while True:
                try:
                    produce(topic, value, key, -1, None, None, 0, headers)  # by place: a quarter faster
                    break
                except BufferError:  # the queue is full; it empties, or its messages time out
                    producer.poll(POLL_S)
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in batch.offsets.items()]
        self._insist(lambda limit: producer.send_offsets_to_transaction(offsets, batch.member, limit))
        self._insist(producer.commit_transaction)

    def _insist(self, call: Callable[[float], object]) -> None:
        """Repeat a call that may be repeated, until it is done or the time is up."""
        while True:
            try:
                with self._waiting():
                    call(CALL_S)
            except KafkaException as failure:
                error = failure.args[0]
                if is_fatal(error) or not error.retriable() or self._late():
                    raise
                self._producer.poll(POLL_S / 2)
            else:
                self._hear()
                return

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self.waiting_since = time.monotonic()
        try:
            yield
        finally:
            self.waiting_since = None

    def _late(self) -> bool:
        return time.monotonic() > min(self._deadline, self._end)

    def _recover(self, error: KafkaError) -> None:
        """Begin anew after a failed transaction, or give up."""
        # A broker that aborts a transaction for its age fences its producer, too: nobody else has to be there.
        outlived = is_fenced_producer(error) and time.monotonic() - self._began > self._route.transaction_timeout_s
        if is_fatal(error) and not outlived:
            raise self._give_up(error)
        self._aborts += 1
        if is_hopeless(error) or self._late() or self._aborts == ABORTS_MAX:
            self._abort()
            raise self._give_up(error)
        log.warning("a transaction is aborted and its batch done again: %s", self._undelivered or explain(error))
        self._reopen()

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(CALL_S)
        except KafkaException as failure:
            log.warning("a transaction is left to its time-out: %s", explain(failure))

    def _give_up(self, error: KafkaError) -> InfrastructureError:
        route = self._route
        if is_fatal(error):
            return InfrastructureError(
                f"fenced: another process runs as transactional.id {route.transactional_id} or group.instance.id "
                f"{route.instance}; give each worker its own, or end one ({explain(error)})"
            )
        if error.retriable():
            return InfrastructureError(f"no broker answers at {route.bootstrap} ({explain(error)})")
        cause = self._undelivered or explain(error)
        return InfrastructureError(f"the broker at {route.bootstrap} refuses, {self._aborts or 1} in a row: {cause}")

    def _heed(self, errors: Iterable[KafkaError]) -> None:
        for error in errors:
            if is_fatal(error) or is_hopeless(error):
                raise self._give_up(error)
            self._warn(error)

    def _warn(self, error: KafkaError) -> None:
        if error.code() not in self._warned:
            self._warned.add(error.code())
            log.warning("%s", explain(error))

    def _hear(self) -> None:
        if self._silent:
            self._silent = False
            log.info("the broker at %s answers again", self._route.bootstrap)

    def _on_producer_error(self, error: KafkaError) -> None:
        if is_outage(error) and not self._silent:  # of the two clients only the producer is always heard in time
            self._silent = True
            log.warning("no broker answers at %s; waiting for one", self._route.bootstrap)
        self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        if not is_passing(error) and not is_fatal(error):  # what is fatal is raised by the next call
            self._warn(error)

    def _on_delivery(self, error: KafkaError | None, message: Any) -> None:
        if error is not None and not self._undelivered:
            self._undelivered = f"topic {message.topic()}: {explain(error)}"

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # The membership to commit under is that of this moment: later, librdkafka may have lost it unnoticed.
        self._member = consumer.consumer_group_metadata()
        self._assigned = True
        log.info("assigned: %s", _list(partitions))

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked = True
        log.info("given up: %s", _list(partitions))


def _list(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic}[{partition.partition}]" for partition in partitions) or "nothing"
