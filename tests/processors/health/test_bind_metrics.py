"""The gauges of a process are bound to one worker by one explicit call."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, Gauge, Info

from processors.gate.gate import BatchResult
from processors.health.consumer_status import ConsumerStatus
from processors.health.http_endpoints import HttpEndpoints, bind_metrics
from sharing.telemetry import batch_metrics, worker_metrics
from tests.processors.gate.gate_fixtures import TOPIC
from tests.processors.health.health_fixtures import make_batch, make_observer, make_statistics


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """Unbound gauges in a registry of their own, in place of those of the process."""
    registry = CollectorRegistry()
    monkeypatch.setattr(worker_metrics, "READY", Gauge("ready", "d", registry=registry))
    monkeypatch.setattr(worker_metrics, "READY_CHECK", Gauge("ready_check", "d", ["check"], registry=registry))
    monkeypatch.setattr(batch_metrics, "BATCH_OPEN_SECONDS", Gauge("open_seconds", "d", registry=registry))
    monkeypatch.setattr(worker_metrics, "BUILD_INFO", Info("build", "d", registry=registry))
    return registry


def test_metrics_follow_the_worker_only_after_they_are_bound(registry: CollectorRegistry) -> None:
    config = SimpleNamespace(topics=[TOPIC], transaction_timeout_s=30)
    loop = cast("Any", SimpleNamespace(call_s=0.0, answered_at=None, crashed=False, config=config))
    directory = cast("Any", SimpleNamespace(version="v", age_s=0, problems=""))
    pack = SimpleNamespace(code="CH", version="1", consolidated_at=dt.date(2026, 1, 1))
    reloader = cast("Any", SimpleNamespace(failed=False, pack=pack))
    status = ConsumerStatus()
    observer = make_observer(status)
    endpoints = HttpEndpoints(loop, directory, reloader, status, observer, cast("Any", SimpleNamespace(failure=None)))
    status.update(make_statistics())
    settle = observer.start_batch(make_batch(), BatchResult())
    assert all(check.healthy for check in endpoints.check_readiness().values())
    assert registry.get_sample_value("ready") == 0
    assert registry.get_sample_value("open_seconds") == 0
    bind_metrics(endpoints, observer)
    assert registry.get_sample_value("ready") == 1
    assert registry.get_sample_value("open_seconds") > 0  # type: ignore[operator]  # a missing sample fails too
    assert all(registry.get_sample_value("ready_check", {"check": name}) == 1 for name in worker_metrics.READY_CHECKS)
    settle(True)
    assert registry.get_sample_value("open_seconds") == 0
    status.update(make_statistics(broker_state="DOWN"))
    assert registry.get_sample_value("ready") == 0
    assert registry.get_sample_value("ready_check", {"check": "broker"}) == 0
    assert registry.get_sample_value("ready_check", {"check": "directory"}) == 1
