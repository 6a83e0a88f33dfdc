"""What stands on a topic between two instants, or at all: read once, from there to there, and nothing is committed.

The ends are fixed when the range is opened, so it ends however fast others write.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, error_code, explain, look_up_topics, make_consumer, require_topics

log = logging.getLogger(__name__)

LOOK_UP_SECONDS_MAX = 10.0
SILENCE_SECONDS_MAX = 60.0
"""How long nothing may be heard of the broker before the end."""

_BATCH = 5_000
_POLL_SECONDS = 0.5
_RETRY_SECONDS = 0.2

_REFUSED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._AUTHENTICATION,  # noqa: SLF001 librdkafka's own code
    }
)


class TopicRange:
    """Committed records of a topic, in the order of each partition.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: Its name.
        group: A name for the broker's logs and permissions; nobody joins it.
        since_ms: Records from this instant on (their timestamps), in UTC milliseconds; from the first when None.
        until_ms: Records before this instant; to the last when None.
        properties: Further librdkafka properties, such as those of TLS.

    Attributes:
        total: Upper bound of how many records there are: offsets, those of transaction marks included.

    Raises:
        InfrastructureError: No broker answers, the topic is not there, or its offsets cannot be looked up.
    """

    def __init__(
        self, bootstrap: str, topic: str, group: str, since_ms: int | None = None, until_ms: int | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        present = look_up_topics(bootstrap, properties)
        require_topics(present, [topic])
        self._topic = topic
        self._consumer: Consumer = make_consumer(
            client_properties(
                bootstrap,
                {
                    **(properties or {}),
                    "group.id": group,
                    "isolation.level": "read_committed",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                },
            )
        )
        deadline = time.monotonic() + LOOK_UP_SECONDS_MAX
        while True:
            try:
                self._open = self._find_range(present[topic], since_ms, until_ms)
                break
            except KafkaException as error:  # a partition that was just made, or moved, has no leader for a moment
                if error_code(error) in _REFUSED or time.monotonic() > deadline:
                    self._consumer.close()
                    raise InfrastructureError(f"{topic}: its offsets cannot be looked up ({explain(error)})") from None
                time.sleep(_RETRY_SECONDS)
        self.total = sum(end - start for start, end in self._open.values())

    def batches(self) -> Iterator[list[Message]]:
        """Yield the records, some thousands at a time.

        Raises:
            InfrastructureError: The broker refuses, or is silent for a minute.
        """
        self._consumer.assign([TopicPartition(self._topic, number, start) for number, (start, _) in self._open.items()])
        ends = {number: end for number, (_, end) in self._open.items()}
        heard = time.monotonic()
        while ends:
            messages = self._consumer.consume(_BATCH, _POLL_SECONDS)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() > heard + SILENCE_SECONDS_MAX:
                raise InfrastructureError(f"{self._topic}: nothing was heard of the broker for a minute; run it again")
            batch = list(self._within(messages, ends))
            if batch:
                yield batch

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _find_range(self, partitions: int, since_ms: int | None, until_ms: int | None) -> dict[int, tuple[int, int]]:
        """Return for each partition that holds anything its first offset and the one after its last."""
        found = {}
        since, until = self._at(partitions, since_ms), self._at(partitions, until_ms)
        for number in range(partitions):
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, number), timeout=LOOK_UP_SECONDS_MAX
            )
            start = max(low, since.get(number, low if since_ms is None else high))
            end = min(high, until.get(number, high))
            if start < end:
                found[number] = start, end
        return found

    def _at(self, partitions: int, instant_ms: int | None) -> dict[int, int]:
        """Return each partition's first offset at or after an instant, where there is one."""
        if instant_ms is None:
            return {}
        asked = [TopicPartition(self._topic, number, instant_ms) for number in range(partitions)]
        answered = self._consumer.offsets_for_times(asked, timeout=LOOK_UP_SECONDS_MAX)
        for entry in answered:
            if entry.error is not None:
                raise KafkaException(entry.error)
        return {entry.partition: entry.offset for entry in answered if entry.offset >= 0}

    def _within(self, messages: list[Message], ends: dict[int, int]) -> Iterator[Message]:
        """Yield the records before the ends, and strike out the partitions that are done."""
        for message in messages:
            error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                    ends.pop(number, None)
                elif error.fatal() or error.code() in _REFUSED:
                    raise InfrastructureError(f"{self._topic}: cannot be read ({explain(error)})")
                else:  # librdkafka mends it
                    log.warning("%s: %s", self._topic, explain(error))
                continue
            end = ends.get(number)
            if end is None:
                continue
            if offset < end:
                yield message
            if offset >= end - 1:
                del ends[number]
                self._consumer.pause([TopicPartition(self._topic, number)])
