"""Helpers for tests with a broker: notices as a gate writes them, topics, and reading and writing records."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, Message, Producer, TopicPartition

from processors.exactly_once.retry import retry_query
from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import INDICATORS, NOTICES, URGENT
from tests.support.stable_ends import StableEnds

if TYPE_CHECKING:
    from sharing.testing.broker import Broker

SECONDS = 120.0
"""Far longer than a slow machine needs: it only ends a test that hangs."""


def make_topics(broker: Broker, state: str, partitions: int = 2) -> None:
    """Create the topics of a State that agencies write and subscribers read."""
    broker.create_topics([kind.topic(state) for kind in (INDICATORS, NOTICES, URGENT)], partitions)


def notice_record(state: str, value: str = "example.org", identity: str | None = None) -> dict[str, Any]:
    """Return the Avro record of a notice to a State."""
    content = {
        "type": "domain-name",
        "value": value,
        "source_agency": "Agency",
        "relevance": [{"kind": "NEXUS", "detail": "hosted there"}],
    }
    return {
        "id": identity or str(uuid.uuid4()),
        "indicator_id": str(uuid.uuid4()),
        "item_id": str(uuid.uuid4()),
        "version": 1,
        "sent_at": 1_767_225_600_000,
        "content": get_codec("notice_content").encode(fill_defaults("notice_content", content)),
        "amendment": 0,
        "kind": "ITEM",
        "from_state": "CH",
        "to_state": state,
        "to_authority": None,
        "urgency": "ORDINARY",
        "form": "INFORMATION",
        "pack": {"state": "CH", "version": "2026.1", "sha256": "0" * 64},
        "basis": "UNCAC",
        "condition_model": "ATTACHED_BINDING",
        "rules": [{"id": "ch.siag-12", "citation": "SIAG art. 12", "effect": "PERMIT"}],
        "conditions": [
            {"code": "H2", "kind": "HANDLING", "text": "Ask before you pass it on.", "exculpatory_exception": False}
        ],
        "obligation": False,
        "relevance": ["NEXUS"],
        "redacted": [],
        "review_at": None,
        "retain_until": None,
    }


def fill_defaults(schema: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with the schema's defaults for missing fields."""
    fields = get_codec(schema).schema["fields"]
    return {field["name"]: record.get(field["name"], field.get("default")) for field in fields}


def notice_bytes(state: str, value: str = "example.org", identity: str | None = None, **changes: Any) -> bytes:
    """Return an encoded notice to a State."""
    return get_codec("notice").encode({**notice_record(state, value, identity), **changes})


def write_records(
    broker: Broker, topic: str, values: Iterable[bytes | None], *, key: bytes = b"key", partition: int = 0
) -> None:
    """Write records to a partition, in order, and wait for their confirmation."""
    producer = plain_producer(broker)
    for value in values:
        producer.produce(topic, value, key, partition)
    assert producer.flush(SECONDS) == 0


def plain_producer(broker: Broker, **properties: Any) -> Producer:
    """Return a producer without the checks of `Publisher`."""
    return make_producer(client_properties(broker.bootstrap, {"acks": "all", **properties}))


def read_records(broker: Broker, topic: str, partitions: int = 2) -> list[Message]:
    """Return all committed records of a topic, at least those of every transaction that was open on it."""
    # An empty fetch reports the end of a partition, and by default the broker delays it for half a second.
    properties = {"group.id": f"look-{uuid.uuid4()}", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    consumer = make_consumer(client_properties(broker.bootstrap, properties))
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    records: list[Message] = []
    ended: set[int | None] = set()
    ends = StableEnds(consumer)
    deadline = time.monotonic() + 2 * SECONDS
    while len(ended) < partitions:
        message = consumer.poll(SECONDS)
        assert message is not None, f"{topic} could not be read to its end"
        assert time.monotonic() < deadline, f"{topic} could not be read to its end"
        error = message.error()
        if error is None:
            records.append(message)
        if message.partition() is None:
            continue  # an error of the connection: the client connects again
        if (error is not None and error.code() != KafkaError._PARTITION_EOF) or ends.is_reached(message):
            ended.add(message.partition())
    consumer.close()
    return records


def committed_offset(broker: Broker, group: str, topic: str, partition: int = 0) -> int:
    """Return the committed offset of a group; negative if it has none. A new broker has no coordinator for a moment."""
    consumer = make_consumer(client_properties(broker.bootstrap, {"group.id": group}))
    deadline = time.monotonic() + SECONDS
    try:
        (position,) = retry_query(
            lambda: consumer.committed([TopicPartition(topic, partition)], timeout=SECONDS),
            f"the offset of group {group}",
            lambda: time.monotonic() > deadline,
        )
    finally:
        consumer.close()
    return position.offset
