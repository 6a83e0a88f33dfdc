"""A State's worker, by each of the ways in which it is started, on both brokers."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharing._publisher import Publisher
from sharing.kafka.directory_topic import announce, read_entries
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.process import free_port
from sharing.testing.samples import sample_directory
from sharing.topology.topics import topics_for
from tests.faults.gate_process import GateProcess

BIN = Path(sys.executable).parent
WAYS = {
    "faust": [str(BIN / "faust"), "-A", "processors.app", "worker", "-l", "info"],
    "module": [sys.executable, "-m", "processors"],
    "command": [str(BIN / "sharing"), "gate"],
}
ITEM = {
    "type": "domain-name",
    "value": "bad.example.nl",
    "source": {"authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["ILLEGAL_ACCESS"]},
}


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker in turn; an embedded one with nothing on it, as a worker's counts are compared."""
    if request.param == "kafka":
        yield request.getfixturevalue("kafka")
    else:
        with EmbeddedBroker() as fresh:
            yield fresh


def _prepare(broker: Broker, state: str) -> None:
    for topic in topics_for([state, "NL"], 2).values():
        broker.create_topics([topic.name], topic.partitions)
    for entry in read_entries(*sample_directory()):
        announce(broker.bootstrap, entry)


@pytest.mark.parametrize(("way", "state"), [("faust", "DE"), ("module", "FR"), ("command", "JP")])
def test_a_worker_decides_serves_metrics_and_stops(way: str, state: str, broker: Broker, tmp_path: Path) -> None:
    _prepare(broker, state)
    port = free_port()
    with Publisher(broker.bootstrap, state, "agency") as publisher:
        publisher.publish(ITEM)
    with GateProcess(broker.bootstrap, state, tmp_path, program=WAYS[way], web_port=str(port)) as gate:
        gate.wait_until(lambda: "sharing_indicators_taken_total 1.0" in _metrics(port))
        text = _metrics(port)
        assert gate.stop() == 0, gate.text()
    assert 'sharing_pack_info{sha256="' in text
    assert f'state="{state}"' in text
    assert 'sharing_indicators_total{outcome="WITHHOLD"} 1.0' in text


def _metrics(port: int) -> str:
    """Return the page; nothing while it is not there yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
