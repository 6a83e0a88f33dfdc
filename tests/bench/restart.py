"""How long a worker takes from its start to its first commit when its ledger has a million entries.

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
VALUE = b"the state of one open item, about so long: " + bytes(57)
LIMIT_S = 180.0


def measure(bootstrap: str, entries: int = ENTRIES) -> dict[str, float]:
    """Return seconds from the start of a process to its first commit.

    Returns:
        `restart_s`: the ledger in memory, all of it read back. `restart_rocksdb_s`: a copy in RocksDB that is read on
        from where it stands. `rebuild_rocksdb_s`: the same without a copy.
    """
    mark = uuid.uuid4().hex[:8]
    source, target, ledger = (f"restart-{what}-{mark}" for what in ("in", "out", "ledger"))
    admin.create_topics(bootstrap, [source, target], PARTITIONS, {})
    admin.create_topics(bootstrap, [ledger], PARTITIONS, {"cleanup.policy": "compact"})
    _fill(bootstrap, ledger, entries)
    options = {
        "bootstrap": bootstrap,
        "topics": [source],
        "out": target,
        "group": f"restart-{mark}",
        "instance": "0",
        "transactional_id": f"restart-{mark}",
        "state_topic": ledger,
    }
    with tempfile.TemporaryDirectory() as folder:
        lasting = {**options, "state_folder": folder}
        return {
            "restart_s": _start(options),
            "rebuild_rocksdb_s": _start(lasting),
            "restart_rocksdb_s": _start(lasting),
        }


def _fill(bootstrap: str, ledger: str, entries: int) -> None:
    """Write so many entries, each with a key of an item's id."""
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 20, "batch.size": 1_000_000}))
    for number in range(entries):
        while True:
            try:
                producer.produce(ledger, VALUE, b"%036d" % number, number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(LIMIT_S):
        raise TimeoutError("the ledger could not be filled")


def _start(options: Mapping[str, Any]) -> float:
    """Give a worker one record, start it, and return the seconds until it has committed."""
    bootstrap = options["bootstrap"]
    producer = make_producer(client_properties(bootstrap))
    producer.produce(options["topics"][0], b"value", b"key")
    producer.flush(LIMIT_S)
    watch = make_consumer(client_properties(bootstrap, {"group.id": "restart.observer"}))
    before = _count(watch, options["out"])
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "tests.processors.exactly_once.copy_worker", json.dumps(options)])
    try:
        while _count(watch, options["out"]) == before:
            if process.poll() is not None or time.monotonic() - began > LIMIT_S:
                raise TimeoutError("the worker has not committed")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        watch.close()


def _count(watch: Any, topic: str) -> int:
    """Return where the committed records of a topic end, all partitions together."""
    return sum(
        watch.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1] for number in range(PARTITIONS)
    )


def main() -> None:
    """Measure, and print seconds."""
    figures = measure(sys.argv[1], *map(int, sys.argv[2:]))
    sys.stdout.write(json.dumps({name: round(seconds, 2) for name, seconds in figures.items()}) + "\n")


if __name__ == "__main__":
    main()
