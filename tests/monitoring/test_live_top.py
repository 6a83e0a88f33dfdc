"""`sharing top` on a real worker scraped by a real Prometheus. `TOP_PICTURE=docs/top.svg` updates the docs' picture."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sharing.cli import app
from sharing.cli.top.rendering import render_frame
from sharing.cli.top.worker_metrics import WorkerMetrics, fetch_firing_alerts, fetch_sample
from tests.bench.workload import make_indicators
from tests.faults.gate_process import load_records
from tests.monitoring.monitored_system import TIMEOUT_S, MonitoredSystem, make_record
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


def run_top(system: MonitoredSystem, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the healthy gate, with 80 columns."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    environment = {**inherited, "COLUMNS": "80", "SHARING_PROMETHEUS": system.prometheus.url}
    command = [
        sys.executable,
        "-c",
        "from sharing.cli import main; main()",
        "top",
        "--url",
        system.healthy_gate.url,
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)


def test_top_shows_a_worker(system: MonitoredSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fetch_sample(system.healthy_gate.url, time.time())
    load_records(system.broker.bootstrap, "CH", make_indicators(3_000, 0.4))
    load_records(system.broker.bootstrap, "CH", [make_record("CH", "urgent now", "URGENT")])
    wanted = before.total("sharing_indicators_read_total") + 3_001
    wait_until(
        lambda: fetch_sample(system.healthy_gate.url, 0.0).total("sharing_indicators_read_total") >= wanted,
        "all records are processed",
        TIMEOUT_S,
    )
    completed = run_top(system, "--once")
    assert completed.returncode == 0, completed.stderr
    lines = completed.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), completed.stdout
    assert "gate of CH" in lines[0]
    assert lines[1].startswith("READY")
    for words in ("read   ", "disclose", "unaccounted", "urgent", "p99", "law", "lag", "[0]"):
        assert words in completed.stdout, words
    alerts_before = fetch_firing_alerts(system.prometheus.url)
    monkeypatch.setenv("SHARING_PROMETHEUS", system.prometheus.url)
    json_result = CliRunner().invoke(app, ["top", "--url", system.healthy_gate.url, "--once", "--json"])
    document = json.loads(json_result.stdout)
    assert document["ready"] is True
    assert document["taken"] == document["accounted"] >= wanted
    assert sum(document["outcomes"].values()) + sum(document["quarantined"].values()) == document["taken"]
    assert document["lag"] == {"0": 0, "1": 0}
    assert document["latency_seconds"]["urgent"]["p99"] > 0
    # An alert that starts or stops firing at this moment may or may not be included.
    alerts_after = fetch_firing_alerts(system.prometheus.url)
    shown = {(alert["name"], alert["state"]) for alert in document["alerts"]}
    firing_before, firing_after = (
        {(alert.name, alert.state) for alert in alerts} for alerts in (alerts_before, alerts_after)
    )
    assert firing_before & firing_after <= shown <= firing_before | firing_after
    picture = os.environ.get("TOP_PICTURE")
    if picture:
        now = fetch_sample(system.healthy_gate.url, time.time())
        console = Console(record=True, width=80, file=io.StringIO())
        console.print(
            render_frame(
                WorkerMetrics(system.healthy_gate.url, now, before, fetch_firing_alerts(system.prometheus.url))
            )
        )
        svg = console.export_svg(title="sharing top")
        # Rich links fonts on a third-party server; the documentation must not load anything from elsewhere.
        Path(picture).write_text(
            re.sub(r"\s*@font-face \{.*?\}|\s*<!--.*?-->", "", svg, flags=re.DOTALL), encoding="utf-8"
        )
