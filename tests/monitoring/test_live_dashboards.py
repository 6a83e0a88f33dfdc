"""Every dashboard query returns data from a real Prometheus that scrapes a running system."""

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

from processors.audit.witness_result import WitnessResult
from processors.health.audit_observer import count_witnessing
from processors.health.inbox_observer import count_inbox
from processors.inbox.inbox_result import InboxOutcome, InboxResult, MissedMessages, RefusedRecord
from sharing.audit.witnessing import Sighting
from sharing.clients.publisher import Publisher
from sharing.clients.subscriber import Subscriber
from sharing.desk.web.desk_metrics import DeskMetrics, DeskReadings
from sharing.errors import InputError
from sharing.seal.sequences import MissingNumbers, StreamId
from sharing.telemetry import audit_metrics, conversation_metrics
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.metrics import REGISTRY
from sharing.testing.broker.process import find_free_port
from sharing.tools.manifests.kafka_metrics import DISK_JOB
from tests.faults.gate_process import load_records
from tests.monitoring.monitored_system import TIMEOUT_S, MonitoredSystem, make_record
from tests.monitoring.test_metric_coverage import dashboard_queries
from tests.monitoring.tools import find_tool

pytestmark = pytest.mark.kafka

QUERIES = sorted({query for queries in dashboard_queries().values() for query in queries})
LABEL_VALUES = re.compile(r"label_values\((?P<series>\w+), (?P<label>\w+)\)")


def expand_variables(query: str) -> str:
    """Return a dashboard's query with its variables filled in, as Grafana would send it."""
    query = LABEL_VALUES.sub(r"group by (\g<label>) (\g<series>)", query)
    return (
        query.replace("$__rate_interval", "20s")
        .replace("$__range", "60s")
        .replace("$state", ".*")
        .replace("$instance", ".*")
    )


def has_data(system: MonitoredSystem, query: str) -> bool:
    """Return whether a query returns series, at least one with a number."""
    series = system.prometheus.query(expand_variables(query))
    return bool(series) and any(not math.isnan(float(sample["value"][1])) for sample in series)


@contextmanager
def node_exporter(folder: Path) -> Iterator[int]:
    """Run Debian's node exporter with only its filesystem collector; yield its port."""
    port = find_free_port()
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


def test_every_dashboard_has_queries() -> None:
    names = ("desk", "kafka", "operator", "supervisor")
    assert set(dashboard_queries()) == {f"sharing-{name}.json" for name in names}
    assert len(QUERIES) > 70


def count_refused_and_missing() -> None:
    """Count what only an inbox with keys finds: a refused record, and messages that are missing."""
    stream = StreamId("DE", "gate", 0, "notices")
    missed = MissedMessages(stream, MissingNumbers(1, 3), by_statement=True)
    refused = RefusedRecord("exchange.ch.notices", 0, 7, "MALFORMED", "DE", "cannot be decoded")
    count_inbox(InboxResult([InboxOutcome.REFUSED], {}, [refused], [missed]))


def show_conversation_and_messages() -> None:
    """Let every counter of the conversation, and of the messages that it sends, have a series."""
    conversation_metrics.CONVERSATION_RECORDS.labels(outcome="CHANGED")
    conversation_metrics.CONVERSATION_REFUSED.labels(cause="BAD_SIGNATURE")
    conversation_metrics.CONVERSATION_ACTS.labels(kind="ASK_OPENED", detail="")
    conversation_metrics.ESCALATIONS.labels(cause="OVERDUE")
    conversation_metrics.ESCALATIONS_SENT.labels(channel="webhook")
    conversation_metrics.ESCALATIONS_FAILED.labels(channel="webhook")
    conversation_metrics.ESCALATIONS_FAILING_SINCE.labels(channel="webhook")


def make_desk_metrics() -> DeskMetrics:
    """Return the metrics of a desk that follows one topic."""
    counts = DeskMetrics()
    counts.watch(DeskReadings(read_silent_seconds=lambda: {"board": 1.0}))
    return counts


def use_desk(counts: DeskMetrics) -> None:
    """Count what an officer does."""
    counts.count_request("GET", 200, 0.02)
    counts.count_sign_in("signed_in")


def show_witnessing() -> None:
    """Let every series about audit logs exist, as in a gate with keys that has a witness and is one."""
    audit_metrics.prepare_audit(["FR"], ["DE"])
    audit_metrics.prepare_time_stamps()
    audit_metrics.AUDIT_UNCOVERED.labels("decisions").set(0)


def count_checkpoints() -> None:
    """Count what a gate with keys finds: a checkpoint that does not continue a log, and cosignatures."""
    result = WitnessResult()
    result.sightings["DE", Sighting.GAP.value] += 1
    result.cosigned["DE"] += 1
    result.received["FR"] += 1
    count_witnessing(result)


def test_every_query_returns_data(system: MonitoredSystem) -> None:
    agency, partner = CollectorRegistry(), CollectorRegistry()
    counts = PublisherMetrics(agency)
    count_refused_and_missing()
    show_conversation_and_messages()
    show_witnessing()
    desk = make_desk_metrics()
    registries = {"agency": agency, "partner": partner, "inbox": REGISTRY, "sharing-desk": desk.registry}
    ports = {job: find_free_port() for job in registries}
    servers = [start_http_server(ports[job], "127.0.0.1", registry) for job, registry in registries.items()]
    with node_exporter(system.folder) as disk_port:
        system.prometheus.set_targets(system.gates, {**ports, DISK_JOB: disk_port})
        subscriber = Subscriber(system.broker.bootstrap, "NL", metrics=SubscriberMetrics(partner), stop_at_end=True)
        numbers = count()
        deadline = time.monotonic() + TIMEOUT_S
        missing = list(QUERIES)
        with Publisher(system.broker.bootstrap, state="CH", agency="fedpol", metrics=counts) as publisher, subscriber:
            with pytest.raises(InputError):
                publisher.publish({"type": "nonsense", "value": "x"})
            load_records(system.broker.bootstrap, "CH", [(b"x", b"not an indicator")])
            while missing:
                assert time.monotonic() < deadline, missing
                number = next(numbers)
                publisher.publish({"type": "domain-name", "value": f"a{number}.example.nl", "form": "INFORMATION"})
                # Without an officer and a reason: decided as ORDINARY.
                publisher.publish({"type": "domain-name", "value": f"e{number}.example.nl", "urgency": "EMERGENCY"})
                load_records(system.broker.bootstrap, "CH", [make_record("CH", f"plain {number}")])
                load_records(system.broker.bootstrap, "CH", [make_record("CH", f"urgent {number}", "URGENT")])
                for _ in subscriber:
                    pass
                use_desk(desk)
                count_checkpoints()  # each round, as some panels show only what increases
                missing = [query for query in missing if not has_data(system, query)]
    system.prometheus.set_targets(system.gates)
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join(10)
