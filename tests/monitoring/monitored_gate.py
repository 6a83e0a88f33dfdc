"""A running system that is watched: gates on a real broker, and a real Prometheus that scrapes all of them.

The rules are those of `monitoring/alerts/` in a faster time: all that is a matter of the watch (`for`, windows) takes a
fortieth, so what fires after two minutes fires after three seconds here. Thresholds stay as they are. Gates are scraped
and rules evaluated twice a second, so that there are as many samples in a window as there are with 20 s between them.
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
from sharing.ids import content_id
from sharing.kafka.directory_topic import announce, read_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import free_port
from sharing.testing.samples import sample_directory
from sharing.tools.manifests.kafka_metrics import JOB
from sharing.topology.topics import topics_for
from tests.bench.workload import OPEN_FACTS
from tests.faults.gate_process import STATES, GateProcess
from tests.monitoring.tools import find_tool
from tests.support.waiting import wait_until

SCALE = 1 / 40
EACH = "500ms"
PATIENCE_S = 90.0
LOOK_S = 0.25
Firing = frozenset[tuple[str, str]]
"""Alerts that fire: name, and the State whose gate it is about."""


def get(url: str) -> bytes | None:
    """Return what a page answers with 200; None where nothing answers, or with another code."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 our own, on the loopback
            body: bytes = answer.read()
            return body
    except OSError:
        return None


class Gate:
    """One State's gate, with its pages."""

    def __init__(self, bootstrap: str, state: str, folder: Path, program: Sequence[str] = (), **settings: str) -> None:
        self.state = state
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.worker = GateProcess(
            bootstrap, state, folder, program=program, web_port=str(self.port), session_timeout_ms="60000", **settings
        )

    def start(self) -> None:
        """Start it, again if need be."""
        self.worker.start()

    def is_ready(self) -> bool:
        """Return whether `/ready` says so."""
        assert self.runs(), self.worker.text()
        return get(f"{self.url}/ready") is not None

    def runs(self) -> bool:
        """Return whether the process lives."""
        return self.worker.process is not None and self.worker.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self.worker.process is not None
        os.kill(self.worker.process.pid, number)

    def end(self) -> None:
        """Kill it, if it lives."""
        if self.runs():
            self.worker.kill()


def _render_rules() -> str:
    """Return the alerts in the faster time of the rehearsal."""
    rules = yaml.safe_load(render_alerts(SCALE))
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == "KafkaBrokerDown":
                rule["for"] = "12s"  # its page is asked for every 5 s: one that comes late is no outage
    return yaml.safe_dump(rules)


class Prometheus:
    """A Prometheus of its own, for as long as the block lasts.

    Args:
        folder: Where its files go.
        kafka: Port of the broker's exporter.
    """

    def __init__(self, folder: Path, kafka: int) -> None:
        self._folder = folder
        self._kafka = kafka
        self._port = free_port()
        self._targets = folder / "targets.json"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def watch(self, gates: Sequence[Gate], others: Mapping[str, int] | None = None) -> None:
        """Scrape these gates, and the ports of other jobs, from now on."""
        targets = [
            {"targets": [f"127.0.0.1:{gate.port}"], "labels": {"job": "sharing-gate", "state": gate.state}}
            for gate in gates
        ] + [{"targets": [f"127.0.0.1:{port}"], "labels": {"job": job}} for job, port in (others or {}).items()]
        # A broker's page takes it longer than a gate's, and on a machine that is busy far longer.
        unhurried = {"__scrape_interval__": "5s", "__scrape_timeout__": "5s"}
        targets.append({"targets": [f"127.0.0.1:{self._kafka}"], "labels": {"job": JOB, **unhurried}})
        new = self._folder / "targets.new"
        new.write_text(json.dumps(targets))
        new.replace(self._targets)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the result of a query now."""
        return list(self._ask("query", query=expr)["result"])

    def forget(self, state: str) -> None:
        """Forget all that was ever scraped from a State's gate, as if there had never been one."""
        match = urllib.parse.urlencode({"match[]": f'{{state="{state}"}}'})
        request = urllib.request.Request(f"{self.url}/api/v1/admin/tsdb/delete_series?{match}", method="POST")  # noqa: S310 our own
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 our own

    def firing(self) -> Firing:
        """Return the alerts that fire now."""
        return frozenset(
            (alert["labels"]["alertname"], alert["labels"].get("state", ""))
            for alert in self._ask("alerts")["alerts"]
            if alert["state"] == "firing"
        )

    def _ask(self, what: str, **parameters: str) -> dict[str, Any]:
        answer = get(f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}")
        assert answer is not None, parameters
        document = json.loads(answer)
        assert document["status"] == "success", document
        data: dict[str, Any] = document["data"]
        return data

    def __enter__(self) -> Self:
        (self._folder / "alerts.yaml").write_text(_render_rules())
        settings = {
            "global": {"scrape_interval": EACH, "scrape_timeout": EACH, "evaluation_interval": EACH},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [
                {"job_name": "watched", "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "100ms"}]}
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

    def answers(self) -> bool:
        """Return whether it is ready."""
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
        return get(f"{self.url}/-/ready") is not None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)


class Stage:
    """Broker, Prometheus and a well gate of CH; more gates as tests need them. All ends with the block."""

    def __init__(self, broker: KafkaBroker, exporter: int, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.packs = write_packs(folder / "packs")
        self.prometheus = Prometheus(folder, exporter)
        self.well = self.make_gate("CH")
        self.gates: list[Gate] = []

    def make_gate(self, state: str, program: Sequence[str] = (), **settings: str) -> Gate:
        """Return a gate that is not started yet."""
        return Gate(self.broker.bootstrap, state, self.folder, program, **{"packs": str(self.packs), **settings})

    def start(self, *gates: Gate) -> None:
        """Start gates, and have them watched once they are ready."""
        self.gates += gates
        for gate in gates:
            gate.start()
        for gate in gates:
            wait_until(gate.is_ready, f"the gate of {gate.state} is ready", PATIENCE_S)
        self.prometheus.watch(self.gates)

    def end(self, *gates: Gate) -> None:
        """Kill gates, and watch them no more."""
        self.gates = [gate for gate in self.gates if gate not in gates]
        self.prometheus.watch(self.gates)
        for gate in gates:
            gate.end()

    def __enter__(self) -> Self:
        self.prometheus.__enter__()  # gets ready while the others do
        apply_topics(self.broker.bootstrap, topics_for(STATES, 2), replication=1)
        text, name = sample_directory()
        today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT00:00:00Z")
        for entry in read_entries(re.sub(r'announced_at: "[^"]*"', f'announced_at: "{today}"', text), name):
            announce(self.broker.bootstrap, entry)
        self.start(self.well)
        wait_until(self.prometheus.answers, "Prometheus is ready", PATIENCE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in self.gates:
            gate.end()
        self.prometheus.__exit__(kind, error, trace)


def write_packs(folder: Path) -> Path:
    """Write the shipped packs as if they had been consolidated yesterday: their age is no fault of today."""
    folder.mkdir()
    for state in STATES:
        text = (files("sharing.packs") / "shipped" / f"{state.lower()}.yaml").read_text(encoding="utf-8")
        text, changed = re.subn(r"(?m)^consolidated_at: .*$", f"consolidated_at: {_yesterday()}", text)
        assert changed == 1
        (folder / f"{state.lower()}.yaml").write_text(text, encoding="utf-8")
    return folder


def expire_pack(folder: Path, state: str) -> None:
    """Let the last day of each permission of a State's pack be yesterday."""
    path = folder / f"{state.lower()}.yaml"
    rules = re.split(r"(?m)^(?=  - id: )", path.read_text(encoding="utf-8"))
    for number, rule in enumerate(rules):
        if "effect: PERMIT" in rule:
            last = f"valid: {{from: \\1, to: {_yesterday()}}}"
            rules[number], changed = re.subn(r"valid: \{from: ([\d-]+)[^}]*\}", last, rule)
            assert changed == 1
    path.write_text("".join(rules), encoding="utf-8")


def _yesterday() -> dt.date:
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def make_record(state: str, name: str, urgency: str = "ORDINARY") -> tuple[bytes, bytes]:
    """Return key and framed record of a plain indicator of a State, with a nexus to NL, or DE where it is NL's."""
    item = Indicator.read(
        {
            "id": content_id(name),
            "type": "domain-name",
            "value": f"{content_id(name)[:8]}.example.org",
            "source": {"state": state, "agency": "police", "authority": "POLICE"},
            **OPEN_FACTS,
            "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 3},
            "urgency": urgency,
            "nexus": [{"state": "DE" if state == "NL" else "NL", "reason": "infrastructure"}],
        }
    )
    return item.id.encode(), codec_of("indicator").encode(item.to_wire())
