"""`sharing top` on a real worker, watched by a real Prometheus; `TOP_PICTURE=docs/top.svg` renews the docs' picture."""

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
from sharing.cli.top.figures import WorkerFigures, firing_alerts, look
from sharing.cli.top.view import draw
from tests.bench.workload import make_indicators
from tests.faults.gate_process import load
from tests.monitoring.monitored_gate import PATIENCE_S, Stage, make_record
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


def run_top(stage: Stage, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the well gate, on 80 columns."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    environment = {**kept, "COLUMNS": "80", "SHARING_PROMETHEUS": stage.prometheus.url}
    command = [sys.executable, "-c", "from sharing.cli import main; main()", "top", "--url", stage.well.url, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_it_shows_a_worker(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    before = look(stage.well.url, time.time())
    load(stage.broker.bootstrap, "CH", make_indicators(3_000, 0.4))
    load(stage.broker.bootstrap, "CH", [make_record("CH", "urgent now", "URGENT")])
    wanted = before.total("sharing_indicators_taken_total") + 3_001
    wait_until(
        lambda: look(stage.well.url, 0.0).total("sharing_indicators_taken_total") >= wanted, "all is taken", PATIENCE_S
    )
    told = run_top(stage, "--once")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), told.stdout
    assert "gate of CH" in lines[0]
    assert lines[1].startswith("READY")
    for words in ("taken", "disclose", "unaccounted", "urgent", "p99", "law", "lag", "[0]"):
        assert words in told.stdout, words
    fired = firing_alerts(stage.prometheus.url)
    monkeypatch.setenv("SHARING_PROMETHEUS", stage.prometheus.url)
    told_json = CliRunner().invoke(app, ["top", "--url", stage.well.url, "--once", "--json"])
    document = json.loads(told_json.stdout)
    assert document["ready"] is True
    assert document["taken"] == document["accounted"] >= wanted
    assert sum(document["outcomes"].values()) + sum(document["quarantined"].values()) == document["taken"]
    assert document["lag"] == {"0": 0, "1": 0}
    assert document["latency_seconds"]["urgent"]["p99"] > 0
    # What began or ended to fire at this very moment may be there or not.
    fires = firing_alerts(stage.prometheus.url)
    told_alerts = {(alert["name"], alert["state"]) for alert in document["alerts"]}
    before_it, after_it = ({(alert.name, alert.state) for alert in alerts} for alerts in (fired, fires))
    assert before_it & after_it <= told_alerts <= before_it | after_it
    picture = os.environ.get("TOP_PICTURE")
    if picture:
        now = look(stage.well.url, time.time())
        console = Console(record=True, width=80, file=io.StringIO())
        console.print(draw(WorkerFigures(stage.well.url, now, before, firing_alerts(stage.prometheus.url))))
        svg = console.export_svg(title="sharing top")
        # Rich names fonts on a server of others; a reader's page asks nobody.
        Path(picture).write_text(
            re.sub(r"\s*@font-face \{.*?\}|\s*<!--.*?-->", "", svg, flags=re.DOTALL), encoding="utf-8"
        )
