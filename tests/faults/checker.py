"""Checks, from the topics alone, that nothing was lost, doubled or leaked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from sharing.ids import notice_id, offer_id
from sharing.kafka.clients import client_properties, make_consumer
from sharing.topics import DECISIONS, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT, TopicKind
from sharing.wire import codec

READ_S = 60.0


@dataclass(slots=True)
class Records:
    """What stands on the topics, decoded; keys of `received` and `offered` are receiving States."""

    indicators: list[Mapping[str, Any]] = field(default_factory=list)
    decisions: list[Mapping[str, Any]] = field(default_factory=list)
    drafts: list[Mapping[str, Any]] = field(default_factory=list)
    quarantined: list[Mapping[str, Any]] = field(default_factory=list)
    received: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    offered: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)


def read_topic(bootstrap: str, kind: TopicKind, state: str) -> list[bytes]:
    """Return every committed value of a topic, to the end that it has now."""
    topic = kind.topic(state)
    consumer = make_consumer(client_properties(bootstrap, {"group.id": "checker", "enable.partition.eof": True}))
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        values, open_partitions = [], set(partitions)
        deadline = time.monotonic() + READ_S
        while open_partitions:
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for message in consumer.consume(2_000, 0.1):
                error = message.error()
                if error is None:
                    values.append(message.value() or b"")
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition() or 0)
                else:
                    raise AssertionError(str(error))
        return values
    finally:
        consumer.close()


def read_records(bootstrap: str, provider: str, recipients: Iterable[str], *, indicators: bool = True) -> Records:
    """Return what stands on one providing State's topics, and what came to the others.

    Args:
        bootstrap: Where.
        provider: The providing State.
        recipients: The States whose notices and offers are read.
        indicators: Whether to read the topic of indicators too; not where it holds what cannot be decoded.
    """

    def decoded(kind: TopicKind, state: str) -> list[Mapping[str, Any]]:
        return [codec(kind.schema).decode(value) for value in read_topic(bootstrap, kind, state)]

    return Records(
        indicators=decoded(INDICATORS, provider) if indicators else [],
        decisions=decoded(DECISIONS, provider),
        drafts=decoded(DRAFTS, provider),
        quarantined=decoded(QUARANTINE, provider),
        received={state: decoded(NOTICES, state) + decoded(URGENT, state) for state in recipients},
        offered={state: decoded(OFFERS, state) for state in recipients},
    )


def find_violations(provider: str, records: Records) -> list[str]:
    """Return one sentence for each thing that is lost, doubled or leaked."""
    violations = []
    published = Counter(_item(record, "id") for record in records.indicators)
    decided = Counter(_item(record, "indicator_id") for record in records.decisions)
    violations += [f"lost: no decision on {item}" for item in published - decided]
    violations += [f"doubled: more decisions than records on {item}" for item in decided - published]
    expected = _expected(provider, records.decisions)
    for state, received in records.received.items():
        violations += _compare("notice", expected.get(("DISCLOSE", state), Counter()), received, state)
    for state, offered in records.offered.items():
        violations += _compare("offer", expected.get(("OFFER", state), Counter()), offered, state)
    waiting = {_item(record, "indicator_id") for record in records.drafts}
    for record in records.decisions:
        opened = any(one["outcome"] != "WITHHOLD" for one in record["recipients"])
        if opened is not (_item(record, "indicator_id") in waiting):
            violations.append(f"draft and decision disagree on {record['indicator_id']}")
    return violations


def _item(record: Mapping[str, Any], name: str) -> tuple[str, int]:
    return str(record[name]), int(record["version"])


def _expected(provider: str, decisions: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Counter[str]]:
    """Return the ids of notices and offers that the decisions announce, by outcome and State."""
    expected: dict[tuple[str, str], Counter[str]] = {}
    for record in decisions:
        identity, version = _item(record, "indicator_id")
        for one in record["recipients"]:
            make = {"DISCLOSE": notice_id, "OFFER": offer_id}.get(one["outcome"])
            if make is not None:
                counts = expected.setdefault((one["outcome"], one["state"]), Counter())
                counts[make(provider, identity, version, one["state"])] += 1
    return expected


def _compare(what: str, expected: Counter[str], came: Iterable[Mapping[str, Any]], state: str) -> list[str]:
    found = Counter(str(record["id"]) for record in came)
    return [
        *(f"lost: {what} {identity} to {state}" for identity in expected - found),
        *(
            f"{'doubled' if expected[identity] else 'leaked'}: {what} {identity} to {state}"
            for identity in found - expected
        ),
    ]
