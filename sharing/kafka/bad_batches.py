"""Gets a consumer past a record batch that cannot be read, such as one that inflates to more than a client accepts.

A broker's size limit counts compressed bytes: 12 kB may inflate to more than librdkafka takes
(`receive.message.max.bytes`). librdkafka then reports an error at the first offset of the batch, keeps its position,
and reports the error again, endlessly. So the consumer must seek past the batch. The error does not say where it ends,
and records after it must not be skipped. This module finds the end: the last offset at which the same batch is fetched.

Protocol, in the thread that polls the consumer, for each `message` with an `error()`:

    batch = finder.find_batch(message)
    if batch is not None:
        ...  # record it by reference, once for each (topic, partition, first_offset)
        consumer.seek(TopicPartition(batch.topic, batch.partition, batch.next_offset))

The records before the batch have been delivered by the time its error is. The seek discards what librdkafka has queued
for the partition; a repeated error that the same `consume` call has returned already must be recognised by its offset
(`find_batches` does that).

A call is bounded, because the records of other partitions wait for it. A search that a slow broker interrupts resumes
when the error comes again; in between, the caller has at least as much time for its other partitions.

zstd and invalid compressed data end up here. librdkafka has no limit for what it inflates from gzip, lz4 and snappy, so
such a batch is read. `BOUNDED_FETCH` limits how many of them are in memory at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.kafka.clients import make_consumer, without_callbacks
from sharing.kafka.errors import describe_kafka_error
from sharing.model.bad_batch import BadBatch

__all__ = [
    "BAD_BATCH_ERRORS", "BOUNDED_FETCH", "INFLATED_BYTES_MAX", "BadBatch", "BadBatchFinder",
]  # fmt: skip

log = logging.getLogger(__name__)

BAD_BATCH_ERRORS: Final = frozenset(
    {
        KafkaError._BAD_COMPRESSION,  # noqa: SLF001 librdkafka's own code
        KafkaError._BAD_MSG,  # noqa: SLF001 librdkafka's own code
        KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001 librdkafka's own code: a codec or format that it does not know
    }
)
"""librdkafka fetched a record batch and cannot read it. A retry fails in the same way."""

INFLATED_BYTES_MAX: Final = 16_000_000
"""Suggested size limit of a batch after decompression. A producer collects about 1 MB before it compresses."""

BOUNDED_FETCH: Final[Mapping[str, int]] = {
    "fetch.max.bytes": 1_000_000,
    "fetch.message.max.bytes": 1_000_000,
    "receive.message.max.bytes": INFLATED_BYTES_MAX,
}
"""librdkafka properties of a consumer with bounded memory. A broker returns at most this many compressed bytes for all
partitions together, or one batch that is larger."""

_FIND_SECONDS_MAX = 5.0
"""After this time a call does not start another fetch, if it has made progress."""

_ANSWER_SECONDS_MAX = 6.0
"""How long a broker may take for each request. A call waits for at most three more once it starts no new ones, which
stays below the time after which a worker counts as stuck."""

_PROBE_PROPERTIES: Mapping[str, Any] = {
    **BOUNDED_FETCH,
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 10,
    "fetch.error.backoff.ms": 10,
}
_NOT_FOR_A_PROBE = ("group.instance.id", "message.max.bytes", "debug")


@dataclass(slots=True)
class BatchEndSearch:
    """What is known about where a batch ends: searched for by doubling steps, then by bisection.

    Attributes:
        first: The first offset of the batch.
        inside: The last offset that is known to be in the batch.
        beyond: The first offset that is known to be after it.
    """

    first: int
    inside: int
    beyond: int
    _step: int = 1

    @property
    def is_finished(self) -> bool:
        """Whether `inside` is the last offset of the batch."""
        return self.beyond - self.inside <= 1

    def choose_offset(self) -> int:
        """Return the offset to try next."""
        far = self.inside + self._step
        return far if far < self.beyond else (self.inside + self.beyond) // 2

    def note(self, offset: int, *, is_inside: bool) -> None:
        """Note whether a fetch at an offset returns the batch."""
        if is_inside:
            self.inside = offset
            self._step *= 2
        else:
            self.beyond = offset


class BadBatchFinder:
    """Finds the ends of bad batches, with a consumer of its own that exists only while it searches.

    Args:
        properties: librdkafka properties of the consumer that met the batch. Callbacks in them are not used.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        shared = {name: value for name, value in without_callbacks(properties).items() if name not in _NOT_FOR_A_PROBE}
        self._properties = {"group.id": "bad-batches", **shared, **_PROBE_PROPERTIES}
        self._searches: dict[tuple[str, int], BatchEndSearch] = {}
        self._tried_at: dict[tuple[str, int], float] = {}
        self._paused_until = 0.0

    def find_batches(self, messages: Iterable[Message]) -> list[BadBatch]:
        """Return the bad batches that errors report, each once; those whose ends are not known yet are left out.

        After some seconds the remaining errors are left until they are reported again. Those that were not searched for
        then come first.

        Args:
            messages: Messages with errors. An error may occur several times.
        """
        reported = {(message.topic(), message.partition(), message.offset()): message for message in messages}
        deadline = time.monotonic() + _FIND_SECONDS_MAX
        found = []
        for message in sorted(reported.values(), key=self._get_tried_at):
            batch = self.find_batch(message)
            if batch is not None:
                found.append(batch)
            if time.monotonic() > deadline:
                break
        return found

    def find_batch(self, message: Message) -> BadBatch | None:
        """Return the bad batch that an error reports.

        Takes a few fetches for a batch of one record, and about 20 more for one with thousands.

        Args:
            message: A message with an error.

        Returns:
            The batch; None if it is a different error, if it does not occur again, or if the broker does not answer
            soon enough (then the error comes again, and the search continues).
        """
        error = message.error()
        topic, partition, first = message.topic(), message.partition(), message.offset()
        if error is None or error.code() not in BAD_BATCH_ERRORS or topic is None or partition is None:
            return None
        started_at = time.monotonic()
        if first is None or first < 0 or started_at < self._paused_until:
            return None
        self._tried_at[topic, partition] = started_at
        consumer = make_consumer(self._properties)
        try:
            search = self._continue_search(consumer, TopicPartition(topic, partition, first), started_at)
        except (KafkaException, TimeoutError) as failure:
            reason = describe_kafka_error(failure) if isinstance(failure, KafkaException) else "no answer in time"
            log.warning("%s/%s: the end of the bad batch at %s is not known yet: %s", topic, partition, first, reason)
            search = None
        finally:
            consumer.close()
        if search is None or not search.is_finished:
            now = time.monotonic()
            self._paused_until = now + (now - started_at)
            return None
        del self._searches[topic, partition]
        return BadBatch(topic, partition, first, search.inside, error.name())

    def _get_tried_at(self, message: Message) -> float:
        return self._tried_at.get((message.topic() or "", message.partition() or 0), 0.0)

    def _continue_search(self, consumer: Consumer, start: TopicPartition, started_at: float) -> BatchEndSearch | None:
        """Search for the end of the batch at `start` for a while; None if the record there is readable.

        Raises:
            KafkaException: The broker rejects a request.
            TimeoutError: It does not answer.
        """
        key = (start.topic, start.partition)
        search = self._searches.get(key)
        # The topic may have been created again since.
        if search is None or search.first != start.offset or not _is_in_batch(consumer, start, search.inside):
            self._searches.pop(key, None)
            if not _is_in_batch(consumer, start, start.offset):
                return None  # the error was temporary, such as a damaged transmission: the record is readable
            _, end = consumer.get_watermark_offsets(start, timeout=_ANSWER_SECONDS_MAX)
            search = BatchEndSearch(start.offset, start.offset, max(end, start.offset + 1))
        self._searches[key] = search
        while not search.is_finished:
            offset = search.choose_offset()
            search.note(offset, is_inside=_is_in_batch(consumer, start, offset))
            if time.monotonic() > started_at + _FIND_SECONDS_MAX:
                break
        return search


def _is_in_batch(consumer: Consumer, first: TopicPartition, offset: int) -> bool:
    """Return whether a fetch at this offset returns the batch that begins at `first`.

    Raises:
        KafkaException: The broker rejects the request.
        TimeoutError: It does not answer in time.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS_MAX
    consumer.assign([TopicPartition(first.topic, first.partition, offset)])
    while (remaining := deadline - time.monotonic()) > 0:
        message = consumer.poll(remaining)
        if message is None or message.topic() != first.topic:  # an error of the client, not of the partition
            continue
        error = message.error()
        if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            return False
        if error.code() in BAD_BATCH_ERRORS:
            return message.offset() == first.offset
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 librdkafka's own code: beyond the log's end
            return False
        if not error.retriable():
            raise KafkaException(error)
    raise TimeoutError
