"""Reads one topic as one member of a consumer group, and commits record by record.

A restart of the broker, a rebalance, and a handler so slow that the group gives its partitions to other members are not
errors here: the consumer continues, and uncommitted records are delivered again. After an outage, librdkafka may lose
its membership in the group without noticing it. A consumer that has had no assignment for two session timeouts is
therefore replaced by a new one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import UNASSIGNED_SESSIONS, client_properties, make_consumer
from sharing.kafka.errors import GROUP_MEMBERSHIP_ERRORS, describe_kafka_error, error_code, is_permanent_read_error

log = logging.getLogger(__name__)

COMMIT_SECONDS_MAX = 120.0
"""How long a commit is retried while no broker responds."""

SESSION_MS = 10_000
"""How long the group keeps the partitions of a process that was killed, in milliseconds."""

_RETRY_SECONDS = 0.2
_ATTEMPT_SECONDS_MAX = 5.0
_COMMIT_POLL_SECONDS = 0.002


class GroupConsumer:
    """Reads a topic as a member of a consumer group. All methods must be called from one thread at a time.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name of the topic.
        group: Id of the consumer group.
        properties: Further librdkafka properties. The ones that delivery depends on cannot be changed.

    Attributes:
        topic: Name of the topic.
        last_response: When the broker last delivered a record, an end of a partition or an assignment, in seconds of
            the monotonic clock.

    Raises:
        SettingsError: A property is unknown or wrong.
    """

    def __init__(self, bootstrap: str, topic: str, group: str, properties: Mapping[str, Any] | None = None) -> None:
        self.topic = topic
        self.last_response = time.monotonic()
        self._group = group
        self._assigned: set[int] = set()
        self._ended: set[int] = set()
        self._joined = False
        self._closed = False
        self._prefetched: deque[Message] = deque()  # records that arrived while a commit was awaited
        self._committed: list[TopicPartition] | KafkaError | None = None
        changeable = {"session.timeout.ms": SESSION_MS, "fetch.wait.max.ms": 10, **(properties or {})}
        self._rejoin_after_s = UNASSIGNED_SESSIONS * int(changeable["session.timeout.ms"]) / 1_000
        self._properties = client_properties(
            bootstrap,
            {
                **changeable,
                "group.id": group,
                "on_commit": self._on_commit,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            },
        )
        self._consumer = self._join_group()

    def poll(self, timeout_s: float) -> Message | None:
        """Return the next record, or None if none arrives in time.

        Raises:
            InfrastructureError: The broker rejects the request.
        """
        message = self._prefetched.popleft() if self._prefetched else self._consumer.poll(timeout_s)
        if message is None:
            self._rejoin_if_unassigned()
            return None
        error = message.error()
        if error is None:
            self.last_response = time.monotonic()
            return message
        self._handle_error(error, message.partition() or 0)
        return None

    def is_at_end(self) -> bool:
        """Return whether `poll` has returned every record up to the ends that the broker last reported."""
        return self._joined and not self._prefetched and self._assigned <= self._ended

    def rewind_to(self, message: Message) -> None:
        """Make `poll` return this record again next, unless its partition now belongs to another member."""
        partition, offset = message.partition() or 0, message.offset() or 0
        if partition in self._assigned:
            self._ended.discard(partition)
            self._drop_prefetched({partition})
            self._consumer.seek(TopicPartition(self.topic, partition, offset))

    def commit(self, message: Message) -> None:
        """Commit the offset after this record, and retry while no broker responds.

        Raises:
            InfrastructureError: The broker rejects the request, or does not answer for `COMMIT_SECONDS_MAX` seconds.
        """
        position = TopicPartition(self.topic, message.partition() or 0, (message.offset() or 0) + 1)
        deadline = time.monotonic() + COMMIT_SECONDS_MAX
        while (error := self._try_commit(position)) is not None:
            # The partition now belongs to another member, or to this one again: the record is delivered again there.
            if error.code() in GROUP_MEMBERSHIP_ERRORS or not self._joined:
                log.info("%s: the group rebalanced before offset %s was committed", self.topic, position.offset)
                return
            if is_permanent_read_error(error) or time.monotonic() > deadline:
                raise InfrastructureError(
                    f"the offset of group {self._group} in {self.topic} cannot be committed "
                    f"({describe_kafka_error(error)}); the last notice will be delivered again"
                )
            time.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Leave the group. Uncommitted records are delivered again. A second call has no effect."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _join_group(self) -> Consumer:
        self._unassigned_since = time.monotonic()
        consumer = make_consumer(self._properties)
        consumer.subscribe([self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
        return consumer

    def _rejoin_if_unassigned(self) -> None:
        """Replace a consumer that has had no assignment for too long by a new one."""
        if self._joined or time.monotonic() - self._unassigned_since < self._rejoin_after_s:
            return
        log.warning(
            "%s: no assignment from group %s for %g s; joining the group with a new consumer",
            self.topic,
            self._group,
            self._rejoin_after_s,
        )
        stale, self._consumer = self._consumer, self._join_group()
        # In a separate thread: a consumer that has lost its coordinator may block in `close`.
        threading.Thread(target=stale.close, name=f"leave {self._group}", daemon=True).start()

    def _try_commit(self, position: TopicPartition) -> KafkaError | None:
        """Commit once. Return the error, or None. librdkafka's own wait for a coordinator has no time limit."""
        self._committed = None
        try:
            self._consumer.commit(offsets=[position], asynchronous=True)
        except KafkaException as error:
            return error.args[0] if error_code(error) is not None else KafkaError(KafkaError._FAIL, str(error))  # noqa: SLF001
        deadline = time.monotonic() + min(_ATTEMPT_SECONDS_MAX, COMMIT_SECONDS_MAX)
        while self._committed is None:
            if time.monotonic() > deadline:
                return KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 librdkafka's own code
            message = self._consumer.poll(_COMMIT_POLL_SECONDS)
            if message is not None:
                self._prefetched.append(message)
        if isinstance(self._committed, KafkaError):
            return self._committed
        return next((partition.error for partition in self._committed if partition.error is not None), None)

    def _drop_prefetched(self, partitions: set[int]) -> None:
        self._prefetched = deque(message for message in self._prefetched if message.partition() not in partitions)

    def _handle_error(self, error: KafkaError, partition: int) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            self._ended.add(partition)
            self.last_response = time.monotonic()
        elif is_permanent_read_error(error):
            raise InfrastructureError(f"group {self._group} cannot read {self.topic}: {describe_kafka_error(error)}")
        else:  # librdkafka recovers from it
            log.warning("%s: %s", self.topic, describe_kafka_error(error))

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._committed = error if error is not None else partitions

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:  # a replaced consumer that is still leaving
            return
        added = {partition.partition for partition in partitions}
        self._assigned |= added
        self._ended -= added
        self._joined = True
        self.last_response = time.monotonic()

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        revoked = {partition.partition for partition in partitions}
        self._assigned -= revoked
        self._drop_prefetched(revoked)
        self._joined = False
        self._unassigned_since = time.monotonic()
