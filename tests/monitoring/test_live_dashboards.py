"""Every query of the dashboards is put to a real Prometheus that scrapes a real run, and returns data."""

from __future__ import annotations

import math
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, start_http_server

from sharing._publisher import Publisher
from sharing._subscriber import Subscriber
from sharing.errors import InputError
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.testing.broker.process import free_port
from sharing.tools.manifests.kafka_metrics import DISK_JOB
from tests.faults.gate_process import load
from tests.monitoring.monitored_gate import PATIENCE_S, Stage, make_record
from tests.monitoring.test_watched import queries
from tests.monitoring.tools import find_tool

pytestmark = pytest.mark.kafka

QUERIES = sorted({query for found in queries().values() for query in found})
LABEL_VALUES = re.compile(r"label_values\((?P<series>\w+), (?P<label>\w+)\)")


def as_asked(query: str) -> str:
    """Return a dashboard's query as Grafana would put it."""
    query = LABEL_VALUES.sub(r"group by (\g<label>) (\g<series>)", query)
    return (
        query.replace("$__rate_interval", "20s")
        .replace("$__range", "60s")
        .replace("$state", ".*")
        .replace("$instance", ".*")
    )


def has_data(stage: Stage, query: str) -> bool:
    """Return whether a query returns series, each with a figure."""
    found = stage.prometheus.query(as_asked(query))
    return bool(found) and any(not math.isnan(float(one["value"][1])) for one in found)


@contextmanager
def node_exporter(folder: Path) -> Iterator[int]:
    """Run Debian's node exporter, with the disks alone; yield its port."""
    port = free_port()
    command = [
        find_tool("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults",
        "--collector.filesystem",
    ]  # fmt: skip
    with (folder / "node-exporter.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield port
    finally:
        process.kill()
        process.wait(10)


def test_there_are_queries() -> None:
    assert set(queries()) == {"sharing-kafka.json", "sharing-operator.json", "sharing-supervisor.json"}
    assert len(QUERIES) > 70


def test_every_query_returns_data(stage: Stage) -> None:
    agency, partner = CollectorRegistry(), CollectorRegistry()
    counts = PublisherMetrics(agency)
    ports = {"agency": free_port(), "partner": free_port()}
    servers = [
        start_http_server(ports["agency"], "127.0.0.1", agency),
        start_http_server(ports["partner"], "127.0.0.1", partner),
    ]
    with node_exporter(stage.folder) as disks:
        stage.prometheus.watch(stage.gates, {**ports, DISK_JOB: disks})
        subscriber = Subscriber(stage.broker.bootstrap, "NL", metrics=SubscriberMetrics(partner), stop_at_end=True)
        numbers = count()
        deadline = time.monotonic() + PATIENCE_S
        missing = list(QUERIES)
        with Publisher(stage.broker.bootstrap, state="CH", agency="fedpol", metrics=counts) as publisher, subscriber:
            with pytest.raises(InputError):
                publisher.publish({"type": "nonsense", "value": "x"})
            load(stage.broker.bootstrap, "CH", [(b"x", b"not an indicator")])
            while missing:
                assert time.monotonic() < deadline, missing
                number = next(numbers)
                publisher.publish({"type": "domain-name", "value": f"a{number}.example.nl", "form": "INFORMATION"})
                load(stage.broker.bootstrap, "CH", [make_record("CH", f"plain {number}")])
                load(stage.broker.bootstrap, "CH", [make_record("CH", f"urgent {number}", "URGENT")])
                for _ in subscriber:
                    pass
                missing = [query for query in missing if not has_data(stage, query)]
    stage.prometheus.watch(stage.gates)
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join(10)
