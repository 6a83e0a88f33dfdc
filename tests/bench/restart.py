"""Measures the time from a worker's start to its first commit, with a million entries in its state store.

python -m tests.bench.restart BOOTSTRAP [ENTRIES]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from typing import Any

from confluent_kafka import TopicPartition

from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.testing.broker import admin

ENTRIES = 1_000_000
PARTITIONS = 4
VALUE = b"the state of one open item, 100 bytes long: " + bytes(56)
LIMIT_S = 180.0


def measure_restart(bootstrap: str, entries: int = ENTRIES) -> dict[str, float]:
    """Return seconds from the start of a process to its first commit.

    Returns:
        `restart_s`: with the state in memory, read back completely. `restart_rocksdb_s`: with a copy in RocksDB, read
        on from its checkpoint. `rebuild_rocksdb_s`: with RocksDB, but no copy yet.
    """
    suffix = uuid.uuid4().hex[:8]
    source, target, changelog = (f"restart-{name}-{suffix}" for name in ("in", "out", "changelog"))
    admin.create_topics(bootstrap, [source, target], PARTITIONS, {})
    admin.create_topics(bootstrap, [changelog], PARTITIONS, {"cleanup.policy": "compact"})
    _fill_changelog(bootstrap, changelog, entries)
    options = {
        "bootstrap": bootstrap,
        "topics": [source],
        "out": target,
        "group": f"restart-{suffix}",
        "instance": "0",
        "transactional_id": f"restart-{suffix}",
        "changelog_topic": changelog,
    }
    with tempfile.TemporaryDirectory() as folder:
        with_rocksdb = {**options, "state_folder": folder}
        return {
            "restart_s": _measure_start(options),
            "rebuild_rocksdb_s": _measure_start(with_rocksdb),
            "restart_rocksdb_s": _measure_start(with_rocksdb),
        }


def _fill_changelog(bootstrap: str, changelog: str, entries: int) -> None:
    """Write entries whose keys have the length of an indicator's id."""
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 20, "batch.size": 1_000_000}))
    for number in range(entries):
        while True:
            try:
                producer.produce(changelog, VALUE, b"%036d" % number, number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(LIMIT_S):
        raise TimeoutError("the changelog topic could not be filled")


def _measure_start(options: Mapping[str, Any]) -> float:
    """Publish one record, start a worker, and return the seconds until it has committed."""
    bootstrap = options["bootstrap"]
    producer = make_producer(client_properties(bootstrap))
    producer.produce(options["topics"][0], b"value", b"key")
    producer.flush(LIMIT_S)
    consumer = make_consumer(client_properties(bootstrap, {"group.id": "restart.observer"}))
    before = _sum_end_offsets(consumer, options["out"])
    started_at = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "tests.processors.exactly_once.copy_worker", json.dumps(options)])
    try:
        while _sum_end_offsets(consumer, options["out"]) == before:
            if process.poll() is not None or time.monotonic() - started_at > LIMIT_S:
                raise TimeoutError("the worker did not commit in time")
            time.sleep(0.02)
        return time.monotonic() - started_at
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        consumer.close()


def _sum_end_offsets(consumer: Any, topic: str) -> int:
    """Return the sum of the end offsets of a topic's committed records, over all partitions."""
    return sum(
        consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1] for number in range(PARTITIONS)
    )


def main() -> None:
    """Measure and print seconds."""
    figures = measure_restart(sys.argv[1], *map(int, sys.argv[2:]))
    sys.stdout.write(json.dumps({name: round(seconds, 2) for name, seconds in figures.items()}) + "\n")


if __name__ == "__main__":
    main()
