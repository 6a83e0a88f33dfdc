"""Reads new records of some topics, for the smoke test."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_consumer
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.watermarks import query_watermarks

_REQUEST_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.1


class TopicReader:
    """Reads the committed records that arrive on some topics from now on; never commits offsets.

    Args:
        bootstrap: Kafka bootstrap servers.
        topics: Names of the topics.
        properties: librdkafka properties of the consumer, with its group id.

    Raises:
        InfrastructureError: A topic does not exist or cannot be read.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], properties: Mapping[str, Any]) -> None:
        self._consumer = make_consumer(client_properties(bootstrap, {"fetch.wait.max.ms": 10, **properties}))
        try:
            known = self._consumer.list_topics(timeout=_REQUEST_SECONDS_MAX).topics
            positions = [TopicPartition(topic, number) for topic in topics for number in known[topic].partitions]
            for position in positions:
                position.offset = query_watermarks(self._consumer, position, _REQUEST_SECONDS_MAX)[1]
            self._consumer.assign(positions)
        except (KafkaException, KeyError) as error:
            self._consumer.close()
            reason = describe_kafka_error(error) if isinstance(error, KafkaException) else "a topic does not exist"
            raise InfrastructureError(f"{', '.join(topics)} cannot be read: {reason}") from None

    def read_messages(self, seconds: float) -> Iterator[Message]:
        """Yield the messages that arrive within this time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self._consumer.poll(_POLL_SECONDS)
            if message is not None and message.error() is None:
                yield message

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
