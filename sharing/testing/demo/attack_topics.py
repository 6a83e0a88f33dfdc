"""Writes what an attacker writes, and waits for what the worker of the attacked State makes of it."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.kafka.errors import describe_kafka_error
from sharing.serialization.codec import get_codec
from sharing.topology.topics import QUARANTINE

REQUEST_SECONDS_MAX: Final = 10.0
WRITE_SECONDS_MAX: Final = 20.0
COUNTS_KEY: Final = b"counts"
_POLL_SECONDS: Final = 0.2
_REPEATED: Final = re.compile(r'^sharing_inbox_records_total\{outcome="REPEATED"\} ([0-9.e+]+)$', re.MULTILINE)


class Place(NamedTuple):
    """Where a record is: topic, partition and offset."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """A record as it is on its topic."""

    place: Place
    key: bytes
    value: bytes = field(repr=False)


class Refusal(NamedTuple):
    """What a quarantine topic says of a refused record: a short code and a sentence."""

    cause: str
    message: str


def write_value(
    bootstrap: str, properties: Mapping[str, str], topic: str, key: bytes, value: bytes, partition: int
) -> Place:
    """Write one record, and return where it is.

    Raises:
        InfrastructureError: The broker did not confirm it.
    """
    confirmed: list[tuple[KafkaError | None, Message]] = []
    producer = make_producer(client_properties(bootstrap, {**properties, "acks": "all"}))
    producer.produce(topic, value, key, partition, on_delivery=lambda error, sent: confirmed.append((error, sent)))
    producer.flush(WRITE_SECONDS_MAX)
    if not confirmed or confirmed[0][0] is not None:
        reason = describe_kafka_error(confirmed[0][0]) if confirmed and confirmed[0][0] else "no confirmation in time"
        raise InfrastructureError(f"{topic} cannot be written: {reason}")
    return Place(topic, partition, confirmed[0][1].offset() or 0)


def read_message(bootstrap: str, properties: Mapping[str, str], topic: str) -> TopicMessage:
    """Return the first sealed message of a topic.

    Raises:
        InfrastructureError: There is none, or the topic cannot be read.
    """
    with closing(_open_consumer(bootstrap, properties, topic)) as consumer:
        deadline = time.monotonic() + REQUEST_SECONDS_MAX
        while time.monotonic() < deadline:
            message = consumer.poll(_POLL_SECONDS)
            if message is None or message.error() is not None or message.key() in {None, COUNTS_KEY}:
                continue
            place = Place(topic, message.partition() or 0, message.offset() or 0)
            return TopicMessage(place, message.key() or b"", message.value() or b"")
    raise InfrastructureError(f"{topic} has no message that could be copied")


def await_refusal(
    bootstrap: str, properties: Mapping[str, str], state: str, place: Place, seconds_max: float
) -> Refusal | None:
    """Return why a State has refused a record, as soon as its quarantine topic names it; None if that takes too long.

    Raises:
        InfrastructureError: The topic cannot be read.
    """
    with closing(_open_consumer(bootstrap, properties, QUARANTINE.topic(state))) as consumer:
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            message = consumer.poll(_POLL_SECONDS)
            if message is None or message.error() is not None:
                continue
            record = get_codec("quarantine").decode(message.value() or b"")
            if (record["topic"], record["partition"], record["offset"]) == place:
                return Refusal(record["cause"], record["message"])
    return None


def await_repetition(port: int, write: Callable[[], object], seconds_max: float) -> bool:
    """Write a record, and return whether a worker counts it as repeated in time.

    Args:
        port: Port of the worker's metrics.
        write: Writes the record.
        seconds_max: How long to wait, in seconds.

    Raises:
        InfrastructureError: The metrics cannot be read, or the record cannot be written.
    """
    before = read_repeated(port)
    write()
    deadline = time.monotonic() + seconds_max
    while read_repeated(port) <= before:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def read_repeated(port: int) -> float:
    """Return how many messages a worker's inbox has counted as repeated.

    Raises:
        InfrastructureError: The metrics cannot be read.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS_MAX)
    try:
        connection.request("GET", "/metrics")
        found = _REPEATED.search(connection.getresponse().read().decode())
    except (OSError, http.client.HTTPException) as error:
        raise InfrastructureError(f"the metrics on port {port} cannot be read: {error}") from None
    finally:
        connection.close()
    if found is None:
        raise InfrastructureError(f"the metrics on port {port} do not count repeated messages")
    return float(found[1])


def _open_consumer(bootstrap: str, properties: Mapping[str, str], topic: str) -> Consumer:
    """Return a consumer that reads a topic from its beginning."""
    consumer: Consumer = make_consumer(client_properties(bootstrap, {**properties, "group.id": "attacks"}))
    try:
        partitions = consumer.list_topics(topic, timeout=REQUEST_SECONDS_MAX).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    except KafkaException as error:
        consumer.close()
        raise InfrastructureError(f"{topic} cannot be read: {describe_kafka_error(error)}") from None
    return consumer
