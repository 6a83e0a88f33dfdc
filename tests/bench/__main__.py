"""`make bench`: prints the codec floor, the gate, their ratio, and the decision alone; writes build/bench.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil

from sharing.broker.kafka import KafkaBroker
from sharing.directory import announce, read_entries
from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.topic_admin import apply_topics
from sharing.samples import sample_directory
from sharing.topics import DECISIONS, INDICATORS, topics_for
from tests.bench.decision import measure
from tests.bench.observe import Filling
from tests.bench.workload import make_indicators

RECORDS = int(os.environ.get("BENCH_RECORDS", "200000"))
DISCLOSED_SHARE = 0.10
FLOOR_TOPIC = "bench.floor"
STATES = ("CH", "DE", "NL", "JP", "FR", "US")


def main() -> None:
    """Run the measurements on one broker, one after the other."""
    _say(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    _say(", ".join(f"{name} {version(name)}" for name in ("confluent-kafka", "fastavro", "faust-streaming")))
    decision = {states: measure(states) for states in (10, 193)}
    for states, figures in decision.items():
        _say(f"decision, {states:3} recipients   {figures['warm_us']:8.2f} µs warm {figures['cold_us']:9.1f} µs cold")
    with tempfile.TemporaryDirectory() as folder, KafkaBroker(Path(folder) / "kafka") as broker:
        _prepare(broker)
        copying = ["tests.bench.floor", broker.bootstrap, INDICATORS.topic("CH"), FLOOR_TOPIC]
        floor, _ = _run(broker.bootstrap, FLOOR_TOPIC, copying)
        _say(f"codec floor                {floor:10,.0f} records/s")
        gate, rss_mb = _run(broker.bootstrap, DECISIONS.topic("CH"), ["processors"])
        ratio = f"{gate / floor:.2f} x the floor"
        _say(f"gate, {DISCLOSED_SHARE:.0%} disclosed        {gate:10,.0f} records/s   {ratio}   {rss_mb:.0f} MB")
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    document = {
        "rates": {"codec_floor": floor, "gate": gate},
        "decision_us": decision[193]["warm_us"],
        "decision": decision,
        "rss_mb": rss_mb,
        "records": RECORDS,
    }
    out.write_text(json.dumps(document, indent=2) + "\n")


def _prepare(broker: KafkaBroker) -> None:
    """Make the topics, announce the sample directory, and fill the topic of indicators."""
    apply_topics(broker.bootstrap, topics_for(STATES, 4), replication=1)
    broker.create_topics([FLOOR_TOPIC], partitions=4)
    for entry in read_entries(*sample_directory()):
        announce(broker.bootstrap, entry)
    producer = make_producer(client_properties(broker.bootstrap, {"linger.ms": 50, "batch.size": 1_000_000}))
    for key, value in make_indicators(RECORDS, DISCLOSED_SHARE):
        while True:
            try:
                producer.produce(INDICATORS.topic("CH"), value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush(60)


def _run(bootstrap: str, topic: str, module: list[str]) -> tuple[float, float]:
    """Return records a second that a module writes to a topic, and its peak memory in MB."""
    filling = Filling(bootstrap, topic)
    with _process(bootstrap, module) as process:
        rate = filling.rate(RECORDS)
        rss_mb = psutil.Process(process.pid).memory_info().rss / 1e6
    filling.close()
    return rate, rss_mb


@contextmanager
def _process(bootstrap: str, module: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "SHARING_BOOTSTRAP": bootstrap, "SHARING_STATE": "CH", "SHARING_LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "-m", *module], env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
