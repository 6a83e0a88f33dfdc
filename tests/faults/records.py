"""Reads the topics of a bus with `read_committed` to the end, with the position of each record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from processors.exactly_once.log_positions import is_log_position
from sharing.audit.block import SCHEMA
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BadBatchFinder
from sharing.kafka.clients import client_properties, consume_available, make_consumer
from sharing.serialization.codec import get_codec
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import (
    DECISIONS,
    DRAFTS,
    GATE_STATE,
    INDICATORS,
    NOTICES,
    OFFERS,
    QUARANTINE,
    REPLIES,
    URGENT,
)
from tests.faults.audit_blocks import find_broken_blocks, unpack_entries
from tests.faults.contents import CommittedRecord, DeletedLog, TopicContents
from tests.faults.workload import POISON_HEADER
from tests.support.stable_ends import StableEnds

READ_S = 150.0
POISON_BYTES_MAX = 1_000_000
"""How much of an invalid record is kept. It may be as large as memory."""


OpenValue = Callable[[TopicKind, str, bytes, bytes], bytes | None]
"""Opens the value of a record, given its kind of topic, State, key and value; None if the record is not to be read."""


def read_topic(
    bootstrap: str, kind: TopicKind, state: str, *, decode: bool = True, open_value: OpenValue | None = None
) -> list[CommittedRecord]:
    """Return every committed record of a topic, by partition and offset.

    At least those of every transaction that was open on it are read.

    Of an audit log, each entry is returned as if it were a record, unless `decode` is false.

    Args:
        bootstrap: Kafka bootstrap servers.
        kind: The kind of topic.
        state: Its State.
        decode: Whether to decode the values.
        open_value: Opens sealed values; None if nothing is sealed.
    """
    topic = kind.topic(state)
    # An empty fetch reports the end of a partition, and by default the broker delays it for half a second.
    properties = {"group.id": "checker", "enable.partition.eof": True, "fetch.wait.max.ms": 20}
    consumer = make_consumer(client_properties(bootstrap, properties))
    finder = BadBatchFinder(client_properties(bootstrap))
    try:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        records: dict[tuple[int, int], CommittedRecord] = {}
        open_partitions = set(partitions)
        ends = StableEnds(consumer)
        deadline = time.monotonic() + READ_S
        while open_partitions:
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for message in consume_available(consumer, 2_000, 0.1):
                error = message.error()
                if error is None:
                    opening = None if open_value is None else partial(open_value, kind, state)
                    record = _decode_message(message, kind.schema if decode else "", opening)
                    if record is not None:
                        records[record.partition, record.offset] = record
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    if ends.is_reached(message):
                        open_partitions.discard(message.partition() or 0)
                elif error.code() in BAD_BATCH_ERRORS:
                    if (message.partition(), message.offset()) not in records:  # an error may be reported repeatedly
                        bad = _skip_bad_batch(consumer, finder, message)
                        records[bad.partition, bad.offset] = bad
                elif error.fatal():
                    raise AssertionError(str(error))
        in_order = [record for _, record in sorted(records.items())]
        return unpack_entries(in_order) if decode and kind.schema == SCHEMA else in_order
    finally:
        consumer.close()


def read_records(
    bootstrap: str,
    providers: Iterable[str],
    recipients: Iterable[str],
    *,
    indicators: bool = True,
    open_value: OpenValue | None = None,
    deleted_logs: Mapping[str, Sequence[DeletedLog]] = MappingProxyType({}),
) -> dict[str, TopicContents]:
    """Return the records on the topics of each providing State, and those of the receiving States.

    Args:
        bootstrap: Kafka bootstrap servers.
        providers: The providing States.
        recipients: The States whose notices and offers are read.
        indicators: Whether to read the topics of indicators; False if these have invalid records without a header.
        open_value: Opens sealed values; None if nothing is sealed.
        deleted_logs: The input topics that were deleted, by providing State, in their order.
    """
    read = partial(read_topic, bootstrap, open_value=open_value)
    states = list(recipients)
    received: dict[TopicKind, dict[str, list[CommittedRecord]]] = {NOTICES: {}, URGENT: {}, OFFERS: {}}
    unreadable: dict[str, list[str]] = {state: [] for state in states}
    for kind, by_state in received.items():
        for state in states:
            records = read(kind, state)
            by_state[state] = [record for record in records if not record.poison]
            unreadable[state] += [
                f"{kind.topic(state)}/{record.partition}@{record.offset}" for record in records if record.poison
            ]
    urgent_offers, urgent_replies = (
        {state: [each for each in records if is_of(schema, each.raw)] for state, records in received[URGENT].items()}
        for schema in (OFFERS.schema, REPLIES.schema)
    )
    for records in received[URGENT].values():
        records[:] = [record for record in records if is_of(NOTICES.schema, record.raw)]
    result = {}
    for provider in providers:
        contents = TopicContents(
            decisions=read(DECISIONS, provider),
            drafts=read(DRAFTS, provider),
            quarantined=read(QUARANTINE, provider),
            notices=received[NOTICES],
            urgent=received[URGENT],
            offers=received[OFFERS],
            unreadable=unreadable,
            broken_blocks=find_broken_blocks(read(DECISIONS, provider, decode=False)),
            urgent_offers=urgent_offers,
            urgent_replies=urgent_replies,
        )
        logs = deleted_logs.get(provider, ())
        if logs:
            add_deleted_logs(contents, logs, read_positions(bootstrap, provider))
        if indicators:
            contents.indicators += read(INDICATORS, provider)
        result[provider] = contents
    return result


def add_deleted_logs(
    contents: TopicContents, logs: Iterable[DeletedLog], positions: Mapping[tuple[str, int], int]
) -> None:
    """Add the records of deleted topics that were processed to the indicators, and the others to the deleted ones.

    Args:
        contents: Is changed.
        logs: The deleted topics, in their order.
        positions: The offset after the last processed record, by id of the topic and partition.
    """
    for log in logs:
        for record in log.records:
            if record.offset < positions.get((log.topic_id, record.partition), 0):
                contents.indicators.append(record)
            elif not record.poison:
                contents.deleted |= {(str(record.data["id"]), int(record.data["version"]))} & log.accepted


def read_positions(bootstrap: str, state: str) -> dict[tuple[str, int], int]:
    """Return how far a gate has processed each log: the offset after its last record, by id of the topic and partition.

    A position is committed in the transaction of the decisions, so a missing decision before it was lost, and a
    decision behind it has no cause.
    """
    positions: dict[tuple[str, int], int] = {}
    topic = INDICATORS.topic(state).encode()
    for record in read_topic(bootstrap, GATE_STATE, state, decode=False):
        if record.raw and is_log_position(record.key) and record.key.endswith(b"/" + topic):
            position = get_codec(GATE_STATE.schema).decode(record.raw)["log"]
            key = (str(position["topic_id"]), record.partition)
            positions[key] = max(positions.get(key, 0), int(position["next_offset"]))
    return positions


def _skip_bad_batch(consumer: Consumer, finder: BadBatchFinder, message: Message) -> CommittedRecord:
    batch = finder.find_batch(message)
    assert batch is not None, f"{message.topic()}: the end of an unreadable batch is not found"
    consumer.seek(TopicPartition(batch.topic, batch.partition, batch.next_offset))
    cause = batch.cause.removeprefix("_")
    return CommittedRecord(batch.partition, batch.first_offset, 0, b"", b"", {}, cause)


def _decode_message(
    message: Message, schema: str, open_value: Callable[[bytes, bytes], bytes | None] | None
) -> CommittedRecord | None:
    headers = {name: _as_bytes(value) for name, value in dict(message.headers() or ()).items()}
    poison = headers.get(POISON_HEADER, b"").decode()
    raw, key, sealed = message.value() or b"", message.key() or b"", b""
    if poison:
        raw = raw[:POISON_BYTES_MAX]
    elif open_value is not None:
        opened = open_value(key, raw)
        if opened is None:
            return None
        if opened is not raw:
            raw, sealed = opened, raw
    if schema == URGENT.schema:  # urgent offers and replies are on the urgent topic too
        schema = next((other for other in (OFFERS.schema, REPLIES.schema) if is_of(other, raw)), schema)
    data = get_codec(schema).decode(raw) if schema and not poison else {}
    position = (message.partition() or 0, message.offset() or 0, message.timestamp()[1])
    return CommittedRecord(*position, key, raw, data, poison, b" ".join(headers.values()), sealed)


def is_offer(value: bytes) -> bool:
    """Return whether a record that is not sealed is an offer."""
    return is_of(OFFERS.schema, value)


def is_of(schema: str, value: bytes) -> bool:
    """Return whether a record that is not sealed has this schema."""
    return value.startswith(get_codec(schema).header)


def _as_bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
