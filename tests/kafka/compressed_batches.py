"""Writes record batches that no client can read: ones that inflate to too much, and ones damaged on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sharing.kafka.topic_range import TopicRange
from sharing.model.bad_batch import BadBatch
from tests.kafka.topic_io import SECONDS, plain_producer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker

_HEADER_BYTES = 61
"""Length of the header of a record batch of format 2, before its records."""


def write_batch(
    broker: Broker, topic: str, codec: str, values: list[bytes], *, partition: int = 0, key: bytes = b"key"
) -> None:
    """Write records as one compressed batch."""
    producer = plain_producer(
        broker,
        **{
            "compression.type": codec,
            "linger.ms": 60_000,  # the batch is sent by the flush
            "message.max.bytes": 1_000_000_000,
            "batch.size": 1_000_000_000,
            "batch.num.messages": 1_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
        },
    )
    # While the partition is not known, records wait elsewhere, and a flush sends each as soon as it comes from there.
    producer.list_topics(topic, SECONDS)
    errors = []
    for value in values:
        producer.produce(
            topic, value, key, partition, on_delivery=lambda error, _: errors.append(error) if error else None
        )
    assert producer.flush(SECONDS) == 0
    assert errors == []


def write_bomb(broker: Broker, topic: str, megabytes: int, codec: str = "zstd", *, partition: int = 0) -> None:
    """Write one record of zeros, which is small on the broker and large after decompression."""
    write_batch(broker, topic, codec, [bytes(megabytes * 1_000_000)], partition=partition)


def damage_batch(kafka: KafkaBroker, topic: str, offset: int, *, partition: int = 0) -> None:
    """Overwrite the compressed records of the batch that begins at an offset, in the broker's log."""
    (path,) = (kafka.folder / "data" / f"{topic}-{partition}").glob("*.log")
    with path.open("r+b") as log:
        data, start = log.read(), 0
        while int.from_bytes(data[start : start + 8], "big") != offset:
            start += 12 + int.from_bytes(data[start + 8 : start + 12], "big")
        length = 12 + int.from_bytes(data[start + 8 : start + 12], "big")
        log.seek(start + _HEADER_BYTES)
        log.write(b"\xff" * (length - _HEADER_BYTES))


def damage_records(monkeypatch: pytest.MonkeyPatch, topic: str, *offsets: int, partition: int = 0) -> None:
    """Let a range read some records as batches that cannot be read, on a broker that has no files to damage."""
    read_batches = TopicRange.read_batches

    def read(self: TopicRange) -> Iterator[list[Any]]:
        for batch in read_batches(self):
            kept = []
            for message in batch:
                place = message.topic(), message.partition(), message.offset()
                if place[:2] == (topic, partition) and place[2] in offsets:
                    self.bad_batches.append(
                        BadBatch(topic, partition, message.offset() or 0, message.offset() or 0, "_BAD_MSG")
                    )
                else:
                    kept.append(message)
            if kept:
                yield kept

    monkeypatch.setattr(TopicRange, "read_batches", read)
