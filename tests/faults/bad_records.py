"""Writes records that are invalid, or that no client accepts."""

from __future__ import annotations

from collections.abc import Iterable

from sharing.kafka.clients import client_properties, make_producer
from sharing.topology.topics import INDICATORS
from tests.faults.workload import POISON_HEADER

BOMB_BYTES = {"zstd": 120_000_000, "gzip": 100_000_000}
"""After decompression, by codec. Compressed, each fits the limit of every topic of the bus."""

_DELIVERY_MS = 20_000
_FLUSH_S = 22


def publish_poison(bootstrap: str, state: str, records: Iterable[tuple[str, tuple[bytes, bytes]]]) -> None:
    """Publish invalid records to a State's topic, each with its cause in a header; some may fail to arrive."""
    producer = make_producer(client_properties(bootstrap, {"delivery.timeout.ms": _DELIVERY_MS}))
    for cause, (key, value) in records:
        producer.produce(INDICATORS.topic(state), value, key, headers={POISON_HEADER: cause.encode()})
    producer.flush(_FLUSH_S)


def publish_raw(bootstrap: str, topic: str, key: bytes, value: bytes, partition: int, cause: str) -> bool:
    """Write a record; with a cause, one that must be refused for it. Return whether the broker has confirmed it."""
    producer = make_producer(client_properties(bootstrap, {"delivery.timeout.ms": _DELIVERY_MS, "acks": "all"}))
    headers: dict[str, str | bytes | None] = {POISON_HEADER: cause.encode()} if cause else {}
    refused: list[object] = []

    def collect(error: object, _: object) -> None:
        refused.extend([error] if error else [])

    producer.produce(topic, value, key, partition, headers=headers, on_delivery=collect)
    return not (producer.flush(_FLUSH_S) or refused)


def publish_bomb(bootstrap: str, topic: str, partition: int, key: bytes, codec: str) -> int | None:
    """Publish a record of zeros that inflates to more than any client accepts; return its offset if it arrives."""
    properties = {"compression.type": codec, "message.max.bytes": 1_000_000_000, "delivery.timeout.ms": _DELIVERY_MS}
    producer = make_producer(client_properties(bootstrap, {**properties, "acks": "all"}))
    offsets: list[int | None] = []
    producer.produce(
        topic,
        bytes(BOMB_BYTES[codec]),
        key,
        partition,
        headers={POISON_HEADER: b"OVERSIZED"},
        on_delivery=lambda error, message: None if error else offsets.append(message.offset()),
    )
    producer.flush(_FLUSH_S)
    return offsets[0] if offsets else None
