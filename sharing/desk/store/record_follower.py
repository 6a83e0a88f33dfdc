"""Follows the desk's topic in a thread: what is on it is known a moment later."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.desk.broker_state import BrokerContact
from sharing.desk.following_thread import FollowingThread
from sharing.desk.store.record_sealing import RecordSealing
from sharing.desk.store.record_table import RecordTable
from sharing.desk.topic_check import TopicCheck
from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BOUNDED_FETCH, BadBatchFinder
from sharing.kafka.clients import (
    client_properties,
    consume_available,
    look_up_topics,
    make_consumer,
    require_topics,
)
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.directory_cluster import assign_partitions
from sharing.kafka.errors import GROUP_ERRORS, PERMANENT_READ_ERRORS, describe_kafka_error
from sharing.kafka.watermarks import query_watermarks
from sharing.topology.topics import DESK

log = logging.getLogger(__name__)

_PARTITION: Final = 0
_POLL_SECONDS: Final = 0.2
_BATCH: Final = 100
_ANSWER_SECONDS_MAX: Final = 10.0
_FATAL: Final = PERMANENT_READ_ERRORS - GROUP_ERRORS


class RecordFollower:
    """Keeps a table of the desk's records as the topic is now. Threads may share it.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        sealing: Opens the records.
        properties: Further librdkafka properties, such as those of TLS.
        contact: Is told whether the broker answers.
        notify: Called after the table has changed, in the thread that follows.
        lost_before: The operator has given up what cannot be read before this offset.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        sealing: RecordSealing,
        properties: Mapping[str, Any],
        contact: BrokerContact,
        notify: Callable[[], None] = lambda: None,
        lost_before: int = 0,
    ) -> None:
        self._bootstrap = bootstrap
        self._state = state
        self._topic = DESK.topic(state)
        self._sealing = sealing
        self._contact = contact
        self._notify = notify
        self._lost_before = lost_before
        self._connection_properties = dict(properties)
        self._properties = {
            "fetch.wait.max.ms": 100,
            **properties,
            **BOUNDED_FETCH,
            "group.id": name_console_group(state, "desk"),
            "enable.partition.eof": True,
        }
        self._changed = threading.Condition()
        self._following = FollowingThread("desk records", "the desk's records", self._follow, self._note_fault)
        self._table: RecordTable | None = None
        self._position = 0
        self._read_to = 0
        self._fault = ""

    def start(self) -> None:
        """Begin to follow. Returns at once."""
        self._contact.expect()
        self._following.start()

    def close(self) -> None:
        """Stop the thread, and wait for its end."""
        self._following.close()

    def wait_until_read(self, seconds: float) -> bool:
        """Wait until what was on the topic is known; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._table is not None, seconds)

    def copy(self) -> RecordTable:
        """Return the table, as it is now.

        Raises:
            InfrastructureError: The topic has not been read to its end yet. The message says why.
        """
        with self._changed:
            return self._require_table().copy()

    def wait_for_offset(self, offset: int, seconds: float) -> RecordTable:
        """Return the table once everything before an offset has been read.

        Raises:
            InfrastructureError: It was not in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._table is not None and self._position >= offset, seconds):
                raise InfrastructureError(
                    f"{self._topic} cannot be read to its end: {self._fault or 'the broker does not answer in time'}; "
                    "try again when the broker is back"
                )
        return self.copy()

    def query_end(self) -> int:
        """Return the offset at which the topic ends now.

        Raises:
            InfrastructureError: No broker answers in time.
        """
        consumer = make_consumer(client_properties(self._bootstrap, self._properties))
        try:
            return query_watermarks(consumer, TopicPartition(self._topic, _PARTITION), _ANSWER_SECONDS_MAX)[1]
        except KafkaException as error:
            raise InfrastructureError(
                f"{self._topic}: its end cannot be looked up ({describe_kafka_error(error)}); try again"
            ) from None
        finally:
            consumer.close()

    def _require_table(self) -> RecordTable:
        if self._table is None:
            raise InfrastructureError(
                f"{self._topic} is not read yet: {self._fault or 'the desk has just started'}; try again in a moment"
            )
        return self._table

    def _follow(self) -> None:
        """Read the topic from its beginning, into a new table, which replaces the old one when it is complete."""
        require_topics(look_up_topics(self._bootstrap, self._properties), [self._topic], self._state)
        checked = TopicCheck(self._bootstrap, self._connection_properties, [self._topic], self._contact.note_heard)
        consumer = make_consumer(client_properties(self._bootstrap, self._properties))
        finder = BadBatchFinder(client_properties(self._bootstrap, self._properties))
        try:
            assign_partitions(consumer, [TopicPartition(self._topic, _PARTITION, OFFSET_BEGINNING)])
            table, self._read_to = RecordTable(), 0
            while not self._following.is_closing:
                for message in consume_available(consumer, _BATCH, _POLL_SECONDS):
                    self._take(consumer, finder, table, message)
                checked.check({(self._topic, _PARTITION): self._read_to})
        finally:
            consumer.close()

    def _take(self, consumer: Consumer, finder: BadBatchFinder, table: RecordTable, message: Message) -> None:
        error, offset = message.error(), message.offset() or 0
        if error is None:
            key = (message.key() or b"").decode("ascii", "replace")
            opened = self._sealing.open(message.value(), key, offset)
            self._settle(table, lambda: table.take(offset, key, opened), offset + 1)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            with self._changed:  # after the markers of transactions
                is_new = table is not self._table
                self._read_to = offset
                self._table, self._position, self._fault = table, offset, ""
                self._changed.notify_all()
            if is_new:
                self._notify()
        elif error.code() in BAD_BATCH_ERRORS:
            batch = finder.find_batch(message)
            if batch is not None:
                end, is_given_up = batch.next_offset, batch.next_offset <= self._lost_before
                self._settle(table, lambda: table.skip_damaged_batch(offset, end, is_given_up=is_given_up), end)
                consumer.seek(TopicPartition(self._topic, _PARTITION, end))
        elif error.code() in _FATAL or error.fatal():
            raise KafkaException(error)

    def _note_fault(self, reason: str) -> None:
        if self._contact.note_away(reason):
            log.warning("%s: %s", self._topic, reason)
        with self._changed:
            self._fault = reason
            self._changed.notify_all()

    def _settle(self, table: RecordTable, change: Callable[[], None], position: int) -> None:
        with self._changed:
            change()
            self._read_to = position
            if table is self._table:
                self._position = position
                self._changed.notify_all()
        if table is self._table:
            self._notify()
