"""A running system under monitoring: gates on a real broker, and a real Prometheus that scrapes all of them.

The rules are those of `monitoring/alerts/` on a compressed time scale: all durations of the monitoring (`for`, windows)
are divided by 40, so an alert that fires after two minutes fires after three seconds here. Thresholds are unchanged.
Gates are scraped and rules evaluated twice a second, so a window has as many samples as with a 20 s interval in
production.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from monitoring.generate import render_alerts
from sharing.ids import make_content_id
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import find_free_port
from sharing.testing.samples import sample_directory
from sharing.tools.manifests.kafka_metrics import JOB
from sharing.topology.topics import list_topics
from tests.bench.workload import OPEN_FACTS
from tests.faults.gate_process import STATES, GateProcess
from tests.monitoring.tools import find_tool
from tests.support.waiting import wait_until

TIME_SCALE = 1 / 40
SCRAPE_INTERVAL = "500ms"
TIMEOUT_S = 240.0
POLL_INTERVAL_S = 0.25
FiringAlerts = frozenset[tuple[str, str]]
"""Firing alerts: name, and the State whose gate is affected."""


def fetch_url(url: str) -> bytes | None:
    """Return the body of a response with status 200; None for another status or no response."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 our own server, on the loopback
            body: bytes = response.read()
            return body
    except OSError:
        return None


class MonitoredGate:
    """A gate process of one State, with its HTTP endpoints."""

    def __init__(self, bootstrap: str, state: str, folder: Path, program: Sequence[str] = (), **settings: str) -> None:
        self.state = state
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.worker = GateProcess(
            bootstrap, state, folder, program=program, web_port=str(self.port), session_timeout_ms="60000", **settings
        )

    def start(self) -> None:
        """Start the process; it may have been started before."""
        self.worker.start()

    def is_ready(self) -> bool:
        """Return whether `/ready` returns 200."""
        assert self.is_running(), self.worker.read_log_tail()
        return fetch_url(f"{self.url}/ready") is not None

    def is_running(self) -> bool:
        """Return whether the process is running."""
        return self.worker.process is not None and self.worker.process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self.worker.process is not None
        os.kill(self.worker.process.pid, number)

    def kill(self) -> None:
        """Kill the process if it is running."""
        if self.is_running():
            self.worker.kill()


def _render_compressed_rules() -> str:
    """Return the alert rules on the compressed time scale."""
    rules = yaml.safe_load(render_alerts(TIME_SCALE))
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == "KafkaBrokerDown":
                rule["for"] = "12s"  # it is scraped every 5 s only: one late scrape is not an outage
    return yaml.safe_dump(rules)


class PrometheusProcess:
    """A Prometheus process that runs as long as the `with` block.

    Args:
        folder: Folder for its files.
        exporter_port: Port of the broker's exporter.
    """

    def __init__(self, folder: Path, exporter_port: int) -> None:
        self._folder = folder
        self._exporter_port = exporter_port
        self._port = find_free_port()
        self._targets = folder / "targets.json"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def set_targets(self, gates: Sequence[MonitoredGate], other_ports: Mapping[str, int] | None = None) -> None:
        """Scrape these gates, the ports of other jobs, and the broker from now on."""
        targets = [
            {"targets": [f"127.0.0.1:{gate.port}"], "labels": {"job": "sharing-gate", "state": gate.state}}
            for gate in gates
        ] + [{"targets": [f"127.0.0.1:{port}"], "labels": {"job": job}} for job, port in (other_ports or {}).items()]
        # A broker takes longer to answer a scrape than a gate does, especially on a busy machine.
        slow_scrape = {"__scrape_interval__": "5s", "__scrape_timeout__": "5s"}
        targets.append({"targets": [f"127.0.0.1:{self._exporter_port}"], "labels": {"job": JOB, **slow_scrape}})
        new_file = self._folder / "targets.new"
        new_file.write_text(json.dumps(targets))
        new_file.replace(self._targets)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        return list(self._call_api("query", query=expr)["result"])

    def delete_series(self, state: str) -> None:
        """Delete all series of a State's gate, as if the gate had never existed."""
        match = urllib.parse.urlencode({"match[]": f'{{state="{state}"}}'})
        request = urllib.request.Request(f"{self.url}/api/v1/admin/tsdb/delete_series?{match}", method="POST")  # noqa: S310 our own server
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 our own server

    def firing_alerts(self) -> FiringAlerts:
        """Return the alerts that are firing now."""
        return frozenset(
            (alert["labels"]["alertname"], alert["labels"].get("state", ""))
            for alert in self._call_api("alerts")["alerts"]
            if alert["state"] == "firing"
        )

    def _call_api(self, endpoint: str, **parameters: str) -> dict[str, Any]:
        response = fetch_url(f"{self.url}/api/v1/{endpoint}?{urllib.parse.urlencode(parameters)}")
        assert response is not None, parameters
        document = json.loads(response)
        assert document["status"] == "success", document
        data: dict[str, Any] = document["data"]
        return data

    def __enter__(self) -> Self:
        (self._folder / "alerts.yaml").write_text(_render_compressed_rules())
        settings = {
            "global": {
                "scrape_interval": SCRAPE_INTERVAL,
                "scrape_timeout": SCRAPE_INTERVAL,
                "evaluation_interval": SCRAPE_INTERVAL,
            },
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [
                {"job_name": "monitored", "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "100ms"}]}
            ],
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    find_tool("prometheus"),
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    "--web.enable-admin-api",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def is_ready(self) -> bool:
        """Return whether Prometheus is ready."""
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
        return fetch_url(f"{self.url}/-/ready") is not None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)


class MonitoredSystem:
    """A broker, Prometheus, a healthy gate of CH, and gates that tests add. All stop at the end of the `with` block."""

    def __init__(self, broker: KafkaBroker, exporter_port: int, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.packs = write_packs(folder / "packs")
        self.prometheus = PrometheusProcess(folder, exporter_port)
        self.healthy_gate = self.make_gate("CH")
        self.gates: list[MonitoredGate] = []

    def make_gate(self, state: str, program: Sequence[str] = (), **settings: str) -> MonitoredGate:
        """Return a gate that has not been started."""
        return MonitoredGate(
            self.broker.bootstrap, state, self.folder, program, **{"packs": str(self.packs), **settings}
        )

    def start_gates(self, *gates: MonitoredGate) -> None:
        """Start gates, and scrape them once they are ready."""
        self.gates += gates
        for gate in gates:
            gate.start()
        for gate in gates:
            wait_until(gate.is_ready, f"the gate of {gate.state} is ready", TIMEOUT_S)
        self.prometheus.set_targets(self.gates)

    def kill_gates(self, *gates: MonitoredGate) -> None:
        """Kill gates, and stop scraping them."""
        self.gates = [gate for gate in self.gates if gate not in gates]
        self.prometheus.set_targets(self.gates)
        for gate in gates:
            gate.kill()

    def __enter__(self) -> Self:
        self.prometheus.__enter__()  # starts up in parallel with the gate
        apply_topics(self.broker.bootstrap, list_topics(STATES, 2), replication=1)
        text, name = sample_directory()
        today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT00:00:00Z")
        for entry in parse_entries(re.sub(r'announced_at: "[^"]*"', f'announced_at: "{today}"', text), name):
            announce_entry(self.broker.bootstrap, entry)
        self.start_gates(self.healthy_gate)
        wait_until(self.prometheus.is_ready, "Prometheus is ready", TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in self.gates:
            gate.kill()
        self.prometheus.__exit__(kind, error, trace)


def write_packs(folder: Path) -> Path:
    """Write the shipped packs with yesterday as consolidation day, so that no alert about their age fires."""
    folder.mkdir()
    for state in STATES:
        text = (files("sharing.packs") / "shipped" / f"{state.lower()}.yaml").read_text(encoding="utf-8")
        text, changed = re.subn(r"(?m)^consolidated_at: .*$", f"consolidated_at: {_yesterday()}", text)
        assert changed == 1
        (folder / f"{state.lower()}.yaml").write_text(text, encoding="utf-8")
    return folder


def expire_pack(folder: Path, state: str) -> None:
    """Make every permission of a State's pack expire yesterday."""
    path = folder / f"{state.lower()}.yaml"
    rules = re.split(r"(?m)^(?=  - id: )", path.read_text(encoding="utf-8"))
    for number, rule in enumerate(rules):
        if "effect: PERMIT" in rule:
            expired = f"valid: {{from: \\1, to: {_yesterday()}}}"
            rules[number], changed = re.subn(r"valid: \{from: ([\d-]+)[^}]*\}", expired, rule)
            assert changed == 1
    path.write_text("".join(rules), encoding="utf-8")


def _yesterday() -> dt.date:
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def make_record(state: str, name: str, urgency: str = "ORDINARY") -> tuple[bytes, bytes]:
    """Return key and framed record of a plain indicator of a State, with a nexus to NL, or to DE for NL's own."""
    item = Indicator.parse(
        {
            "id": make_content_id(name),
            "type": "domain-name",
            "value": f"{make_content_id(name)[:8]}.example.org",
            "source": {"state": state, "agency": "police", "authority": "POLICE"},
            **OPEN_FACTS,
            "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 3},
            "urgency": urgency,
            "nexus": [{"state": "DE" if state == "NL" else "NL", "reason": "infrastructure"}],
        }
    )
    return item.id.encode(), get_codec("indicator").encode(item.to_record())
