"""Renders one frame of `sharing top`, for terminals of 80 columns or more."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from sharing.cli.top.worker_metrics import WorkerMetrics
from sharing.console.printable import to_printable
from sharing.model.vocabulary import NoticeLane, Outcome

BAR_WIDTH = 24
PARTITIONS_SHOWN_MAX = 8
DAY_SECONDS = 86_400

GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"


def render_frame(metrics: WorkerMetrics) -> RenderableType:
    """Return one frame."""
    return Group(
        _render_header(metrics),
        *_render_readiness(metrics),
        Text(),
        _join_columns(_render_counts(metrics), _render_state(metrics)),
        Text(),
        _render_lag(metrics),
        *_render_alerts(metrics),
        *([Text(to_printable(metrics.trouble), style=BAD)] if metrics.trouble else []),
    )


def format_seconds(seconds: float) -> str:
    """Format a duration in a suitable unit: 36 ms, 2.5 s, 4 min, 3 h, 12 d."""
    if math.isinf(seconds):
        return "never"
    for limit, size, unit, digits in (
        (1, 0.001, "ms", 0), (60, 1, "s", 1), (3_600, 60, "min", 0), (2 * DAY_SECONDS, 3_600, "h", 0)
    ):  # fmt: skip
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / DAY_SECONDS:.0f} d"


def _render_header(metrics: WorkerMetrics) -> Text:
    sample = metrics.current
    pack = sample.labels("sharing_pack_info")
    started = sample.total("process_start_time_seconds")
    clock = dt.datetime.fromtimestamp(sample.taken_at, dt.UTC).strftime("%H:%M:%S UTC")
    parts = (
        f"gate of {pack.get('state', '?')}",
        metrics.url.partition("//")[2],
        f"up {format_seconds(max(0.0, sample.taken_at - started))}",
        clock,
    )
    return Text(to_printable("   ".join(parts)), style="bold", no_wrap=True, overflow="ellipsis")


def _render_readiness(metrics: WorkerMetrics) -> Iterator[Text]:
    failed = {name: check["reason"] for name, check in metrics.current.ready.items() if not check["ok"]}
    if not failed:
        yield Text("READY", style=GOOD) + Text(f"   {', '.join(metrics.current.ready)}", style=DIM)
        return
    yield Text("NOT READY", style=BAD)
    for name, reason in failed.items():
        yield Text(to_printable(f"  {name}: {reason}"), style=BAD)


def _render_counts(metrics: WorkerMetrics) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style=DIM)
    table.add_column("indicators", no_wrap=True, min_width=19)
    table.add_column("per sec", justify="right", no_wrap=True, min_width=8)
    table.add_column("total", justify="right", no_wrap=True, min_width=11)

    def row(title: str, name: str, style: str = "", **labels: str) -> None:
        rate, total = metrics.rate(name, **labels), metrics.current.total(name, **labels)
        table.add_row(title, "-" if rate is None else f"{rate:,.0f}", f"{total:,.0f}", style=style if total else "")

    row("read", "sharing_indicators_read_total")
    for outcome in Outcome:
        row(f"  {outcome.lower()}", "sharing_indicators_total", outcome=outcome)
    row("  quarantined", "sharing_indicators_quarantined_total", WARN)
    for cause, records in metrics.current.sum_by("sharing_quarantined_total", "cause").items():
        table.add_row(Text(f"    {to_printable(cause)}", style=DIM), "", f"{records:,.0f}")
    unaccounted = metrics.current.total("sharing_indicators_read_total") - metrics.current.total(
        "sharing_indicators_accounted_total"
    )
    table.add_row("unaccounted", "", f"{unaccounted:,.0f}", style=BAD if unaccounted else "")
    return table


def _render_state(metrics: WorkerMetrics) -> Table:
    sample = metrics.current
    grid = Table.grid(Column(style=DIM, no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    for lane in (NoticeLane.URGENT, NoticeLane.ORDINARY):
        grid.add_row(lane, _format_latency(metrics, lane))
    last = sample.total("sharing_last_commit_timestamp_seconds")
    grid.add_row("last commit", f"{format_seconds(max(0.0, sample.taken_at - last))} ago" if last else "none yet")
    aborts = sample.total("sharing_transaction_aborts_total")
    grid.add_row("aborts", Text(f"{aborts:,.0f}", style=WARN if aborts else ""))
    errors = sample.total("sharing_rule_errors_total")
    grid.add_row("rule errors", Text(f"{errors:,.0f}", style=BAD if errors else ""))
    pack = sample.labels("sharing_pack_info")
    grid.add_row("law", to_printable(f"{pack.get('version', '?')}, sha256 {pack.get('sha256', '?')[:8]}"))
    grid.add_row("", _format_pack_age(metrics))
    grid.add_row("directory", _format_directory(metrics))
    cpu, memory = metrics.rate("process_cpu_seconds_total"), sample.total("process_resident_memory_bytes")
    grid.add_row("machine", f"{'-' if cpu is None else f'{cpu:.0%}'} CPU, {memory / 1e6:,.0f} MB")
    return grid


def _format_latency(metrics: WorkerMetrics, lane: str) -> str:
    metric = "sharing_notice_latency_seconds"
    median, p99 = (metrics.quantile(fraction, metric, lane=lane) for fraction in (0.5, 0.99))
    if median is None or p99 is None:
        return "none yet"
    return f"p50 {format_seconds(median)}, p99 {format_seconds(p99)}"


def _format_pack_age(metrics: WorkerMetrics) -> Text:
    sample = metrics.current
    age = sample.taken_at - sample.total("sharing_pack_consolidated_timestamp_seconds")
    left = sample.total("sharing_pack_expiry_timestamp_seconds") - sample.taken_at
    text = Text(f"consolidated {format_seconds(max(0.0, age))} ago")
    if left <= 0:
        text.append(", EXPIRED", style=BAD)
    elif not math.isinf(left):
        text.append(f", ends in {format_seconds(left)}", style=WARN if left < 30 * DAY_SECONDS else "")
    return text


def _format_directory(metrics: WorkerMetrics) -> Text:
    sample = metrics.current
    version = sample.labels("sharing_directory_info").get("version", "?")
    text = Text(f"{sample.total('sharing_directory_entries'):.0f} States, version {version[:8]}")
    for name, meaning in (("unreadable", "unreadable"), ("without_topics", "without topics")):
        count = sample.total(f"sharing_directory_{name}")
        if count:
            text.append(f", {count:.0f} {meaning}", style=BAD)
    ignored = sample.total("sharing_directory_ignored_records")
    if ignored:
        text.append(f", {ignored:.0f} ignored", style=WARN)
    return text


def _render_lag(metrics: WorkerMetrics) -> RenderableType:
    lags = {
        f"{dict(labels)['topic']}[{dict(labels)['partition']}]": value
        for labels, value in metrics.current.samples.get("sharing_consumer_lag_records", {}).items()
    }
    if not lags:
        return Text("standby: no partitions assigned", style=DIM)
    largest = max(*lags.values(), 1)
    grid = Table.grid(Column(overflow="ellipsis", no_wrap=True), Column(justify="right"), Column(), padding=(0, 1))
    grid.add_row(Text("lag", style=DIM), f"{sum(lags.values()):,.0f}", "")
    hidden = metrics.current.total("sharing_consumer_hidden_records")
    if hidden:
        grid.add_row(Text("  behind open transactions", style=WARN), f"{hidden:,.0f}", "")
    shown = sorted(lags.items(), key=lambda item: (-item[1], item[0]))
    for partition, lag in shown[:PARTITIONS_SHOWN_MAX]:
        grid.add_row(
            to_printable(f"  {partition}"), f"{lag:,.0f}", Text("█" * round(BAR_WIDTH * lag / largest), style=WARN)
        )
    if len(shown) > PARTITIONS_SHOWN_MAX:
        grid.add_row(Text(f"  and {len(shown) - PARTITIONS_SHOWN_MAX} more", style=DIM), "", "")
    return grid


def _render_alerts(metrics: WorkerMetrics) -> Iterator[Text]:
    if metrics.alerts is None:
        return
    yield Text()
    if not metrics.alerts:
        yield Text("no alerts are firing", style=GOOD)
    for alert in metrics.alerts:
        style = BAD if alert.severity == "critical" else WARN
        yield Text(to_printable(f"{alert.severity} {alert.state} {alert.name}: {alert.summary}"), style=style)
        yield Text(to_printable(f"  {alert.runbook}"), style=DIM)


def _join_columns(left: Table, right: Table) -> Table:
    grid = Table.grid(Column(min_width=42), Column(), padding=(0, 1, 0, 0))
    grid.add_row(left, right)
    return grid
