"""Alerts and dashboards use only metrics that exist, and every metric is used, or a reason is given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from monitoring.alerts import ALERTS
from monitoring.generate import FOLDER
from monitoring.metrics_without_alert import METRICS_WITHOUT_ALERT
from sharing.desk.web.desk_metrics import DeskMetrics, DeskReadings
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.metrics import REGISTRY
from sharing.tools.manifests.kafka_metrics import METRICS as KAFKA

CLIENT_REGISTRY = CollectorRegistry()
PublisherMetrics(CLIENT_REGISTRY)
SubscriberMetrics(CLIENT_REGISTRY)
DESK_REGISTRY = CollectorRegistry()
DeskMetrics(DESK_REGISTRY).watch(DeskReadings(read_silent_seconds=lambda: {"board": 0.0}))
SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}
METRIC_NAME = re.compile(r"\b(?:sharing|process|kafka|jvm|node|kubelet)_[a-z_]+")


def _list_metrics() -> Iterator[tuple[str, set[str]]]:
    """Yield each metric by its name in the documentation, with the names of its series."""
    for metric in (*REGISTRY.collect(), *CLIENT_REGISTRY.collect(), *DESK_REGISTRY.collect()):
        series = {metric.name + suffix for suffix in SUFFIXES.get(metric.type, ("",))}
        yield metric.name if metric.type == "histogram" else next(iter(series)), series


METRICS = {**dict(_list_metrics()), **{metric.name: {metric.name} for metric in KAFKA}}
THIRD_PARTY_METRICS = {
    "jvm_memory_used_bytes",
    "jvm_memory_max_bytes",
    "jvm_gc_collection_seconds_sum",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
}
"""Metrics of the exporters themselves. The running system shows that they exist, except the two of Kubernetes."""
SERIES = set().union(THIRD_PARTY_METRICS, *METRICS.values())


def dashboard_queries() -> dict[str, list[str]]:
    """Return the queries of each dashboard."""
    return {
        path.name: list(_find_queries(json.loads(path.read_text())))
        for path in sorted((FOLDER / "dashboards").glob("*.json"))
    }


def _find_queries(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        elif isinstance(node.get("query"), str):
            yield node["query"]
        for value in node.values():
            yield from _find_queries(value)
    elif isinstance(node, list):
        for value in node:
            yield from _find_queries(value)


EXPRESSIONS = [
    *(alert.expr for alert in ALERTS),
    *(query for queries in dashboard_queries().values() for query in queries),
]


def test_alerts_and_dashboards_use_metrics_that_exist() -> None:
    used = {name for expr in EXPRESSIONS for name in METRIC_NAME.findall(expr)}
    assert len(used) > 20
    assert used <= SERIES


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_used_or_has_a_reason(metric: str) -> None:
    used = any(name in METRICS[metric] for expr in EXPRESSIONS for name in METRIC_NAME.findall(expr))
    assert used is not (metric in METRICS_WITHOUT_ALERT), (
        "use it in an alert or a dashboard, or give the reason in monitoring/metrics_without_alert.py"
    )
    assert METRICS_WITHOUT_ALERT.get(metric, "a reason")


def test_reasons_are_given_only_for_metrics_that_exist() -> None:
    assert set(METRICS_WITHOUT_ALERT) <= set(METRICS)


def test_every_third_party_metric_is_used() -> None:
    used = {name for expr in EXPRESSIONS for name in METRIC_NAME.findall(expr)}
    assert used >= THIRD_PARTY_METRICS
