"""Reads back what was written for each indicator and makes it comparable: only the instants are removed."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from confluent_kafka import Consumer, Message, TopicPartition

from sharing.audit.block import read_block, read_entry_id
from sharing.ids import make_draft_key, make_item_id
from sharing.kafka.clients import client_properties, make_consumer
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from tests.support.stable_ends import StableEnds

_IDS_BEFORE_INSTANT = {"notice": 3, "offer": 3, "decision": 1, "draft": 1}
"""Number of ids before the version and the instant, by schema (`schemas/`)."""

_FRAME, _ID, _VERSION, _INSTANT = 10, 37, 1, 6
"""Bytes of a frame, an id, a version or an amendment below 64, and a present-day instant in milliseconds."""

_QUIET_S = 60.0

_BLOCK_HEADER = get_codec("audit_block").header


def blank_instant(topic: str, value: bytes) -> bytes:
    """Return a record of the gate without `decided_at` or `sent_at`, which depend on when it was written.

    Of an offer also `expires_at` becomes what it is after `sent_at`.

    Raises:
        ValueError: The bytes at that position are not a present-day instant, or the record is of none of these kinds.
    """
    schema = next((name for name in _IDS_BEFORE_INSTANT if value.startswith(get_codec(name).header)), None)
    if schema is None:
        raise ValueError(f"{topic}: there is no record of the gate")
    start = _FRAME + _IDS_BEFORE_INSTANT[schema] * _ID + _VERSION
    if schema == "decision":
        start += _VERSION  # the amendment
    end = start + _INSTANT
    instant = _read_instant(topic, value, start)
    if schema != "offer":
        return value[:start] + value[end:]
    period_ms = _read_instant(topic, value, end) - instant
    return value[:start] + str(period_ms).encode() + value[end + _INSTANT :]


def _read_instant(topic: str, value: bytes, start: int) -> int:
    number = sum((byte & 127) << 7 * index for index, byte in enumerate(value[start : start + _INSTANT])) // 2
    if abs(number / 1000 - time.time()) > 10 * 365 * 86_400:
        raise ValueError(f"{topic}: there is no instant at byte {start}")
    return number


def unpack_value(key: bytes, value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of a record; of a block of the audit log, id and bytes of each of its entries."""
    if not value.startswith(_BLOCK_HEADER):
        yield key, value
        return
    for entry in read_block(value).entries:
        yield read_entry_id(entry, AuditLogName.DECISIONS).encode(), entry


@dataclass(slots=True)
class Fingerprints:
    """What was written for each indicator: for each key a sum of digests, independent of order, duplicates included.

    Attributes:
        sums: Sums of digests by key.
        counts: Number of records by topic.
    """

    sums: dict[bytes, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add_record(self, topic: str, key: bytes, value: bytes) -> None:
        """Add one record; of a block of the audit log, its entries as if they were records."""
        for own_key, own_value in unpack_value(key, value):
            head = f"{topic}\n".encode() + own_key + b"\n"
            digest = hashlib.blake2b(head + blank_instant(topic, own_value), digest_size=12).digest()
            self.sums[own_key] = self.sums.get(own_key, 0) + int.from_bytes(digest, "big")
            self.counts[topic] += 1

    def count_differences(self, other: Fingerprints) -> int:
        """Return the number of indicators whose records differ between the two."""
        keys = self.sums.keys() | other.sums.keys()
        return sum(self.sums.get(key) != other.sums.get(key) for key in keys)

    def select_indicators(self, indicators: Iterable[tuple[bytes, bytes]]) -> Fingerprints:
        """Return the fingerprints of the outputs of some indicators of this workload, without counts.

        Args:
            indicators: Key and value of each indicator's record.
        """
        codec = get_codec("indicator")
        keys: list[bytes] = []
        for key, value in indicators:
            source = codec.decode(value)["source"]
            item_id = make_item_id(source["state"], source["agency"], key.decode())
            keys += key, make_draft_key(item_id, 1)
        return Fingerprints({key: self.sums[key] for key in keys if key in self.sums})


def read_outputs(bootstrap: str, topics: Iterable[str]) -> Iterator[Message]:
    """Yield every committed record of some topics up to their current ends, those of open transactions included.

    A commit reaches each partition on its own, so the end of one may be committed a moment before that of another.

    Raises:
        TimeoutError: An end was not reached in time.
    """
    with closing(_make_consumer(bootstrap)) as consumer:
        unread = _assign_topics(consumer, topics)
        ends = StableEnds(consumer)
        deadline = time.monotonic() + _QUIET_S
        while unread:
            for message in consumer.consume(10_000, 0.1):
                deadline = time.monotonic() + _QUIET_S
                if message.error() is None:
                    yield message
                elif ends.is_reached(message):
                    unread.discard((str(message.topic()), int(message.partition() or 0)))
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(unread)} partitions were not read to their end")


def await_records(bootstrap: str, topic: str, total: int, check_writer: Callable[[], None]) -> None:
    """Wait until a topic has so many committed records. Its end offsets count transaction markers, too.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: The topic.
        total: Number of records.
        check_writer: Raises an exception if what writes them has ended.

    Raises:
        TimeoutError: No record was committed for a minute.
    """
    with closing(_make_consumer(bootstrap)) as consumer:
        _assign_topics(consumer, [topic])
        count, deadline = 0, time.monotonic() + _QUIET_S
        while count < total:
            check_writer()
            records = sum(message.error() is None for message in consumer.consume(10_000, 0.1))
            if records:
                count, deadline = count + records, time.monotonic() + _QUIET_S
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{count} of {total} records of {topic} were committed")


def _make_consumer(bootstrap: str) -> Consumer:
    properties = {"group.id": "bench.reader", "enable.partition.eof": True, "queued.max.messages.kbytes": 65_536}
    return make_consumer(client_properties(bootstrap, properties))


def _assign_topics(consumer: Consumer, topics: Iterable[str]) -> set[tuple[str, int]]:
    """Read all partitions of some topics from their beginning, and return these partitions."""
    known = consumer.list_topics(timeout=10).topics
    places = {(topic, partition) for topic in topics for partition in known[topic].partitions}
    consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in places])
    return places


def read_fingerprints(bootstrap: str, topics: Mapping[str, str]) -> Fingerprints:
    """Return the fingerprints of the records in some topics.

    Args:
        bootstrap: Kafka bootstrap servers.
        topics: Maps each topic to the corresponding topic of the gate.
    """
    fingerprints = Fingerprints()
    for message in read_outputs(bootstrap, topics):
        fingerprints.add_record(topics[str(message.topic())], message.key() or b"", message.value() or b"")
    return fingerprints
