"""A State's own directory topic: read to its end, and written in one batch, so that readers see it together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS
from sharing.kafka.clients import client_properties, fetch_topics, look_up_topics, make_producer, require_topics
from sharing.kafka.directory_cluster import make_directory_consumer
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.kafka.watermarks import query_watermarks
from sharing.serialization.framing import Framing
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import DIRECTORY
from sharing.trust.documents import PUBLISHED_BYTES_MAX

READ_SECONDS_MAX: Final = 30.0
ANNOUNCE_SECONDS_MAX = 15.0
RECORD_BYTES_MAX: Final = PUBLISHED_BYTES_MAX
"""The largest record that fits in a batch of the topic, with headers."""

_PARTITION = 0


class OwnTopic:
    """Reads the directory topic of one State.

    Attributes:
        published: The newest value of each record key, as of the last time that the topic was read.
        is_whole: Whether nothing was skipped then because it could not be read.
    """

    def __init__(self, bootstrap: str, state: str, properties: Mapping[str, Any], framing: Framing) -> None:
        self.published: dict[str, bytes | None] = {}
        self.is_whole = True
        self._bootstrap = bootstrap
        self._state = state
        self._properties = properties
        self._framing = framing

    def read_to_end(self, receive: Callable[[str, bytes | None], object]) -> None:
        """Read the topic from its beginning to its end.

        It is read from its beginning each time: it is short, and may have been created again.

        Args:
            receive: Called with key and value of each record, in single-object encoding.

        Raises:
            InfrastructureError: No broker answers, the topic does not exist, or the end is not reached in time.
        """
        topic = DIRECTORY.topic(self._state)
        require_topics(look_up_topics(self._bootstrap, self._properties), [topic], self._state)
        consumer = make_directory_consumer(self._bootstrap, self._properties)
        self.published, self.is_whole = {}, True
        try:
            self._read(consumer, TopicPartition(topic, _PARTITION, OFFSET_BEGINNING), receive)
        except KafkaException as error:
            raise InfrastructureError(f"{topic} cannot be read: {describe_kafka_error(error)}") from None
        finally:
            consumer.close()

    def _read(
        self, consumer: Consumer, partition: TopicPartition, receive: Callable[[str, bytes | None], object]
    ) -> None:
        _, end = query_watermarks(consumer, partition, READ_SECONDS_MAX)
        consumer.assign([partition])
        position, deadline = 0, time.monotonic() + READ_SECONDS_MAX
        while position < end:
            if time.monotonic() > deadline:
                raise InfrastructureError(f"{partition.topic} cannot be read within {READ_SECONDS_MAX:g} s")
            message = consumer.poll(1.0)
            error = None if message is None else message.error()
            if message is None:
                continue
            if error is None:
                position = (message.offset() or 0) + 1
                self._take(message, receive)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
                position = max(position, message.offset() or 0)
                end = position  # what follows it is not committed
            elif error.code() in BAD_BATCH_ERRORS:
                self.is_whole = False
                position = end - 1 if end - 1 > position else end  # like every reader: the newest record counts
                consumer.seek(TopicPartition(partition.topic, _PARTITION, position))

    def _take(self, message: Message, receive: Callable[[str, bytes | None], object]) -> None:
        key, value = (message.key() or b"").decode("ascii", "replace"), message.value()
        self.published[key] = value
        receive(key, self._framing.to_single_object(value))


def publish_records(
    bootstrap: str,
    state: str,
    records: Iterable[tuple[str, bytes | None]],
    properties: Mapping[str, Any] | None = None,
    kind: TopicKind = DIRECTORY,
) -> None:
    """Write records to a State's directory topic in their order, and wait until the broker has confirmed all.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        records: Key and value of each record.
        properties: Further librdkafka properties, such as those of TLS.
        kind: Another kind of topic with one partition that officers write.

    Raises:
        InfrastructureError: No broker answers, the topic does not exist, or a record was not confirmed.
        InputError: A record is larger than the topic accepts.
        SettingsError: A property is unknown or wrong.
    """
    records = list(records)
    for key, value in records:
        if value is not None and len(value) > RECORD_BYTES_MAX:
            raise InputError(
                f"{state}: the record {key} has {len(value):,} bytes; the topic accepts {RECORD_BYTES_MAX:,}"
            )
    topic = kind.topic(state)
    errors: deque[KafkaError] = deque(maxlen=10)
    confirmations: list[KafkaError | None] = []
    options = {
        "error_cb": errors.append,
        **(properties or {}),
        "acks": "all",
        "linger.ms": 50,
        "max.in.flight.requests.per.connection": 1,
        "delivery.timeout.ms": int(ANNOUNCE_SECONDS_MAX * 1000),
    }
    producer = make_producer(client_properties(bootstrap, options))
    require_topics(fetch_topics(producer, bootstrap, errors), [topic], state)
    try:
        for key, value in records:
            producer.produce(
                topic, value, key.encode(), _PARTITION, on_delivery=lambda error, _: confirmations.append(error)
            )
    except KafkaException as error:
        raise InfrastructureError(f"cannot write to {topic}: {describe_kafka_error(error)}") from None
    producer.flush(ANNOUNCE_SECONDS_MAX + 2)
    failures = [error for error in confirmations if error is not None]
    if len(confirmations) < len(records) or failures:
        _refuse_unconfirmed(state, failures[0] if failures else None)


def _refuse_unconfirmed(state: str, failure: KafkaError | None) -> None:
    reason = describe_kafka_error(failure) if failure is not None else "no confirmation in time"
    remedy = "announce it again when the broker is back"
    if failure is not None and failure.code() in AUTHORIZATION_ERRORS:
        remedy = f"use the certificate of {state}'s officers, console.{state.lower()}"
    raise InfrastructureError(f"the broker did not confirm the entry of {state}: {reason}; {remedy}")
