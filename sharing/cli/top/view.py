"""How `sharing top` draws a worker: one frame, on a terminal of 80 columns or more."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from sharing.cli.console import printable
from sharing.cli.top.figures import WorkerFigures
from sharing.model.vocabulary import Outcome
from sharing.telemetry.metrics import ORDINARY_LANE, URGENT_LANE

BAR = 24
PARTITIONS_SHOWN = 8
DAY = 86_400

GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"


def draw(figures: WorkerFigures) -> RenderableType:
    """Return the frame of one moment."""
    return Group(
        _head(figures),
        *_readiness(figures),
        Text(),
        _side_by_side(_flow(figures), _state(figures)),
        Text(),
        _lag(figures),
        *_alerts(figures),
        *([Text(printable(figures.trouble), style=BAD)] if figures.trouble else []),
    )


def describe_seconds(seconds: float) -> str:
    """Return a time in the unit that suits it: 36 ms, 2.5 s, 4 min, 3 h, 12 d."""
    if math.isinf(seconds):
        return "never"
    for limit, size, unit, digits in (
        (1, 0.001, "ms", 0), (60, 1, "s", 1), (3_600, 60, "min", 0), (2 * DAY, 3_600, "h", 0)
    ):  # fmt: skip
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / DAY:.0f} d"


def _head(figures: WorkerFigures) -> Text:
    now = figures.now
    pack = now.labels("sharing_pack_info")
    started = now.total("process_start_time_seconds")
    clock = dt.datetime.fromtimestamp(now.at, dt.UTC).strftime("%H:%M:%S UTC")
    said = (
        f"gate of {pack.get('state', '?')}",
        figures.url.partition("//")[2],
        f"up {describe_seconds(max(0.0, now.at - started))}",
        clock,
    )
    return Text(printable("   ".join(said)), style="bold", no_wrap=True, overflow="ellipsis")


def _readiness(figures: WorkerFigures) -> Iterator[Text]:
    bad = {name: check["reason"] for name, check in figures.now.ready.items() if not check["ok"]}
    if not bad:
        yield Text("READY", style=GOOD) + Text(f"   {', '.join(figures.now.ready)}", style=DIM)
        return
    yield Text("NOT READY", style=BAD)
    for name, reason in bad.items():
        yield Text(printable(f"  {name}: {reason}"), style=BAD)


def _flow(figures: WorkerFigures) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style=DIM)
    table.add_column("indicators", no_wrap=True, min_width=19)
    table.add_column("a second", justify="right", no_wrap=True, min_width=8)
    table.add_column("all", justify="right", no_wrap=True, min_width=11)

    def row(title: str, name: str, style: str = "", **labels: str) -> None:
        rate, total = figures.rate(name, **labels), figures.now.total(name, **labels)
        table.add_row(title, "-" if rate is None else f"{rate:,.0f}", f"{total:,.0f}", style=style if total else "")

    row("taken", "sharing_indicators_taken_total")
    for outcome in Outcome:
        row(f"  {outcome.lower()}", "sharing_indicators_total", outcome=outcome)
    row("  quarantined", "sharing_indicators_quarantined_total", WARN)
    for cause, records in figures.now.by("sharing_quarantined_total", "cause").items():
        table.add_row(Text(f"    {printable(cause)}", style=DIM), "", f"{records:,.0f}")
    open_accounts = figures.now.total("sharing_indicators_taken_total") - figures.now.total(
        "sharing_indicators_accounted_total"
    )
    table.add_row("unaccounted", "", f"{open_accounts:,.0f}", style=BAD if open_accounts else "")
    return table


def _state(figures: WorkerFigures) -> Table:
    now = figures.now
    grid = Table.grid(Column(style=DIM, no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    for lane in (URGENT_LANE, ORDINARY_LANE):
        grid.add_row(lane, _latency(figures, lane))
    last = now.total("sharing_last_commit_timestamp_seconds")
    grid.add_row("last commit", f"{describe_seconds(max(0.0, now.at - last))} ago" if last else "none yet")
    aborts = now.total("sharing_transaction_aborts_total")
    grid.add_row("aborts", Text(f"{aborts:,.0f}", style=WARN if aborts else ""))
    errors = now.total("sharing_rule_errors_total")
    grid.add_row("rule errors", Text(f"{errors:,.0f}", style=BAD if errors else ""))
    pack = now.labels("sharing_pack_info")
    grid.add_row("law", printable(f"{pack.get('version', '?')}, sha256 {pack.get('sha256', '?')[:8]}"))
    grid.add_row("", _law_age(figures))
    grid.add_row("directory", _directory(figures))
    cpu, memory = figures.rate("process_cpu_seconds_total"), now.total("process_resident_memory_bytes")
    grid.add_row("machine", f"{'-' if cpu is None else f'{cpu:.0%}'} CPU, {memory / 1e6:,.0f} MB")
    return grid


def _latency(figures: WorkerFigures, lane: str) -> str:
    metric = "sharing_notice_latency_seconds"
    half, most = (figures.quantile(share, metric, lane=lane) for share in (0.5, 0.99))
    if half is None or most is None:
        return "none yet"
    return f"p50 {describe_seconds(half)}, p99 {describe_seconds(most)}"


def _law_age(figures: WorkerFigures) -> Text:
    now = figures.now
    age = now.at - now.total("sharing_pack_consolidated_timestamp_seconds")
    left = now.total("sharing_pack_expiry_timestamp_seconds") - now.at
    text = Text(f"consolidated {describe_seconds(max(0.0, age))} ago")
    if left <= 0:
        text.append(", EXPIRED", style=BAD)
    elif not math.isinf(left):
        text.append(f", ends in {describe_seconds(left)}", style=WARN if left < 30 * DAY else "")
    return text


def _directory(figures: WorkerFigures) -> Text:
    now = figures.now
    text = Text(f"{now.total('sharing_directory_entries'):.0f} States, version "
                f"{now.total('sharing_directory_version'):.0f}")  # fmt: skip
    ignored = now.total("sharing_directory_ignored_records")
    if ignored:
        text.append(f", {ignored:.0f} ignored", style=WARN)
    return text


def _lag(figures: WorkerFigures) -> RenderableType:
    lags = {
        f"{dict(labels)['topic']}[{dict(labels)['partition']}]": value
        for labels, value in figures.now.samples.get("sharing_consumer_lag_records", {}).items()
    }
    if not lags:
        return Text("standby: no partition is assigned", style=DIM)
    most = max(*lags.values(), 1)
    grid = Table.grid(Column(overflow="ellipsis", no_wrap=True), Column(justify="right"), Column(), padding=(0, 1))
    grid.add_row(Text("lag", style=DIM), f"{sum(lags.values()):,.0f}", "")
    shown = sorted(lags.items(), key=lambda item: (-item[1], item[0]))
    for place, lag in shown[:PARTITIONS_SHOWN]:
        grid.add_row(printable(f"  {place}"), f"{lag:,.0f}", Text("█" * round(BAR * lag / most), style=WARN))
    if len(shown) > PARTITIONS_SHOWN:
        grid.add_row(Text(f"  and {len(shown) - PARTITIONS_SHOWN} more", style=DIM), "", "")
    return grid


def _alerts(figures: WorkerFigures) -> Iterator[Text]:
    if figures.alerts is None:
        return
    yield Text()
    if not figures.alerts:
        yield Text("no alert fires", style=GOOD)
    for alert in figures.alerts:
        style = BAD if alert.severity == "critical" else WARN
        yield Text(printable(f"{alert.severity} {alert.state} {alert.name}: {alert.summary}"), style=style)
        yield Text(printable(f"  {alert.runbook}"), style=DIM)


def _side_by_side(left: Table, right: Table) -> Table:
    grid = Table.grid(Column(min_width=42), Column(), padding=(0, 1, 0, 0))
    grid.add_row(left, right)
    return grid
