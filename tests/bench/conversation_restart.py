"""Measures a worker's start with a million open Asks, on a real broker, and its memory.

The changelog topic of the conversations has an entry for each Ask, with a sealed draft of usual length. A real worker
with keys is started, and the time runs until its conversation has committed the first record that it found. It starts
three times: without conversations, so that it is known what everything else takes; without a local copy, so all entries
are read from the broker; and with the copy that it has left when it was stopped.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.topology.topics import CONVERSATIONS, DRAFTS, QUARANTINE
from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster
from tests.bench.conversation_state import DRAFT_BYTES, RecordedChangelog
from tests.bench.names import PARTITIONS, STATE
from tests.bench.sealed_states import SealedStates, read_now

ASKS: Final = 1_000_000
STARTS: Final = ("empty", "rebuild", "restart")
SETTLED_S: Final = 3.0
RESTART_TARGET_S, REBUILD_TARGET_S, MEMORY_TARGET_MB = 5.0, 60.0, 400.0
_LIMIT_S: Final = 300.0


def measure_conversation_restart(
    cluster: BenchCluster,
    states: SealedStates,
    asks: int = ASKS,
    draft_bytes: int = DRAFT_BYTES,
    *,
    starts: Sequence[str] = STARTS,
    settled_s: float = SETTLED_S,
) -> dict[str, float]:
    """Return seconds from start to first commit, and peak and later resident memory in megabytes, of each start.

    Args:
        cluster: The cluster; its topics are emptied first.
        states: The States.
        asks: How many Asks are open.
        draft_bytes: Length of the draft that is kept with each.
        starts: Which starts, in this order: `restart` needs the copy that `rebuild` has left.
        settled_s: How long after the first commit the later memory is measured.
    """
    states.reset(signed=True)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-state-") as folder:
        for name in starts:
            if name == "rebuild":
                _fill_changelog(cluster.bootstrap, asks, draft_bytes)
            state_folder = f"{folder}/{'empty' if name == 'empty' else 'full'}"
            environment = {**states.get_environment(STATE), "SHARING_STATE_FOLDER": state_folder}
            measured = _measure_start(cluster, environment, settled_s)
            figures |= {f"{name}_{key}": value for key, value in measured.items()}
    return figures


def _fill_changelog(bootstrap: str, asks: int, draft_bytes: int) -> None:
    """Write the entries, on the partitions in turn.

    Raises:
        TimeoutError: The broker does not take them.
    """
    changelog = RecordedChangelog(asks, draft_bytes, read_now())
    properties = {"linger.ms": 50, "batch.size": 900_000, "queue.buffering.max.kbytes": 131_072}
    producer = make_producer(client_properties(bootstrap, properties))
    topic = CONVERSATIONS.topic(STATE)
    for partition in range(PARTITIONS):
        for key, value in changelog.make_records(partition, 0, asks // PARTITIONS):
            while True:
                try:
                    producer.produce(topic, value, key, partition)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
    if producer.flush(_LIMIT_S):
        raise TimeoutError("the changelog topic could not be filled")


def _measure_start(cluster: BenchCluster, environment: Mapping[str, str], settled_s: float) -> dict[str, float]:
    """Write one record that is refused, start a worker, and return what it takes until it has committed that.

    Raises:
        TimeoutError: The worker does not commit in time.
    """
    producer = make_producer(client_properties(cluster.bootstrap))
    producer.produce(DRAFTS.topic(STATE), b"no draft", b"key", 0)
    producer.flush(_LIMIT_S)
    consumer = make_consumer(client_properties(cluster.bootstrap, {"group.id": "bench.restart.observer"}))
    before = _sum_ends(consumer)
    started_at = time.monotonic()
    with cluster.run_python(GATE_ARGUMENTS, "restart", environment) as worker:
        while _sum_ends(consumer) == before:
            worker.check_running()
            if time.monotonic() - started_at > _LIMIT_S:
                raise TimeoutError("the worker did not commit in time")
            time.sleep(0.02)
        seconds = time.monotonic() - started_at
        time.sleep(settled_s)
        usage, rss_mb = worker.measure_usage(), worker.measure_rss_mb()
    consumer.close()
    return {"s": seconds, "peak_mb": usage.rss_mb, "rss_mb": rss_mb, "cpu_s": usage.cpu_s}


def _sum_ends(consumer: Consumer) -> int:
    """Return how many committed records are in the topic of what is quarantined."""
    topic = QUARANTINE.topic(STATE)
    return sum(
        consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1] for number in range(PARTITIONS)
    )
