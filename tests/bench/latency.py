"""From publishing to the committed notice: what an officer abroad waits for, with the gate running under a load.

Open loop: records are due at fixed instants, whether or not what came before is through, and the clock of each starts
when it was due. Publisher and subscriber are threads of one process, so there is one clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import TopicPartition

from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.topology.topics import NOTICES
from tests.bench.bench_cluster import GATE, Stage
from tests.bench.names import MINUTES, SOURCE
from tests.bench.observe import Filling
from tests.bench.workload import make_indicators

WARM_S = 3.0
COMPILE_S = 30.0
"""For which a thousand a second are held before anything counts: while small transactions are new to it, the broker's
compilers take a quarter of a core. A broker that has run for a day has none of that."""
_COMPILE_RATE = 1_000
_TICK_S = 0.001
_LAST_S = 30.0
_WARM_RECORDS = 100_000
"""On which the gate fills its memos and the broker is compiled."""


def measure(stage: Stage, rates: Sequence[int], seconds: float, disclosed_share: float) -> dict[str, Any]:
    """Return for each rate the percentiles in milliseconds, and of how many notices they are.

    Args:
        stage: Its topics are emptied first.
        rates: Indicators a second.
        seconds: For which each rate is held, after a warm-up.
        disclosed_share: Of the indicators, that become notices to the Netherlands.
    """
    stage.reset()
    with stage.running(GATE) as worker:
        filling = Filling(stage.bootstrap, MINUTES)
        stage.load(SOURCE, make_indicators(_WARM_RECORDS, disclosed_share, seed=1))
        filling.rate(_WARM_RECORDS, worker.check)
        filling.close()
        _hold(stage, _COMPILE_RATE, list(make_indicators(int(_COMPILE_RATE * COMPILE_S), disclosed_share, seed=99)))
        found = {}
        for number, rate in enumerate(rates):
            records = list(make_indicators(int(rate * (WARM_S + seconds)), disclosed_share, seed=100 + number))
            waits = _hold(stage, rate, records)
            found[str(rate)] = _percentiles(waits)
            worker.check()
        return found


def _hold(stage: Stage, rate: int, records: list[tuple[bytes, bytes]]) -> list[float]:
    """Publish at a rate; return the seconds that each notice took, without those of the warm-up."""
    consumer = make_consumer(client_properties(stage.bootstrap, {"group.id": "bench.latency", "fetch.wait.max.ms": 10}))
    topic = NOTICES.topic("NL")
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10)[1] for each in partitions]
    consumer.assign([TopicPartition(topic, each, end) for each, end in zip(partitions, ends, strict=True)])
    due: dict[bytes, float] = {}
    publisher = threading.Thread(target=_publish, args=(stage.bootstrap, rate, records, due), daemon=True)
    publisher.start()
    waits: list[float] = []
    first = time.perf_counter() + WARM_S
    deadline = None
    while deadline is None or time.perf_counter() < deadline:
        for message in consumer.consume(1_000, 0.002):
            now = time.perf_counter()
            began = due.pop(message.key() or b"", None)
            if message.error() is None and began is not None and began >= first:
                waits.append(now - began)
        if deadline is None and not publisher.is_alive():
            # Nothing tells which of them the law lets out; the gate is through when nothing has come for a second.
            deadline = time.perf_counter() + min(_LAST_S, 1.0 + 4 * max(waits, default=0.0))
    consumer.close()
    return waits


def _publish(bootstrap: str, rate: int, records: list[tuple[bytes, bytes]], due: dict[bytes, float]) -> None:
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 5}))  # as `sharing._publisher` does
    began = time.perf_counter()
    for number, (key, value) in enumerate(records):
        instant = began + number / rate
        while (left := instant - time.perf_counter()) > 0:
            producer.poll(0)
            time.sleep(min(left, _TICK_S))
        due[key] = instant
        producer.produce(SOURCE, value, key)
    producer.flush(_LAST_S)


def _percentiles(waits: list[float]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the longest, in milliseconds, and the number of notices.

    Raises:
        ValueError: No notice came.
    """
    if not waits:
        raise ValueError("no notice came")
    ordered = sorted(wait * 1000 for wait in waits)
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    found = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in shares.items()}
    return {**found, "max": ordered[-1], "notices": len(ordered)}
