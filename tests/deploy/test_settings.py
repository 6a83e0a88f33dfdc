"""Every setting in the deployment files exists and has a valid value; every endpoint and port is one that is served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharing.cli.desk import make_desk_settings
from sharing.desk.settings import require_protected
from sharing.errors import SettingsError
from sharing.settings import Settings, load_settings
from sharing.tools.manifests.common import DESK_METRICS_PORT, WEB_PORT, gate_settings
from sharing.tools.manifests.kafka_metrics import DISK_JOB
from sharing.topology.acls import Principal, parse_principal
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import INDICATORS
from tests.deploy.deploy_files import COMPOSE, DEPLOY, ROOT, SYSTEMD, load_compose, load_partners, of_kind, of_workload

KNOWN = {f"SHARING_{name.upper()}" for name in Settings.model_fields} | {"SHARING_CONFIG"}


def read_env_file(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


GATES: dict[str, dict[str, str]] = {
    **{
        name: service["environment"] for name, service in load_compose()["services"].items() if name.startswith("gate-")
    },
    **{
        f"configmap {manifest['data']['SHARING_STATE']}": manifest["data"]
        for manifest in of_kind("ConfigMap")
        if manifest["metadata"]["name"] == "gate-settings"
    },
    **{path.name: read_env_file(path) for path in SYSTEMD.glob("gate-*.env")},
}


@pytest.mark.parametrize("path", [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()], ids=str)
def test_every_setting_in_a_file_exists(path: Path) -> None:
    if COMPOSE / "secrets" not in path.parents and path.suffix != ".pyc":
        assert set(re.findall(r"SHARING_[A-Z_]+", path.read_text(encoding="utf-8"))) <= KNOWN


@pytest.mark.parametrize("settings", GATES.values(), ids=GATES)
def test_the_settings_of_a_gate_load(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    loaded = load_settings()
    assert loaded.state is not None
    assert list(loaded.agency_ids) == load_partners().states[loaded.state].agencies
    assert loaded.partitions == load_partners().partitions
    assert loaded.web_port == WEB_PORT


@pytest.mark.parametrize("state", sorted(load_partners().states))
def test_the_settings_of_a_desk_in_the_trial_load(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = load_compose()["services"][f"desk-{state.lower()}"]
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    desk = make_desk_settings(load_settings(), state)
    require_protected(desk)
    assert (desk.metrics_host, desk.metrics_port) == ("0.0.0.0", DESK_METRICS_PORT)  # noqa: S104
    assert service["ports"] == [f"127.0.0.1:{desk.port}:{desk.port}"]
    assert desk.origin == f"https://localhost:{desk.port}"
    assert desk.agency == load_partners().states[state].desk_agency is not None


@pytest.mark.parametrize("path", sorted(SYSTEMD.glob("desk-*.env")), ids=lambda path: path.name)
def test_the_settings_of_a_desk_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in read_env_file(path).items():
        monkeypatch.setenv(name, value)
    loaded = load_settings()
    assert loaded.state is not None
    desk = make_desk_settings(loaded, loaded.state)
    assert desk.origin == f"https://desk.{loaded.state.lower()}.example"
    with pytest.raises(SettingsError, match="--tls-certificate"):  # the unit adds the certificate
        require_protected(desk)


def test_gates_read_every_topic_that_agencies_write() -> None:
    written = {name for name, topic in load_partners().topics.items() if topic.kind is INDICATORS}
    read = set()
    for state in load_partners().states:
        agencies = gate_settings(load_partners(), state, "x").get("SHARING_AGENCIES", "").split(",")
        read |= {INDICATORS.topic(state, agency) for agency in agencies}
    assert read == written


def test_every_certificate_belongs_to_a_client() -> None:
    for name, service in load_compose()["services"].items():
        keys = [
            secret["source"].removesuffix(".key")
            for secret in service.get("secrets", ())
            if secret["target"] == "tls.key"
        ]
        for key in keys:
            principal = parse_principal(key)
            if name == "topics":
                assert key == "broker"
                continue
            assert principal is not None
            state = service["environment"].get("SHARING_STATE", "")
            assert principal.state == state
            assert (principal.role is Role.GATE) == name.startswith("gate-")


def test_a_unit_loads_the_certificate_of_its_state() -> None:
    unit = (SYSTEMD / "sharing-gate@.service").read_text(encoding="utf-8")
    subscriber = (SYSTEMD / "sharing-subscriber@.service").read_text(encoding="utf-8")
    for state in load_partners().states:
        for text, role in ((unit, Role.GATE), (subscriber, Role.PARTNER)):
            names = re.findall(r"^LoadCredential=tls\.(?:pem|key):.*/(.*)\.(?:pem|key)$", text, re.MULTILINE)
            assert [name.replace("%i", state.lower()) for name in names] == [Principal(role, state).name] * 2


def test_probes_and_scrapes_use_endpoints_that_a_worker_serves() -> None:
    served = set(
        re.findall(
            r'"(/\w+)": show_', (ROOT / "processors" / "health" / "http_endpoints.py").read_text(encoding="utf-8")
        )
    )
    assert served >= {"/metrics", "/health", "/ready"}
    used: set[str] = set()
    for stateful in (each for name in load_partners().states for each in of_workload("gate", "StatefulSet", name)):
        container = stateful["spec"]["template"]["spec"]["containers"][0]
        probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
        assert {probe["port"] for probe in probes} == {"web"}
        assert container["ports"] == [{"name": "web", "containerPort": WEB_PORT}]
        used |= {probe["path"] for probe in probes}
    for name in load_partners().states:
        for monitor in of_workload("gate", "PodMonitor", name):
            used |= {endpoint["path"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    for text in ((DEPLOY / "Containerfile").read_text(), (COMPOSE / "compose.yaml").read_text()):
        used |= set(re.findall(r"SHARING_WEB_PORT'\]\}(/\w+)", text))
    assert used == {"/metrics", "/health", "/ready"}


def test_the_mounted_monitoring_files_exist() -> None:
    stack: dict[str, Any] = load_compose()
    files = [config["file"] for config in stack["configs"].values()]
    files = [file for file in files if "/fetched/" not in file]  # downloaded by deploy/exporter.py
    folders = [
        volume["source"]
        for service in stack["services"].values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind"
    ]
    assert [file for file in files if not (COMPOSE / file).is_file()] == []
    assert [folder for folder in folders if not list((COMPOSE / folder).glob("*.json"))] == []


def test_alerts_use_jobs_that_are_scraped() -> None:
    scraped = {
        scrape["job_name"]
        for scrape in yaml.safe_load((COMPOSE / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    }
    alerts = (ROOT / "monitoring" / "alerts.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r'job="([^"]+)"', alerts)) <= scraped | {DISK_JOB}  # the disk job is not part of the trial
