"""`sharing top`: a live view of one worker."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.live import Live

from sharing.cli.shared.console import AsJson, out, print_json
from sharing.cli.top.rendering import render_frame
from sharing.cli.top.worker_metrics import (
    MetricsSample,
    WorkerMetrics,
    fetch_firing_alerts,
    fetch_sample,
    normalise_url,
)
from sharing.errors import InfrastructureError, SettingsError
from sharing.model.vocabulary import NoticeLane
from sharing.settings import load_settings

RATE_SECONDS = 10.0
"""Period over which rates and latencies are computed."""


def top(
    url: Annotated[
        str | None,
        typer.Option("--url", help="URL of the worker. Default: port SHARING_WEB_PORT on this host.", metavar="URL"),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option("--prometheus", help="Also show its firing alerts. Default: SHARING_PROMETHEUS.", metavar="URL"),
    ] = None,
    interval: Annotated[float, typer.Option("--interval", min=0.1, max=60, help="Seconds between updates.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one frame, after one interval, and exit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one worker live: rates, outcomes, latency, lag, law, directory, readiness and firing alerts."""
    settings = load_settings()
    worker_url = url or (f"http://127.0.0.1:{settings.web_port}" if settings.web_port else None)
    if worker_url is None:
        raise SettingsError("no worker is configured: give --url http://HOST:PORT, or set SHARING_WEB_PORT")
    prometheus_url = prometheus or settings.prometheus
    frames = _poll_worker(
        normalise_url(worker_url, "--url"),
        normalise_url(prometheus_url, "--prometheus") if prometheus_url else None,
        interval,
    )
    first = next(frames)  # raises if no worker answers
    if once:
        _print_metrics(next(frames), as_json)
        return
    if as_json or not out.is_terminal:
        while not out.is_closed:
            _print_metrics(next(frames), as_json)
        return
    with Live(render_frame(first), console=out, auto_refresh=False, screen=True) as live:
        for metrics in frames:
            live.update(render_frame(metrics), refresh=True)


def _poll_worker(url: str, prometheus: str | None, interval: float) -> Iterator[WorkerMetrics]:
    """Yield the metrics of a worker, endlessly. Later failures are reported in them.

    Raises:
        InfrastructureError: The first request fails.
    """
    samples: deque[MetricsSample] = deque()
    metrics = _add_alerts(WorkerMetrics(url, fetch_sample(url, time.time())), prometheus)
    while True:
        samples.append(metrics.current)
        # Keep at least two samples: the current one, and one to compare it with.
        while len(samples) > 2 and samples[-1].taken_at - samples[0].taken_at > RATE_SECONDS:  # noqa: PLR2004 see above
            samples.popleft()
        yield metrics
        time.sleep(interval)
        try:
            metrics = WorkerMetrics(url, fetch_sample(url, time.time()), samples[0])
        except InfrastructureError as error:
            metrics = dataclasses.replace(metrics, trouble=f"{error}. The values shown are from the last update")
        else:
            metrics = _add_alerts(metrics, prometheus)


def _add_alerts(metrics: WorkerMetrics, prometheus: str | None) -> WorkerMetrics:
    if prometheus is None:
        return metrics
    try:
        return dataclasses.replace(metrics, alerts=fetch_firing_alerts(prometheus))
    except InfrastructureError as error:
        return dataclasses.replace(metrics, trouble=str(error))


def _print_metrics(metrics: WorkerMetrics, as_json: bool) -> None:
    if as_json:
        print_json(to_document(metrics))
    else:
        out.print(render_frame(metrics))


def to_document(metrics: WorkerMetrics) -> dict[str, Any]:
    """Return the metrics as a JSON document."""
    sample, metric = metrics.current, "sharing_notice_latency_seconds"
    latency = {
        lane: {name: metrics.quantile(fraction, metric, lane=lane) for name, fraction in (("p50", 0.5), ("p99", 0.99))}
        for lane in (NoticeLane.URGENT, NoticeLane.ORDINARY)
    }
    return {
        "url": metrics.url,
        "at": sample.taken_at,
        "ready": all(check["ok"] for check in sample.ready.values()),
        "checks": sample.ready,
        "pack": sample.labels("sharing_pack_info"),
        "taken": sample.total("sharing_indicators_read_total"),
        "taken_per_second": metrics.rate("sharing_indicators_read_total"),
        "accounted": sample.total("sharing_indicators_accounted_total"),
        "outcomes": sample.sum_by("sharing_indicators_total", "outcome"),
        "quarantined": sample.sum_by("sharing_quarantined_total", "cause"),
        "lag": sample.sum_by("sharing_consumer_lag_records", "partition"),
        "hidden": sample.sum_by("sharing_consumer_hidden_records", "partition"),
        "latency_seconds": latency,
        "transaction_aborts": sample.total("sharing_transaction_aborts_total"),
        "rule_errors": sample.total("sharing_rule_errors_total"),
        "directory_entries": sample.total("sharing_directory_entries"),
        "directory_version": sample.labels("sharing_directory_info").get("version"),
        "alerts": None if metrics.alerts is None else [dataclasses.asdict(alert) for alert in metrics.alerts],
        "trouble": metrics.trouble,
    }
