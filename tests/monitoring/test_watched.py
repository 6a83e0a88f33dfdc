"""Alerts and dashboards name metrics that exist, and no metric is unwatched without a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from monitoring.alerts import ALERTS
from monitoring.generate import FOLDER
from monitoring.unwatched import UNWATCHED
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.metrics import REGISTRY
from sharing.tools.manifests.kafka_metrics import METRICS as KAFKA

LIBRARY = CollectorRegistry()
PublisherMetrics(LIBRARY)
SubscriberMetrics(LIBRARY)
SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}
NAMED = re.compile(r"\b(?:sharing|process|kafka|jvm|node|kubelet)_[a-z_]+")


def _metrics() -> Iterator[tuple[str, set[str]]]:
    """Yield each metric as the documentation names it, with the names of its series."""
    for metric in (*REGISTRY.collect(), *LIBRARY.collect()):
        series = {metric.name + suffix for suffix in SUFFIXES.get(metric.type, ("",))}
        yield metric.name if metric.type == "histogram" else next(iter(series)), series


METRICS = {**dict(_metrics()), **{metric.name: {metric.name} for metric in KAFKA}}
OTHERS = {
    "jvm_memory_used_bytes",
    "jvm_memory_max_bytes",
    "jvm_gc_collection_seconds_sum",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
}
"""What the exporters show besides; that they do is seen on the running system, but for Kubernetes' own two."""
SERIES = set().union(OTHERS, *METRICS.values())


def queries() -> dict[str, list[str]]:
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


WATCHED = [*(alert.expr for alert in ALERTS), *(query for found in queries().values() for query in found)]


def test_what_is_watched_exists() -> None:
    named = {name for expr in WATCHED for name in NAMED.findall(expr)}
    assert len(named) > 20
    assert named <= SERIES


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_watched_or_there_is_a_reason(metric: str) -> None:
    watched = any(name in METRICS[metric] for expr in WATCHED for name in NAMED.findall(expr))
    assert watched is not (metric in UNWATCHED), "watch it, or say in monitoring/unwatched.py why not"
    assert UNWATCHED.get(metric, "a reason")


def test_there_are_reasons_for_metrics_only() -> None:
    assert set(UNWATCHED) <= set(METRICS)


def test_nothing_else_is_named() -> None:
    named = {name for expr in WATCHED for name in NAMED.findall(expr)}
    assert named >= OTHERS
