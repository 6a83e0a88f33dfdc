"""Gets a consumer past a record batch that cannot be read, such as one that inflates to more than a client accepts.

A broker's size limit counts compressed bytes: 12 kB may inflate to more than librdkafka takes
(`receive.message.max.bytes`). librdkafka then reports an error at the first offset of the batch, keeps its position,
and reports it again, without end. So the consumer must seek past the batch. The error does not say where it ends, and
records behind it must not be skipped. This module finds the end: the last offset at which the same batch is fetched.

Protocol, in the thread that polls the consumer, for each `message` with an `error()`:

    batch = finder.find_batch(message)
    if batch is not None:
        ...  # record it by reference, once for each (topic, partition, first_offset)
        consumer.seek(TopicPartition(batch.topic, batch.partition, batch.next_offset))

The records before the batch have been delivered when its error is. The seek discards what librdkafka has queued for the
partition; a repeated error that the same `consume` call has returned already must be recognised by its offset.

zstd and data that is no valid compression end here. What librdkafka inflates from gzip, lz4 and snappy has no limit, so
such a batch is read. `BOUNDED_FETCH` limits how many of them are in memory at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.kafka.clients import make_consumer, without_callbacks
from sharing.kafka.errors import describe_kafka_error
from sharing.model.bad_batch import BadBatch

__all__ = [
    "BAD_BATCH_ERRORS", "BOUNDED_FETCH", "FIND_SECONDS_MAX", "INFLATED_BYTES_MAX", "BadBatch", "BadBatchFinder",
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
"""Suggested limit of a batch after decompression. A producer collects about 1 MB before it compresses."""

BOUNDED_FETCH: Final[Mapping[str, int]] = {
    "fetch.max.bytes": 1_000_000,
    "fetch.message.max.bytes": 1_000_000,
    "receive.message.max.bytes": INFLATED_BYTES_MAX,
}
"""librdkafka properties of a consumer with bounded memory. A broker returns at most so many compressed bytes for all
partitions together, or one batch that is larger."""

FIND_SECONDS_MAX = 30.0
"""How long `find_batch` may take before it leaves the search to the next report of the error."""

_ANSWER_SECONDS_MAX = 5.0
_PROBE_PROPERTIES: Mapping[str, Any] = {
    **BOUNDED_FETCH,
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 10,
    "fetch.error.backoff.ms": 10,
}
_NOT_FOR_A_PROBE = ("group.instance.id", "message.max.bytes", "debug")


class BadBatchFinder:
    """Finds the ends of bad batches, with a consumer of its own that exists only while it searches.

    Args:
        properties: librdkafka properties of the consumer that met the batch. Callbacks in them are not used.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        shared = {name: value for name, value in without_callbacks(properties).items() if name not in _NOT_FOR_A_PROBE}
        self._properties = {"group.id": "bad-batches", **shared, **_PROBE_PROPERTIES}

    def find_batch(self, message: Message) -> BadBatch | None:
        """Return the bad batch that an error reports.

        Takes a few fetches for a batch of one record, and about 20 more for one with thousands.

        Args:
            message: A message with an error.

        Returns:
            The batch; None if the error is another one, if it does not occur again, or if the broker does not answer
            (then the error comes again).
        """
        error = message.error()
        topic, partition, first = message.topic(), message.partition(), message.offset()
        if error is None or error.code() not in BAD_BATCH_ERRORS or topic is None or partition is None:
            return None
        if first is None or first < 0:
            return None
        consumer = make_consumer(self._properties)
        try:
            start = TopicPartition(topic, partition, first)
            if not _is_in_batch(consumer, start, first, time.monotonic() + FIND_SECONDS_MAX):
                return None  # the error was temporary, such as a damaged transmission: the record is readable
            last = _find_last_offset(consumer, start)
        except (KafkaException, TimeoutError) as failure:
            reason = describe_kafka_error(failure) if isinstance(failure, KafkaException) else "no answer in time"
            log.warning("%s/%s: the end of the bad batch at %s is not known yet: %s", topic, partition, first, reason)
            return None
        finally:
            consumer.close()
        return BadBatch(topic, partition, first, last, error.name())


def _find_last_offset(consumer: Consumer, first: TopicPartition) -> int:
    """Return the last offset of the batch that begins at `first`: by doubling steps, then by bisection.

    Raises:
        KafkaException: The broker rejects a request.
        TimeoutError: It does not answer.
    """
    deadline = time.monotonic() + FIND_SECONDS_MAX
    _, end = consumer.get_watermark_offsets(first, timeout=_ANSWER_SECONDS_MAX)
    inside, step = first.offset, 1
    behind = end if end > inside else inside + 1
    while inside + step < behind:
        if _is_in_batch(consumer, first, inside + step, deadline):
            inside, step = inside + step, step * 2
        else:
            behind = inside + step
    while behind - inside > 1:
        middle = (inside + behind) // 2
        if _is_in_batch(consumer, first, middle, deadline):
            inside = middle
        else:
            behind = middle
    return inside


def _is_in_batch(consumer: Consumer, first: TopicPartition, offset: int, deadline: float) -> bool:
    """Return whether a fetch at this offset returns the batch that begins at `first`.

    Raises:
        KafkaException: The broker rejects the request.
        TimeoutError: It does not answer before the deadline.
    """
    consumer.assign([TopicPartition(first.topic, first.partition, offset)])
    while time.monotonic() < deadline:
        message = consumer.poll(_ANSWER_SECONDS_MAX)
        if message is None or message.topic() != first.topic:  # an error of the client, not of the partition
            continue
        error = message.error()
        if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            return False
        if error.code() in BAD_BATCH_ERRORS:
            return message.offset() == first.offset
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 librdkafka's own code: behind the log's end
            return False
        if not error.retriable():
            raise KafkaException(error)
    raise TimeoutError
