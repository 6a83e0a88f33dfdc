"""`sharing top`: one worker, live, for the person at the console."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.live import Live

from sharing.cli.console import AsJson, out, print_json
from sharing.cli.top.figures import MetricsSample, WorkerFigures, check_url, firing_alerts, look
from sharing.cli.top.view import draw
from sharing.errors import InfrastructureError, SettingsError
from sharing.settings import load_settings
from sharing.telemetry.metrics import ORDINARY_LANE, URGENT_LANE

RATE_SECONDS = 10.0
"""Over how long rates and latencies are taken."""


def top(
    url: Annotated[
        str | None,
        typer.Option("--url", help="The worker's pages; else port SHARING_WEB_PORT here.", metavar="URL"),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option("--prometheus", help="Shows its firing alerts; else SHARING_PROMETHEUS.", metavar="URL"),
    ] = None,
    interval: Annotated[float, typer.Option("--interval", min=0.1, max=60, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one frame, after two looks, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one worker live: rates, outcomes, latency, lag, law, directory, readiness and firing alerts."""
    settings = load_settings()
    place = url or (f"http://127.0.0.1:{settings.web_port}" if settings.web_port else None)
    if place is None:
        raise SettingsError("which worker? give --url http://HOST:PORT, or set SHARING_WEB_PORT")
    asked = prometheus or settings.prometheus
    frames = _watch(check_url(place, "--url"), check_url(asked, "--prometheus") if asked else None, interval)
    first = next(frames)  # says at once when no worker answers
    if once:
        _print(next(frames), as_json)
        return
    if as_json:
        for figures in frames:
            _print(figures, as_json)
    with Live(draw(first), console=out, auto_refresh=False, screen=out.is_terminal) as live:
        for figures in frames:
            live.update(draw(figures), refresh=True)


def _watch(url: str, prometheus: str | None, interval: float) -> Iterator[WorkerFigures]:
    """Yield a worker's figures for ever; what does not answer later is said in them.

    Raises:
        InfrastructureError: At the first look nothing answers.
    """
    looks: deque[MetricsSample] = deque()
    figures = _ask_alerts(WorkerFigures(url, look(url, time.time())), prometheus)
    while True:
        looks.append(figures.now)
        while len(looks) > 2 and looks[-1].at - looks[0].at > RATE_SECONDS:  # noqa: PLR2004 now, and one to compare with
            looks.popleft()
        yield figures
        time.sleep(interval)
        try:
            figures = WorkerFigures(url, look(url, time.time()), looks[0])
        except InfrastructureError as error:
            figures = dataclasses.replace(figures, trouble=f"{error}; the figures above are of before")
        else:
            figures = _ask_alerts(figures, prometheus)


def _ask_alerts(figures: WorkerFigures, prometheus: str | None) -> WorkerFigures:
    if prometheus is None:
        return figures
    try:
        return dataclasses.replace(figures, alerts=firing_alerts(prometheus))
    except InfrastructureError as error:
        return dataclasses.replace(figures, trouble=str(error))


def _print(figures: WorkerFigures, as_json: bool) -> None:
    if as_json:
        print_json(describe(figures))
    else:
        out.print(draw(figures))


def describe(figures: WorkerFigures) -> dict[str, Any]:
    """Return the figures as a document."""
    now, metric = figures.now, "sharing_notice_latency_seconds"
    latency = {
        lane: {name: figures.quantile(share, metric, lane=lane) for name, share in (("p50", 0.5), ("p99", 0.99))}
        for lane in (URGENT_LANE, ORDINARY_LANE)
    }
    return {
        "url": figures.url,
        "at": now.at,
        "ready": all(check["ok"] for check in now.ready.values()),
        "checks": now.ready,
        "pack": now.labels("sharing_pack_info"),
        "taken": now.total("sharing_indicators_taken_total"),
        "taken_per_second": figures.rate("sharing_indicators_taken_total"),
        "accounted": now.total("sharing_indicators_accounted_total"),
        "outcomes": now.by("sharing_indicators_total", "outcome"),
        "quarantined": now.by("sharing_quarantined_total", "cause"),
        "lag": now.by("sharing_consumer_lag_records", "partition"),
        "latency_seconds": latency,
        "transaction_aborts": now.total("sharing_transaction_aborts_total"),
        "rule_errors": now.total("sharing_rule_errors_total"),
        "directory_entries": now.total("sharing_directory_entries"),
        "directory_version": now.total("sharing_directory_version"),
        "alerts": None if figures.alerts is None else [dataclasses.asdict(alert) for alert in figures.alerts],
        "trouble": figures.trouble,
    }
