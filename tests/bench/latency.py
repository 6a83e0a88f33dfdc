"""Measures the time from publication to the committed notice, with the gate under a constant load.

Open loop: records are due at fixed instants, whether or not earlier ones are finished, and the latency of each is
measured from the instant at which it was due. Publisher and subscriber are threads of one process, so there is one
clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import TopicPartition

from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.topology.topics import NOTICES
from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster
from tests.bench.names import GATE_GROUP, SOURCE_TOPIC
from tests.bench.observe import GroupObserver
from tests.bench.workload import make_indicators

WARM_S = 3.0
COMPILE_S = 30.0
"""Seconds with a thousand indicators per second before the measurement.

Until the broker has compiled its code for small transactions, its compilers take a quarter of a core. A broker that has
run for a day does not have this load."""
_COMPILE_RATE = 1_000
_TICK_S = 0.001
_LAST_S = 30.0
_WARM_RECORDS = 100_000
"""Records with which the gate fills its caches and the broker compiles its code."""


def measure_latency(
    cluster: BenchCluster, rates: Sequence[int], seconds: float, disclosed_share: float
) -> dict[str, Any]:
    """Return for each rate the percentiles in milliseconds, and the number of notices.

    Args:
        cluster: The cluster; its topics are emptied first.
        rates: Rates in indicators per second.
        seconds: Duration of each rate after its warm-up.
        disclosed_share: Share of the indicators that result in notices to the Netherlands.
    """
    cluster.reset_topics()
    with cluster.run_python(GATE_ARGUMENTS) as worker:
        observer = GroupObserver(cluster.bootstrap, GATE_GROUP, SOURCE_TOPIC)
        cluster.write_records(SOURCE_TOPIC, make_indicators(_WARM_RECORDS, disclosed_share, seed=1))
        observer.measure_rate(_WARM_RECORDS, worker.check_running)
        observer.close()
        _measure_waits(
            cluster, _COMPILE_RATE, list(make_indicators(int(_COMPILE_RATE * COMPILE_S), disclosed_share, seed=99))
        )
        percentiles = {}
        for number, rate in enumerate(rates):
            records = list(make_indicators(int(rate * (WARM_S + seconds)), disclosed_share, seed=100 + number))
            waits = _measure_waits(cluster, rate, records)
            percentiles[str(rate)] = compute_percentiles(waits)
            worker.check_running()
        return percentiles


def _measure_waits(cluster: BenchCluster, rate: int, records: list[tuple[bytes, bytes]]) -> list[float]:
    """Publish at a rate; return the latency of each notice in seconds, without the warm-up."""
    consumer = make_consumer(
        client_properties(cluster.bootstrap, {"group.id": "bench.latency", "fetch.wait.max.ms": 10})
    )
    topic = NOTICES.topic("NL")
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1] for number in partitions]
    consumer.assign([TopicPartition(topic, number, end) for number, end in zip(partitions, ends, strict=True)])
    due: dict[bytes, float] = {}
    publisher = threading.Thread(target=_publish_at_rate, args=(cluster.bootstrap, rate, records, due), daemon=True)
    publisher.start()
    waits: list[float] = []
    measured_from = time.perf_counter() + WARM_S
    deadline = None
    while deadline is None or time.perf_counter() < deadline:
        for message in consumer.consume(1_000, 0.002):
            now = time.perf_counter()
            due_at = due.pop(message.key() or b"", None)
            if message.error() is None and due_at is not None and due_at >= measured_from:
                waits.append(now - due_at)
        if deadline is None and not publisher.is_alive():
            # It is not known which indicators are disclosed: the gate is finished when no notice arrives for a second.
            deadline = time.perf_counter() + min(_LAST_S, 1.0 + 4 * max(waits, default=0.0))
    consumer.close()
    return waits


def _publish_at_rate(bootstrap: str, rate: int, records: list[tuple[bytes, bytes]], due: dict[bytes, float]) -> None:
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 5}))  # as the publisher does
    started_at = time.perf_counter()
    for number, (key, value) in enumerate(records):
        instant = started_at + number / rate
        while (remaining := instant - time.perf_counter()) > 0:
            producer.poll(0)
            time.sleep(min(remaining, _TICK_S))
        due[key] = instant
        producer.produce(SOURCE_TOPIC, value, key)
    producer.flush(_LAST_S)


def compute_percentiles(waits: list[float]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the longest, in milliseconds, and the number of notices.

    Raises:
        ValueError: No notice arrived.
    """
    if not waits:
        raise ValueError("no notice arrived")
    ordered = sorted(wait * 1000 for wait in waits)
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    percentiles = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in shares.items()}
    return {**percentiles, "max": ordered[-1], "notices": len(ordered)}
