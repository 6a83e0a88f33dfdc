"""Directory entries, topics and records for tests."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

from sharing.kafka.clients import make_admin
from sharing.model.directory import DirectoryEntry
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DIRECTORY
from tests.kafka.topic_io import SECONDS, plain_producer, write_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sharing.testing.broker import Broker

STATES = ("CH", "DE", "FR")
"""The States of which a directory for tests has topics."""


def make_entry(state: str, **changes: Any) -> DirectoryEntry:
    """Return a State's entry."""
    authority = {"name": "A", "kind": "POLICE"}
    return DirectoryEntry.parse(
        {"state": state, "announced_at": "2026-01-15T08:00:00Z", "authorities": [authority]} | changes
    )


def encode(state: str, **changes: Any) -> bytes:
    """Return the record of a State's entry."""
    return get_codec("directory_entry").encode(make_entry(state, **changes).to_record())


def create_directory(broker: Broker, states: Iterable[str]) -> None:
    """Create the directory topics of these States."""
    broker.create_topics([DIRECTORY.topic(state) for state in states], 1)


def write_to_directory(broker: Broker, state: str, *values: bytes | None, key: str | None = None) -> None:
    """Write records to a State's directory topic, under its key or another."""
    write_records(broker, DIRECTORY.topic(state), values, key=(key if key is not None else state).encode())


def delete_topic(broker: Broker, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    admin = make_admin(broker.bootstrap)
    (future,) = admin.delete_topics([topic], operation_timeout=SECONDS).values()
    future.result(SECONDS)


def write_bomb(bootstrap: str, state: str, codec: str, megabytes: int, records: int = 1) -> None:
    """Write a batch of zeros to a State's directory topic that inflates to this many megabytes.

    In a process of its own: the producer needs as much memory as the batch inflates to.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        job = pool.submit(_write_bomb, bootstrap, DIRECTORY.topic(state), state, codec, megabytes, records)
        errors = job.result(4 * SECONDS)
    assert errors == [None] * records, f"{errors} instead of {records} acknowledgements"


def _write_bomb(bootstrap: str, topic: str, key: str, codec: str, megabytes: int, records: int) -> list[str | None]:
    """Return what the broker answered to each record, as far as it has within twice SECONDS."""
    limits = {"message.max.bytes": 1_000_000_000, "batch.size": 1_000_000_000, "queue.buffering.max.kbytes": 2_000_000}
    options = {"compression.type": codec, "compression.level": 9, "linger.ms": 1_000}
    producer = plain_producer(_Address(bootstrap), **limits, **options)
    errors: list[str | None] = []
    for _ in range(records):
        value = bytes(megabytes * 1_000_000 // records)
        producer.produce(
            topic,
            value,
            key.encode(),
            0,
            on_delivery=lambda error, _: errors.append(None if error is None else str(error)),
        )
    producer.flush(2 * SECONDS)
    return errors


class _Address:
    """The part of a broker that a producer needs."""

    kind = "kafka"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None:
        raise NotImplementedError
