"""`sharing top` without a running system: how it shows an unhealthy worker, and a worker that does not respond."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sharing.cli import app
from sharing.cli.top import _poll_worker, to_document, worker_metrics
from sharing.cli.top.rendering import format_seconds, render_frame
from sharing.cli.top.worker_metrics import WorkerMetrics, fetch_firing_alerts, fetch_sample
from sharing.errors import InfrastructureError, SettingsError
from tests.support.waiting import TIMEOUT_S

METRICS = """\
sharing_indicators_read_total {taken}
sharing_indicators_accounted_total {taken}
sharing_indicators_total{{outcome="DISCLOSE"}} {taken}
sharing_quarantined_total{{cause="NOT_AVRO"}} 0
sharing_notice_latency_seconds_bucket{{lane="urgent",le="0.05"}} {taken}
sharing_notice_latency_seconds_bucket{{lane="urgent",le="10.0"}} {taken}
sharing_notice_latency_seconds_bucket{{lane="urgent",le="+Inf"}} {taken}
sharing_consumer_lag_records{{topic="national.ch.indicators",partition="0"}} 12
sharing_consumer_lag_records{{topic="national.ch.indicators",partition="1"}} 3
sharing_consumer_hidden_records{{topic="national.ch.indicators",partition="0"}} 7
sharing_consumer_hidden_records{{topic="national.ch.indicators",partition="1"}} 0
sharing_pack_info{{state="CH",version="2026.1",sha256="0123456789abcdef"}} 1
sharing_pack_expiry_timestamp_seconds 1
process_start_time_seconds 100
"""
READY = {
    "ready": False,
    "checks": {
        "broker": {"ok": False, "reason": "no connection; last response 40 s ago"},
        "law": {"ok": True, "reason": "CH 2026.1"},
    },
}
ALERTS = {
    "data": {
        "alerts": [
            {
                "state": "firing",
                "labels": {"alertname": "B", "severity": "warning"},
                "annotations": {"summary": "less"},
            },
            {"state": "pending", "labels": {"alertname": "C", "severity": "critical"}},
            {
                "state": "firing",
                "labels": {"alertname": "A", "severity": "critical", "state": "CH"},
                "annotations": {"summary": "bad [bold]", "runbook": "docs/runbooks/a.md"},
            },
        ]
    }
}


class _FakeEndpoints(BaseHTTPRequestHandler):
    taken: ClassVar[int] = 0
    failing: ClassVar[bool] = False
    endless: ClassVar[str] = ""

    def _send_endlessly(self) -> None:
        with suppress(OSError):  # the reader goes away
            if _FakeEndpoints.endless == "no HTTP":
                self.wfile.write(b"SSH-2.0-OpenSSH\r\n")
                return
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"# more\n" * (10_000 if _FakeEndpoints.endless == "fast" else 1))
                time.sleep(0 if _FakeEndpoints.endless == "fast" else 0.02)

    def do_GET(self) -> None:
        code, body = {
            "/metrics": (200, METRICS.format(taken=_FakeEndpoints.taken)),
            "/ready": (503, json.dumps(READY)),
            "/api/v1/alerts": (200, json.dumps(ALERTS)),
        }.get(self.path, (404, ""))
        if _FakeEndpoints.failing:
            code, body = 500, ""
        if _FakeEndpoints.endless:
            self._send_endlessly()
            return
        _FakeEndpoints.taken += 100
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A worker that is not ready, and a Prometheus, served from the same address."""
    monkeypatch.setattr(_FakeEndpoints, "taken", 0)
    monkeypatch.setattr(_FakeEndpoints, "failing", False)
    monkeypatch.setattr(_FakeEndpoints, "endless", "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _FakeEndpoints)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def render_text(figures: WorkerMetrics) -> str:
    """Return the frame rendered with 80 columns."""
    stream = io.StringIO()
    Console(file=stream, width=80).print(render_frame(figures))
    return stream.getvalue()


def test_a_worker_that_is_not_ready_shows_the_reason(worker: str) -> None:
    text = render_text(WorkerMetrics(worker, fetch_sample(worker, 200.0)))
    assert "NOT READY" in text
    assert "broker: no connection; last response 40 s ago" in text
    assert "law: CH 2026.1" not in text
    assert "EXPIRED" in text
    assert "national.ch.indicators[0]" in text
    assert "15" in text
    assert re.search(r"behind open transactions +7\n", re.sub(r" +\n", "\n", text))


def test_rates_are_computed_between_two_samples(worker: str) -> None:
    before, now = fetch_sample(worker, 200.0), fetch_sample(worker, 210.0)
    figures = WorkerMetrics(worker, now, before)
    growth = now.total("sharing_indicators_read_total") - before.total("sharing_indicators_read_total")
    assert growth > 0
    assert figures.rate("sharing_indicators_read_total") == growth / 10
    assert figures.quantile(0.99, "sharing_notice_latency_seconds", lane="urgent") == 0.05
    assert WorkerMetrics(worker, now).rate("sharing_indicators_read_total") is None
    assert WorkerMetrics(worker, before, now).rate("sharing_indicators_read_total") is None
    assert (
        WorkerMetrics(worker, fetch_sample(worker, 220.0), now).quantile(
            0.5, "sharing_notice_latency_seconds", lane="ordinary"
        )
        is None
    )


def test_firing_alerts_are_shown_critical_first(worker: str) -> None:
    alerts = fetch_firing_alerts(worker)
    assert [alert.name for alert in alerts] == ["A", "B"]
    text = render_text(WorkerMetrics(worker, fetch_sample(worker, 200.0), alerts=alerts))
    assert "critical CH A: bad [bold]" in text
    assert "docs/runbooks/a.md" in text
    assert "no alerts are firing" in render_text(WorkerMetrics(worker, fetch_sample(worker, 200.0), alerts=()))


def test_a_worker_that_stops_responding_is_reported_below_its_last_figures(worker: str) -> None:
    frames = _poll_worker(worker, None, 0.0)
    first = next(frames)
    _FakeEndpoints.failing = True
    later = next(frames)
    assert later.current == first.current
    assert "no worker answers" in later.trouble
    assert "no worker answers" in render_text(later)
    assert to_document(later)["trouble"] == later.trouble
    _FakeEndpoints.failing = False
    assert next(frames).trouble == ""


def test_an_unreachable_prometheus_does_not_hide_the_figures(worker: str) -> None:
    figures = next(_poll_worker(worker, f"{worker}/nowhere", 0.0))
    assert figures.alerts is None
    assert "Prometheus does not answer" in render_text(figures)
    assert "read   " in render_text(figures)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_it_ends_when_nobody_reads_it_any_more(worker: str, form: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "sharing", "top", "--url", worker, "--interval", "0.1", *form]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_missing_worker_is_reported_in_one_sentence(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHARING_WEB_PORT", "SHARING_PROMETHEUS", "SHARING_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    call = CliRunner().invoke
    assert isinstance(call(app, ["top", "--url", "http://127.0.0.1:9"]).exception, InfrastructureError)
    assert "no worker answers at http://127.0.0.1:9" in str(call(app, ["top", "--url", "http://127.0.0.1:9"]).exception)
    assert isinstance(call(app, ["top"]).exception, SettingsError)
    assert isinstance(call(app, ["top", "--url", "file:///etc/passwd"]).exception, SettingsError)
    assert "is not a worker" not in str(call(app, ["top", "--url", worker, "--once"]).exception)


@pytest.mark.parametrize(
    ("how", "reason"), [("fast", "does not end"), ("slow", "does not end"), ("no HTTP", "not with HTTP")]
)
def test_an_answer_that_never_ends_or_is_none_is_given_up(
    worker: str, how: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may have the port: it must take neither all memory nor all time."""
    monkeypatch.setattr(_FakeEndpoints, "endless", how)
    limits = {
        "BODY_BYTES_MAX": 1_000_000 if how == "fast" else 10**12,
        "BODY_SECONDS_MAX": 0.2 if how == "slow" else 600,
    }
    for name, limit in limits.items():
        monkeypatch.setattr(worker_metrics, name, limit)
    with pytest.raises(InfrastructureError, match=rf"no worker answers at {worker} \(.*{reason}"):
        fetch_sample(worker, 0.0)


def test_one_frame_as_json(worker: str) -> None:
    result = CliRunner().invoke(app, ["top", "--url", worker, "--once", "--json", "--interval", "0.1"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["ready"] is False
    assert document["checks"]["broker"]["reason"].startswith("no connection")
    assert document["lag"] == {"0": 12, "1": 3}
    assert document["hidden"] == {"0": 7, "1": 0}
    assert document["taken_per_second"] > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.036, "36 ms"),
        (2.5, "2.5 s"),
        (240, "4 min"),
        (3 * 3_600, "3 h"),
        (12 * 86_400, "12 d"),
        (float("inf"), "never"),
    ],
)
def test_durations_are_shown_in_a_suitable_unit(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
