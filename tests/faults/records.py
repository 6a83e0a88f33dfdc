"""What stands on the topics of a bus, read with `read_committed` to the end, with the place of each record."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, TopicPartition

from sharing.kafka.clients import client_properties, make_consumer
from sharing.serialization.codec import codec_of
from sharing.topology.topics import DECISIONS, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT, TopicKind
from tests.faults.workload import POISON_HEADER

READ_S = 60.0


class Entry(NamedTuple):
    """One committed record.

    Attributes:
        partition, offset: Where it stands.
        at_ms: Its time stamp, in UTC milliseconds.
        key: As it is.
        raw: Its value as it is.
        data: Its value decoded; empty for bad records, of which `poison` says so.
        poison: For a bad record, the cause under which it is to be quarantined; else "".
        headers: The values of its headers, one after the other.
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
    def open(self) -> bytes:
        """What is never sealed."""
        return self.key + b" " + self.headers


@dataclass(slots=True)
class Records:
    """What stands on one providing State's topics, and what came to the States that receive.

    Attributes:
        indicators, decisions, drafts, quarantined: Of the provider.
        notices, urgent, offers: By receiving State; of every provider.
    """

    indicators: list[Entry] = field(default_factory=list)
    decisions: list[Entry] = field(default_factory=list)
    drafts: list[Entry] = field(default_factory=list)
    quarantined: list[Entry] = field(default_factory=list)
    notices: dict[str, list[Entry]] = field(default_factory=dict)
    urgent: dict[str, list[Entry]] = field(default_factory=dict)
    offers: dict[str, list[Entry]] = field(default_factory=dict)

    def received(self, state: str) -> list[Entry]:
        """Return all notices that came to a State."""
        return self.notices[state] + self.urgent[state]


def read_topic(bootstrap: str, kind: TopicKind, state: str, *, decode: bool = True) -> list[Entry]:
    """Return every committed record of a topic, to the end that it has now, in the order of each partition."""
    topic = kind.topic(state)
    # The end of a partition is told by a fetch that comes back empty, and the broker holds that up for half a second.
    own = {"group.id": "checker", "enable.partition.eof": True, "fetch.wait.max.ms": 20}
    consumer = make_consumer(client_properties(bootstrap, own))
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        entries, open_partitions = [], set(partitions)
        deadline = time.monotonic() + READ_S
        while open_partitions:
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for message in consumer.consume(2_000, 0.1):
                error = message.error()
                if error is None:
                    entries.append(_entry(message, kind.schema if decode else ""))
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition() or 0)
                elif error.fatal():
                    raise AssertionError(str(error))
        return sorted(entries, key=lambda entry: (entry.partition, entry.offset))
    finally:
        consumer.close()


def read_records(
    bootstrap: str, providers: Iterable[str], recipients: Iterable[str], *, indicators: bool = True
) -> dict[str, Records]:
    """Return what stands on the topics of each providing State, and what came to all that receive.

    Args:
        bootstrap: Where.
        providers: The providing States.
        recipients: The States whose notices and offers are read.
        indicators: Whether to read the topics of indicators too; not where they hold bad records without a header.
    """
    states = list(recipients)
    came: dict[str, Any] = {
        "notices": {state: read_topic(bootstrap, NOTICES, state) for state in states},
        "urgent": {state: read_topic(bootstrap, URGENT, state) for state in states},
        "offers": {state: read_topic(bootstrap, OFFERS, state) for state in states},
    }
    return {
        provider: Records(
            indicators=read_topic(bootstrap, INDICATORS, provider) if indicators else [],
            decisions=read_topic(bootstrap, DECISIONS, provider),
            drafts=read_topic(bootstrap, DRAFTS, provider),
            quarantined=read_topic(bootstrap, QUARANTINE, provider),
            **came,
        )
        for provider in providers
    }


def _entry(message: Message, schema: str) -> Entry:
    headers = {name: _as_bytes(value) for name, value in dict(message.headers() or ()).items()}
    poison = headers.get(POISON_HEADER, b"").decode()
    raw = message.value() or b""
    data = codec_of(schema).decode(raw) if schema and not poison else {}
    place = (message.partition() or 0, message.offset() or 0, message.timestamp()[1])
    told = b" ".join(headers.values())
    return Entry(*place, message.key() or b"", raw, data, poison, told)


def _as_bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
