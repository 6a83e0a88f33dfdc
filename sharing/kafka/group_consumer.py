"""Reads one topic as one member of a consumer group, in batches, and commits what was handled (`group_commits`).

A broker restart, a rebalance, or a handler so slow that the group gives its partitions to other members is not an error
here: the consumer continues, and uncommitted records are delivered again. After an outage, librdkafka may lose its
membership in the group without noticing it. A consumer that has had no assignment for two session timeouts is therefore
replaced by a new one.

librdkafka never chooses a start offset: `group_offsets` does, after each assignment and when the topic has been
replaced. A batch that cannot be read is returned in place of its records (`bad_batches`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BOUNDED_FETCH, BadBatchFinder
from sharing.kafka.clients import UNASSIGNED_SESSIONS, client_properties, make_admin, make_consumer, without_callbacks
from sharing.kafka.errors import describe_kafka_error, is_permanent_read_error
from sharing.kafka.group_commits import GroupCommits
from sharing.kafka.group_offsets import GroupOffsets
from sharing.kafka.polled_record import PolledRecord
from sharing.kafka.reset_command import ResetCommand

log = logging.getLogger(__name__)

SESSION_MS = 10_000
"""How long the group keeps the partitions of a process that was killed, in milliseconds."""

FETCH_MAX = 500
"""How many records are taken from librdkafka at once. They are returned one by one, and dropped at a rebalance."""

_CALLBACK_SECONDS = 0.002
_TOPIC_CHECK_SECONDS = 30.0
"""How often a running consumer asks whether the topic is still the one that it knows."""

_NO_RESPONSE_SECONDS_MAX = 0.2


class GroupConsumer:
    """Reads a topic as a member of a consumer group. All methods must be called from one thread at a time.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name of the topic.
        group: Id of the consumer group.
        properties: Further librdkafka properties. The ones that delivery depends on cannot be changed; these include
            the assignment strategy, since start offsets are chosen for a whole assignment.
        since_ms: Where a partition that is new to the group begins: with what the broker received at this instant, in
            UTC milliseconds. None for its beginning.

    Attributes:
        topic: Name of the topic.
        last_response: When the broker last delivered a record, an end of a partition or an assignment, in seconds of
            the monotonic clock.

    Raises:
        SettingsError: A property is unknown or wrong.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        properties: Mapping[str, Any] | None = None,
        *,
        since_ms: int | None = None,
    ) -> None:
        self.topic = topic
        self.last_response = time.monotonic()
        self._group = group
        self._assigned: set[int] = set()
        self._ended: set[int] = set()
        self._joined = False
        self._started = False  # the start offsets of the assignment are known
        self._assignment = 0
        self._topic_checked = time.monotonic()
        self._closed = False
        self._prefetched: deque[Message] = deque()  # records that arrived while a commit was awaited
        self._commits = GroupCommits(self, f"group {group} in {topic}")
        changeable = {"session.timeout.ms": SESSION_MS, "fetch.wait.max.ms": 10, **BOUNDED_FETCH, **(properties or {})}
        self._rejoin_after_s = UNASSIGNED_SESSIONS * int(changeable["session.timeout.ms"]) / 1_000
        self._properties = client_properties(
            bootstrap,
            {
                **changeable,
                "group.id": group,
                "on_commit": self._commits.take_outcome,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "range,roundrobin",
                "group.protocol": "classic",
            },
        )
        self._offsets = GroupOffsets(
            topic,
            group,
            make_admin(bootstrap, without_callbacks(properties or {})),
            ResetCommand(bootstrap, properties or {}, group),
            since_ms,
        )
        self._bad_batches = BadBatchFinder(self._properties)
        self._consumer = self._join_group()

    @property
    def has_fetched(self) -> bool:
        """Whether `poll` has records that it can return without asking the broker's client."""
        return bool(self._prefetched)

    def poll(self, timeout_s: float) -> PolledRecord | None:
        """Return the next record or unreadable batch, or None if none arrives in time.

        Raises:
            InfrastructureError: The broker rejects the request, or the log lost records that the group has read; or
                what `settle_commits` raises, if a commit has failed or is not confirmed soon.
        """
        if not self._prefetched and not self._fetch(timeout_s):
            return None
        message = self._prefetched.popleft()
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is None:
            return PolledRecord(self.topic, partition, offset, offset + 1, self._assignment, message)
        if error.code() in BAD_BATCH_ERRORS:
            return self._skip_bad_batch(message)
        self._handle_error(error, partition)
        return None

    def _fetch(self, timeout_s: float) -> bool:
        """Wait for the next record, and take those that have arrived with it. Return whether there are any."""
        self.settle_overdue_commits()
        if self._joined and not self._is_ready() and not self._start():
            return False
        assignment = self._assignment
        message = self._consumer.poll(timeout_s)
        if message is None:
            self._rejoin_if_unassigned()
            return False
        following = self._consumer.consume(FETCH_MAX - 1, 0) if message.error() is None else []
        if (
            assignment != self._assignment or not self._started
        ):  # read before a rebalance that was served in the meantime
            return bool(self._prefetched)
        self.last_response = time.monotonic()
        self._prefetched.append(message)
        self._prefetched += following
        return True

    def is_at_end(self) -> bool:
        """Return whether `poll` has returned every record up to the ends that the broker last reported."""
        return self._joined and self._started and not self._prefetched and self._assigned <= self._ended

    def rewind_to(self, record: PolledRecord) -> None:
        """Make `poll` return this record again next, unless its partition has been assigned again since."""
        if self.is_current(record):
            self._seek(record.partition, record.offset)

    def note_handled(self, record: PolledRecord, count: int = 1) -> None:
        """Note that a record was handled, and those of its partition before it: they are committed soon.

        `poll`, `serve` and `settle_commits` make sure that the commit succeeds. A record of an earlier assignment is
        not committed: another member may have committed a higher offset in the meantime.

        Args:
            record: The last record of its partition that was handled.
            count: How many were handled since the last call.
        """
        self._commits.note(record, count)

    def serve(self) -> None:
        """Do what is due while fetched records are being returned: outcomes of commits, rebalances, commits.

        Raises:
            InfrastructureError: As `settle_commits`, if a commit has failed or is not confirmed soon.
        """
        self._take_message(0)
        self._commits.settle_if_due()

    def settle_overdue_commits(self) -> None:
        """Send the commit of what was handled, if it is time; wait if one has failed, or is not confirmed soon.

        Raises:
            InfrastructureError: The broker rejects a commit, or does not answer for two minutes.
        """
        self._commits.settle_if_due()

    def settle_commits(self) -> None:
        """Wait until the commits that were sent are confirmed, and retry while no broker responds.

        Raises:
            InfrastructureError: The broker rejects a commit, or does not answer for two minutes.
        """
        self._commits.settle()

    def close(self) -> None:
        """Leave the group. Uncommitted records are delivered again. A second call has no effect.

        It takes some seconds if the broker does not confirm the last commits.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._commits.stop()
        finally:
            self._consumer.close()

    def send_commits(self, records: Collection[PolledRecord]) -> None:
        """Send one commit of the offsets after these records, each of a different partition.

        Raises:
            KafkaException: It cannot be sent.
        """
        positions = [self._offsets.make_position(record.partition, record.next_offset) for record in records]
        self._consumer.commit(offsets=positions, asynchronous=True)

    def serve_callbacks(self) -> None:
        """Wait briefly for the outcomes of commits. A record that arrives meanwhile is returned by a later `poll`."""
        self._take_message(_CALLBACK_SECONDS)

    def _take_message(self, timeout_s: float) -> None:
        """Serve callbacks. A record that was read before a rebalance served in the meantime is dropped."""
        assignment = self._assignment
        message = self._consumer.poll(timeout_s)
        if message is not None and assignment == self._assignment and self._started:
            self._prefetched.append(message)

    def is_current(self, record: PolledRecord) -> bool:
        """Return whether the record's partition has been assigned to this member since it was read."""
        return self._joined and record.assignment == self._assignment and record.partition in self._assigned

    def _is_ready(self) -> bool:
        """Return whether reading may continue. Asks the broker from time to time if the topic is still the same."""
        if self._started and time.monotonic() > self._topic_checked + _TOPIC_CHECK_SECONDS:
            self._topic_checked = time.monotonic()
            try:
                self._started = self._offsets.is_same_topic()
            except KafkaException as error:
                log.info("%s: its topic id cannot be looked up: %s", self.topic, describe_kafka_error(error))
        return self._started

    def _start(self) -> bool:
        """Start to read the assigned partitions. Return False if the broker does not say where; then try again.

        Raises:
            InfrastructureError: The broker rejects the request, or the log lost records that the group has read.
        """
        try:
            self._consumer.assign(self._offsets.find_starts(self._consumer, self._assigned))
        except KafkaException as error:
            self._handle_error(error.args[0], 0)
            time.sleep(_NO_RESPONSE_SECONDS_MAX)
            self._consumer.poll(0)  # serves a rebalance; nothing is assigned, so no record arrives
            return False
        self._started = True
        self._assignment += 1
        self._ended.clear()
        self._prefetched.clear()
        self._topic_checked = self.last_response = time.monotonic()
        return True

    def _skip_bad_batch(self, message: Message) -> PolledRecord | None:
        """Seek past a batch that cannot be read, and return it."""
        batch = self._bad_batches.find_batch(message)
        if batch is None or batch.partition not in self._assigned:
            return None
        self.last_response = time.monotonic()
        self._seek(batch.partition, batch.next_offset)
        return PolledRecord(
            batch.topic, batch.partition, batch.first_offset, batch.next_offset, self._assignment, bad_batch=batch
        )

    def _seek(self, partition: int, offset: int) -> None:
        self._ended.discard(partition)
        self._drop_prefetched({partition})
        self._consumer.seek(TopicPartition(self.topic, partition, offset))

    def _join_group(self) -> Consumer:
        self._unassigned_since = time.monotonic()
        consumer = make_consumer(self._properties)
        consumer.subscribe(
            [self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )  # fmt: skip
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
        self._commits.forget_outcomes()
        # In a separate thread: a consumer that has lost its coordinator may block in `close`.
        threading.Thread(target=stale.close, name=f"leave {self._group}", daemon=True).start()

    def _drop_prefetched(self, partitions: set[int]) -> None:
        self._prefetched = deque(message for message in self._prefetched if message.partition() not in partitions)

    def _handle_error(self, error: KafkaError, partition: int) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            self._ended.add(partition)
            self.last_response = time.monotonic()
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 librdkafka's own code: no such offset
            log.warning("%s/%s: %s", self.topic, partition, describe_kafka_error(error))
            self._started = False
        elif is_permanent_read_error(error):
            raise InfrastructureError(f"group {self._group} cannot read {self.topic}: {describe_kafka_error(error)}")
        else:  # librdkafka recovers from it
            log.warning("%s: %s", self.topic, describe_kafka_error(error))

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:  # a replaced consumer that is still leaving
            return
        added = {partition.partition for partition in partitions}
        self._assigned |= added
        self._ended -= added
        self._joined = True
        self._started = False
        consumer.assign([])  # nothing is read before `_start` has chosen the offsets
        self.last_response = time.monotonic()

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        self._commits.send()  # the group still accepts it
        self._on_lost(consumer, partitions)

    def _on_lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        revoked = {partition.partition for partition in partitions}
        self._assigned -= revoked
        self._drop_prefetched(revoked)
        self._joined = self._started = False
        self._assignment += 1  # another member may continue from here before this one gets its partitions back
        self._unassigned_since = time.monotonic()
