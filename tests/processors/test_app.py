"""A State's worker, started in each possible way, on both brokers."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharing.clients.publisher import Publisher
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.process import find_free_port
from tests.faults.gate_process import GateProcess
from tests.processors.worker_fixtures import ITEM, prepare_state

BIN = Path(sys.executable).parent
PROGRAMS = {
    "faust": [str(BIN / "faust"), "-A", "processors.app", "worker", "-l", "info"],
    "module": [sys.executable, "-m", "processors"],
    "command": [str(BIN / "sharing"), "gate"],
}


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker in turn. The embedded one is new and empty, because the test compares a worker's counts."""
    if request.param == "kafka":
        yield request.getfixturevalue("kafka")
    else:
        with EmbeddedBroker() as fresh:
            yield fresh


@pytest.mark.parametrize(("program", "state"), [("faust", "DE"), ("module", "FR"), ("command", "JP")])
def test_a_worker_decides_serves_metrics_and_stops(program: str, state: str, broker: Broker, tmp_path: Path) -> None:
    prepare_state(broker, state)
    port = find_free_port()
    with Publisher(broker.bootstrap, state, "agency") as publisher:
        publisher.publish(ITEM)
    with GateProcess(broker.bootstrap, state, tmp_path, program=PROGRAMS[program], web_port=str(port)) as gate:
        gate.wait_until(lambda: "sharing_indicators_read_total 1.0" in _metrics(port))
        text = _metrics(port)
        assert gate.stop() == 0, gate.read_log_tail()
    assert 'sharing_pack_info{sha256="' in text
    assert f'state="{state}"' in text
    assert 'sharing_indicators_total{outcome="WITHHOLD"} 1.0' in text


def _metrics(port: int) -> str:
    """Return the metrics page; an empty string while it is not served yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
