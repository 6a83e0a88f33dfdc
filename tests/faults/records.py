"""Reads the topics of a bus with `read_committed` to the end, with the position of each record."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, TopicPartition

from sharing.kafka.clients import client_properties, make_consumer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DECISIONS, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT, TopicKind
from tests.faults.workload import POISON_HEADER

READ_S = 60.0


class CommittedRecord(NamedTuple):
    """One committed record.

    Attributes:
        partition, offset: Its position.
        at_ms: Its timestamp, in UTC milliseconds.
        key: The key in bytes.
        raw: The value in bytes.
        data: The decoded value; empty for invalid records (see `poison`).
        poison: For an invalid record, the cause with which it must be quarantined; else "".
        headers: The values of its headers, joined.
    """

    partition: int
    offset: int
    at_ms: int
    key: bytes
    raw: bytes
    data: Mapping[str, Any]
    poison: str = ""
    headers: bytes = b""

    @property
    def unsealed(self) -> bytes:
        """The bytes that are never sealed."""
        return self.key + b" " + self.headers


@dataclass(slots=True)
class TopicContents:
    """The records on a providing State's topics, and those on the topics of the receiving States.

    Attributes:
        indicators, decisions, drafts, quarantined: Records of the provider.
        notices, urgent, offers: Records of every provider, by receiving State.
    """

    indicators: list[CommittedRecord] = field(default_factory=list)
    decisions: list[CommittedRecord] = field(default_factory=list)
    drafts: list[CommittedRecord] = field(default_factory=list)
    quarantined: list[CommittedRecord] = field(default_factory=list)
    notices: dict[str, list[CommittedRecord]] = field(default_factory=dict)
    urgent: dict[str, list[CommittedRecord]] = field(default_factory=dict)
    offers: dict[str, list[CommittedRecord]] = field(default_factory=dict)

    def list_notices(self, state: str) -> list[CommittedRecord]:
        """Return all notices that a State received."""
        return self.notices[state] + self.urgent[state]


def read_topic(bootstrap: str, kind: TopicKind, state: str, *, decode: bool = True) -> list[CommittedRecord]:
    """Return every committed record of a topic up to its current end, in order of partition and offset."""
    topic = kind.topic(state)
    # An empty fetch reports the end of a partition, and by default the broker delays it for half a second.
    properties = {"group.id": "checker", "enable.partition.eof": True, "fetch.wait.max.ms": 20}
    consumer = make_consumer(client_properties(bootstrap, properties))
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        records, open_partitions = [], set(partitions)
        deadline = time.monotonic() + READ_S
        while open_partitions:
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for message in consumer.consume(2_000, 0.1):
                error = message.error()
                if error is None:
                    records.append(_decode_message(message, kind.schema if decode else ""))
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition() or 0)
                elif error.fatal():
                    raise AssertionError(str(error))
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def read_records(
    bootstrap: str, providers: Iterable[str], recipients: Iterable[str], *, indicators: bool = True
) -> dict[str, TopicContents]:
    """Return the records on the topics of each providing State, and those of the receiving States.

    Args:
        bootstrap: Kafka bootstrap servers.
        providers: The providing States.
        recipients: The States whose notices and offers are read.
        indicators: Whether to read the topics of indicators; False if these have invalid records without a header.
    """
    states = list(recipients)
    received: dict[str, Any] = {
        "notices": {state: read_topic(bootstrap, NOTICES, state) for state in states},
        "urgent": {state: read_topic(bootstrap, URGENT, state) for state in states},
        "offers": {state: read_topic(bootstrap, OFFERS, state) for state in states},
    }
    return {
        provider: TopicContents(
            indicators=read_topic(bootstrap, INDICATORS, provider) if indicators else [],
            decisions=read_topic(bootstrap, DECISIONS, provider),
            drafts=read_topic(bootstrap, DRAFTS, provider),
            quarantined=read_topic(bootstrap, QUARANTINE, provider),
            **received,
        )
        for provider in providers
    }


def _decode_message(message: Message, schema: str) -> CommittedRecord:
    headers = {name: _as_bytes(value) for name, value in dict(message.headers() or ()).items()}
    poison = headers.get(POISON_HEADER, b"").decode()
    raw = message.value() or b""
    data = get_codec(schema).decode(raw) if schema and not poison else {}
    position = (message.partition() or 0, message.offset() or 0, message.timestamp()[1])
    return CommittedRecord(*position, message.key() or b"", raw, data, poison, b" ".join(headers.values()))


def _as_bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
