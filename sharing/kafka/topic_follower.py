"""Follows partitions of topics from given offsets, and reads committed records as they arrive. Commits no offset."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BOUNDED_FETCH, BadBatchFinder
from sharing.kafka.clients import (
    client_properties,
    consume_available,
    look_up_topics,
    make_consumer,
    require_topics,
)
from sharing.kafka.errors import describe_kafka_error, is_permanent_read_error
from sharing.kafka.unreadable_records import Unreadable, describe_bad_batch
from sharing.kafka.watermarks import query_watermarks

log = logging.getLogger(__name__)

LOOK_UP_SECONDS_MAX = 10.0
SILENCE_SECONDS_MAX = 60.0
"""How long the broker may deliver nothing before reading to the end fails."""

_FETCH: Mapping[str, Any] = {**BOUNDED_FETCH, "fetch.wait.max.ms": 50}
"""An empty fetch reports the end of a partition, and by default the broker delays it for half a second."""

_BATCH = 500
_POLL_SECONDS = 0.5

Place = tuple[str, int]
"""A topic, and the number of a partition of it."""


class TopicFollower:
    """The committed records of some partitions, in order within each.

    Args:
        bootstrap: Kafka bootstrap servers.
        group: Consumer group that the broker uses for permissions and logs. The consumer does not join it.
        positions: The offset at which reading begins, by partition.
        properties: Further librdkafka properties, such as those of TLS.
        unreadable: Called with batches that cannot be read, after which reading continues; None if that is an error.

    Raises:
        SettingsError: A property is unknown or wrong.
    """

    def __init__(
        self,
        bootstrap: str,
        group: str,
        positions: Mapping[Place, int],
        properties: Mapping[str, Any] | None = None,
        *,
        unreadable: Unreadable | None = None,
    ) -> None:
        more = {**_FETCH, **(properties or {}), "group.id": group, "enable.partition.eof": True}
        all_properties = client_properties(bootstrap, more)
        self._unreadable = unreadable
        self._bad_batch_finder = BadBatchFinder(all_properties)
        self._consumer = make_consumer(all_properties)
        self._behind = set(positions)
        self._positions = dict(positions)
        self._skipped_before: dict[Place, int] = {}  # the offset after the last batch that was skipped
        self._consumer.assign([TopicPartition(topic, number, offset) for (topic, number), offset in positions.items()])

    @property
    def positions(self) -> Mapping[Place, int]:
        """The offset of the next record, by partition; after the markers of transactions once an end was reached."""
        return self._positions

    @property
    def is_at_end(self) -> bool:
        """Whether everything that is committed has been read."""
        return not self._behind

    def poll(self, seconds: float) -> list[Message]:
        """Return the next records; none if none comes within this time.

        Raises:
            InfrastructureError: The broker rejects the request, or records cannot be read.
        """
        records = []
        for message in consume_available(self._consumer, _BATCH, seconds):
            place, error = (message.topic() or "", message.partition() or 0), message.error()
            if error is None:
                self._behind.add(place)
                self._positions[place] = (message.offset() or 0) + 1
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                self._behind.discard(place)
                self._positions[place] = message.offset() or 0
            elif error.code() in BAD_BATCH_ERRORS and self._unreadable is not None:
                self._skip_bad_batch(message, place, self._unreadable)
            elif error.code() in BAD_BATCH_ERRORS or is_permanent_read_error(error):
                raise InfrastructureError(f"{place[0]}: cannot be read ({describe_kafka_error(error)})")
            else:  # librdkafka recovers from it
                log.warning("%s: %s", place[0], describe_kafka_error(error))
        return records

    def read_to_end(self) -> Iterator[list[Message]]:
        """Yield the records in lists, until everything that is committed has been read.

        Raises:
            InfrastructureError: As `poll`, or the broker delivers nothing for a minute.
        """
        last_response = time.monotonic()
        while not self.is_at_end:
            records = self.poll(_POLL_SECONDS)
            if records:
                last_response = time.monotonic()
                yield records
            elif time.monotonic() > last_response + SILENCE_SECONDS_MAX:
                raise InfrastructureError(
                    f"the broker delivered nothing for {SILENCE_SECONDS_MAX:g} s; run the command again"
                )

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()

    def _skip_bad_batch(self, message: Message, place: Place, unreadable: Unreadable) -> None:
        """Seek past a batch that cannot be read. Until its end is known, its error comes again."""
        if (message.offset() or 0) < self._skipped_before.get(place, 0):
            return  # reported before the seek took effect
        batch = self._bad_batch_finder.find_batch(message)
        if batch is None:
            return
        self._behind.add(place)
        self._skipped_before[place] = self._positions[place] = batch.next_offset
        unreadable.append(describe_bad_batch(batch))
        log.warning("%s: skipped, cannot be read: %s", batch, batch.cause)
        self._consumer.seek(TopicPartition(*place, batch.next_offset))


def find_ends(
    bootstrap: str, group: str, topics: Mapping[str, list[int]], properties: Mapping[str, Any] | None = None
) -> dict[Place, int]:
    """Return the offset after the last record of some partitions.

    Args:
        bootstrap: Kafka bootstrap servers.
        group: Consumer group that the broker uses for permissions and logs.
        topics: The numbers of the partitions, by topic.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InfrastructureError: No broker answers, a topic does not exist, or its offsets cannot be looked up.
    """
    require_topics(look_up_topics(bootstrap, properties), list(topics))
    consumer = make_consumer(client_properties(bootstrap, {**(properties or {}), "group.id": group}))
    try:
        places = [TopicPartition(topic, number) for topic, numbers in topics.items() for number in numbers]
        return {(place.topic, place.partition): _find_end(consumer, place) for place in places}
    finally:
        consumer.close()


def _find_end(consumer: Consumer, place: TopicPartition) -> int:
    try:
        return query_watermarks(consumer, place, LOOK_UP_SECONDS_MAX)[1]
    except KafkaException as error:
        raise InfrastructureError(
            f"{place.topic}: its offsets cannot be looked up ({describe_kafka_error(error)}); run this again"
        ) from None
