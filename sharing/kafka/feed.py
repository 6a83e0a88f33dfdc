"""One topic as one consumer group reads it, committed record by record, for as long as broker and group need.

A restart of the broker, a rebalance, or a handler that took so long that the group gave its partitions to others are
no errors here: the feed goes on, and what was not committed comes again. A consumer that hears of no assignment for two
of its sessions may have lost its way back to the group after an outage, which librdkafka does not notice: another one
takes its place.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import UNASSIGNED_SESSIONS, client_properties, error_code, explain, make_consumer

log = logging.getLogger(__name__)

COMMIT_SECONDS_MAX = 120.0
"""How long a broker that is away is waited for before a position counts as not committed."""

SESSION_MS = 10_000
"""A process that was killed holds its partitions no longer."""

_RETRY_SECONDS = 0.2
_ATTEMPT_SECONDS_MAX = 5.0
_GLANCE_SECONDS = 0.002

# The group gave the partition to someone, perhaps to this feed again: the record comes again there.
_LOST: Final = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS}
)
# What does not mend itself. All else (connections, coordinators, names, a slow handler) librdkafka mends.
_REFUSED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.OFFSET_METADATA_TOO_LARGE,
        KafkaError._AUTHENTICATION,  # noqa: SLF001 librdkafka's own code
        KafkaError._FATAL,  # noqa: SLF001 librdkafka's own code
    }
)


class Feed:
    """Reads a topic as a member of a group.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Its name.
        group: Consumer group.
        properties: Further librdkafka properties; those that make it safe cannot be changed.

    Attributes:
        heard: When the broker last gave a record, an end or an assignment (monotonic seconds).

    Raises:
        SettingsError: A property is unknown or wrong.
    """

    def __init__(self, bootstrap: str, topic: str, group: str, properties: Mapping[str, Any] | None = None) -> None:
        self.topic = topic
        self.heard = time.monotonic()
        self._group = group
        self._assigned: set[int] = set()
        self._ended: set[int] = set()
        self._joined = False
        self._closed = False
        self._ahead: deque[Message] = deque()  # what came while a commit was waited for
        self._committed: list[TopicPartition] | KafkaError | None = None
        own = {"session.timeout.ms": SESSION_MS, "fetch.wait.max.ms": 10, **(properties or {})}
        self._patience_s = UNASSIGNED_SESSIONS * int(own["session.timeout.ms"]) / 1_000
        self._properties = client_properties(
            bootstrap,
            {
                **own,
                "group.id": group,
                "on_commit": self._on_commit,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            },
        )
        self._consumer = self._join()

    def poll(self, timeout_s: float) -> Message | None:
        """Return the next record, or None when none comes in time.

        Raises:
            InfrastructureError: The broker refuses.
        """
        message = self._ahead.popleft() if self._ahead else self._consumer.poll(timeout_s)
        if message is None:
            self._see_that_it_is_heard()
            return None
        error = message.error()
        if error is None:
            self.heard = time.monotonic()
            return message
        self._heed(error, message.partition() or 0)
        return None

    def at_end(self) -> bool:
        """Return whether all that was there when it was last read has been given out."""
        return self._joined and not self._ahead and self._assigned <= self._ended

    def take_back(self, message: Message) -> None:
        """Give this record out again next, unless the group has given its partition away."""
        partition, offset = message.partition() or 0, message.offset() or 0
        if partition in self._assigned:
            self._ended.discard(partition)
            self._drop_ahead({partition})
            self._consumer.seek(TopicPartition(self.topic, partition, offset))

    def commit(self, message: Message) -> None:
        """Commit that all up to this record was handled, waiting for a broker that is away.

        Raises:
            InfrastructureError: The broker refuses, or stays away for too long.
        """
        position = TopicPartition(self.topic, message.partition() or 0, (message.offset() or 0) + 1)
        deadline = time.monotonic() + COMMIT_SECONDS_MAX
        while (error := self._try_commit(position)) is not None:
            if error.code() in _LOST or not self._joined:
                log.info("%s: the group moved on before offset %s was committed", self.topic, position.offset)
                return
            if error.fatal() or error.code() in _REFUSED or time.monotonic() > deadline:
                raise InfrastructureError(
                    f"the position of group {self._group} in {self.topic} cannot be committed ({explain(error)}); "
                    "the last notice will come again"
                )
            time.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Leave the group. What was not committed comes again. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _join(self) -> Consumer:
        self._alone_since = time.monotonic()
        consumer = make_consumer(self._properties)
        consumer.subscribe([self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
        return consumer

    def _see_that_it_is_heard(self) -> None:
        """Let another consumer join, when the group has not said for too long which partitions are this one's."""
        if self._joined or time.monotonic() - self._alone_since < self._patience_s:
            return
        log.warning("%s: group %s has said nothing for %g s; joining anew", self.topic, self._group, self._patience_s)
        deaf, self._consumer = self._consumer, self._join()
        # In a thread of its own: who has lost its way may not come to an end either.
        threading.Thread(target=deaf.close, name=f"leave {self._group}", daemon=True).start()

    def _try_commit(self, position: TopicPartition) -> KafkaError | None:
        """Commit; return what went wrong, or None. librdkafka's own waiting for a coordinator has no end."""
        self._committed = None
        try:
            self._consumer.commit(offsets=[position], asynchronous=True)
        except KafkaException as error:
            return error.args[0] if error_code(error) is not None else KafkaError(KafkaError._FAIL, str(error))  # noqa: SLF001
        deadline = time.monotonic() + min(_ATTEMPT_SECONDS_MAX, COMMIT_SECONDS_MAX)
        while self._committed is None:
            if time.monotonic() > deadline:
                return KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 librdkafka's own code
            message = self._consumer.poll(_GLANCE_SECONDS)
            if message is not None:
                self._ahead.append(message)
        if isinstance(self._committed, KafkaError):
            return self._committed
        return next((part.error for part in self._committed if part.error is not None), None)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._committed = error if error is not None else partitions

    def _drop_ahead(self, partitions: set[int]) -> None:
        self._ahead = deque(message for message in self._ahead if message.partition() not in partitions)

    def _heed(self, error: KafkaError, partition: int) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            self._ended.add(partition)
            self.heard = time.monotonic()
        elif error.fatal() or error.code() in _REFUSED:
            raise InfrastructureError(f"group {self._group} cannot read {self.topic}: {explain(error)}")
        else:
            log.warning("%s: %s", self.topic, explain(error))

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:  # one that leaves after another has joined
            return
        added = {part.partition for part in partitions}
        self._assigned |= added
        self._ended -= added
        self._joined = True
        self.heard = time.monotonic()

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        gone = {part.partition for part in partitions}
        self._assigned -= gone
        self._drop_ahead(gone)
        self._joined = False
        self._alone_since = time.monotonic()
