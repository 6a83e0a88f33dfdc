"""Reads the records of a topic between two instants, or all of them, once. Commits no offset.

The end offsets are fixed when the range is opened, so reading ends even while others keep writing. Batches that cannot
be read are skipped and listed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BOUNDED_FETCH, BadBatch, BadBatchFinder
from sharing.kafka.clients import (
    client_properties,
    consume_available,
    look_up_topics,
    make_consumer,
    require_topics,
)
from sharing.kafka.errors import describe_kafka_error, is_permanent_read_error
from sharing.kafka.temporary_errors import retry_temporary
from sharing.kafka.time_offsets import query_offsets_at

log = logging.getLogger(__name__)

LOOK_UP_SECONDS_MAX = 10.0
SILENCE_SECONDS_MAX = 60.0
"""How long the broker may deliver nothing before reading fails."""

_BATCH = 5_000
_POLL_SECONDS = 0.1
"""How long records are collected before a list of them is returned: the last list of a range waits this long."""


class TopicRange:
    """The committed records of a topic, in order within each partition.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Name of the topic.
        group: Consumer group that the broker uses for permissions and logs. The consumer does not join it.
        since_ms: First instant of the range, in UTC milliseconds, compared with record timestamps. None for the first
            record.
        until_ms: Instant at which the range ends, exclusive. None for the last record.
        properties: Further librdkafka properties, such as those of TLS.
        ranges: The offsets to read instead of those between two instants: the first one and the end, exclusive, by
            partition.
        partitions: The only partitions to read; None for all.

    Attributes:
        ranges: The first offset and the end, exclusive, of each partition that has something to read.
        partitions: Number of partitions of the topic.
        total: Upper bound of the number of records: the offsets in the range, transaction markers included.
        bad_batches: The batches that were skipped so far, because they cannot be read.

    Raises:
        InfrastructureError: No broker answers, the topic does not exist, or its offsets cannot be looked up.
    """

    def __init__(
        self, bootstrap: str, topic: str, group: str, since_ms: int | None = None, until_ms: int | None = None,
        properties: Mapping[str, Any] | None = None, *, ranges: Mapping[int, tuple[int, int]] | None = None,
        partitions: Collection[int] | None = None,
    ) -> None:  # fmt: skip
        present = look_up_topics(bootstrap, properties)
        require_topics(present, [topic])
        self._topic = topic
        self.partitions = present[topic]
        all_properties = client_properties(
            bootstrap,
            {
                **BOUNDED_FETCH,
                "fetch.wait.max.ms": 10,  # an empty fetch reports an end that markers of transactions hide
                **(properties or {}),
                "group.id": group,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                # Records that retention deletes while they are read are left out, like those deleted before.
                "auto.offset.reset": "earliest",
            },
        )
        self.bad_batches: list[BadBatch] = []
        self._bad_batch_finder = BadBatchFinder(all_properties)
        self._consumer: Consumer = make_consumer(all_properties)
        if ranges is None:
            chosen = [number for number in range(present[topic]) if partitions is None or number in partitions]
            ranges = self._find_settled_ranges(chosen, since_ms, until_ms)
        self.ranges = {number: (start, end) for number, (start, end) in ranges.items() if start < end}
        self.total = sum(end - start for start, end in self.ranges.values())

    def read_batches(self) -> Iterator[list[Message]]:
        """Yield the records in lists of up to 5,000.

        Raises:
            InfrastructureError: The broker rejects the request, or does not respond for a minute.
        """
        starts = [TopicPartition(self._topic, number, start) for number, (start, _) in self.ranges.items()]
        self._consumer.assign(starts)
        ends = {number: end for number, (_, end) in self.ranges.items()}
        last_response = time.monotonic()
        while ends:
            messages = consume_available(self._consumer, _BATCH, _POLL_SECONDS)
            if messages:
                last_response = time.monotonic()
            elif time.monotonic() > last_response + SILENCE_SECONDS_MAX:
                raise InfrastructureError(
                    f"{self._topic}: the broker delivered nothing for {SILENCE_SECONDS_MAX:g} s; run the command again"
                )
            batch = list(self._select_in_range(messages, ends))
            if batch:
                yield batch

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()

    def _find_settled_ranges(
        self, partitions: Sequence[int], since_ms: int | None, until_ms: int | None
    ) -> dict[int, tuple[int, int]]:
        try:
            return retry_temporary(lambda: self._find_ranges(partitions, since_ms, until_ms), LOOK_UP_SECONDS_MAX)
        except KafkaException as error:
            self._consumer.close()
            raise InfrastructureError(
                f"{self._topic}: its offsets cannot be looked up ({describe_kafka_error(error)})"
            ) from None

    def _find_ranges(
        self, partitions: Sequence[int], since_ms: int | None, until_ms: int | None
    ) -> dict[int, tuple[int, int]]:
        """Return the first offset and the end offset of each partition, if it has records in the range."""
        ranges = {}
        since, until = self._look_up_offsets(partitions, since_ms), self._look_up_offsets(partitions, until_ms)
        for number in partitions:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, number), timeout=LOOK_UP_SECONDS_MAX
            )
            start = max(low, since.get(number, low if since_ms is None else high))
            end = min(high, until.get(number, high))
            if start < end:
                ranges[number] = start, end
        return ranges

    def _look_up_offsets(self, partitions: Sequence[int], instant_ms: int | None) -> dict[int, int]:
        """Return each partition's first offset at or after an instant, except of partitions that have none."""
        if instant_ms is None:
            return {}
        return query_offsets_at(self._consumer, self._topic, partitions, instant_ms, LOOK_UP_SECONDS_MAX)

    def _select_in_range(self, messages: list[Message], ends: dict[int, int]) -> Iterator[Message]:
        """Yield the records before the end offsets, and remove finished partitions from `ends`."""
        for message in messages:
            error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                    # The end of what a fetch could see may be before the one that was looked up.
                    if offset >= ends.get(number, offset):
                        ends.pop(number, None)
                elif error.code() in BAD_BATCH_ERRORS:
                    self._skip_bad_batch(message, ends)
                elif is_permanent_read_error(error):
                    raise InfrastructureError(f"{self._topic}: cannot be read ({describe_kafka_error(error)})")
                else:  # librdkafka recovers from it
                    log.warning("%s: %s", self._topic, describe_kafka_error(error))
                continue
            end = ends.get(number)
            if end is None:
                continue
            if offset < end:
                yield message
            if offset >= end - 1:
                del ends[number]
                self._consumer.pause([TopicPartition(self._topic, number)])

    def _skip_bad_batch(self, message: Message, ends: dict[int, int]) -> None:
        """Seek past a batch that cannot be read, and remove its partition from `ends` if nothing follows."""
        position = message.partition(), message.offset()
        if position in {(batch.partition, batch.first_offset) for batch in self.bad_batches}:
            return  # reported before the seek took effect
        batch = self._bad_batch_finder.find_batch(message)
        if batch is None or batch.partition not in ends:
            return
        self.bad_batches.append(batch)
        log.warning("%s: skipped, cannot be read: %s", batch, batch.cause)
        if batch.next_offset >= ends[batch.partition]:
            del ends[batch.partition]
            self._consumer.pause([TopicPartition(self._topic, batch.partition)])
        else:
            self._consumer.seek(TopicPartition(self._topic, batch.partition, batch.next_offset))
