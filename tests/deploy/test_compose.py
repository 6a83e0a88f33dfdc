"""The composition fits the Compose Specification's schema, hangs together, and gives nobody more than they need."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.deploy_files import COMPOSE, SCHEMAS, check, composition
from tests.monitoring.tools import find_tool

STACK = composition()
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
NAMED = pytest.mark.parametrize("name", SERVICES)
SCHEMA = json.loads((SCHEMAS / "compose-spec.json").read_text())


def test_it_fits_the_schema_of_the_compose_specification() -> None:
    check(STACK, SCHEMA)


@pytest.mark.parametrize(
    ("service", "key", "wrong"),
    [("kafka", "helthcheck", {}), ("kafka", "read_only", []), ("topics", "depends_on", {"kafka": {"condition": "up"}})],
)
def test_the_schema_finds_what_is_wrong(service: str, key: str, wrong: Any) -> None:
    broken = composition()
    broken["services"][service][key] = wrong
    with pytest.raises(jsonschema.ValidationError):
        check(broken, SCHEMA)


@NAMED
def test_a_service_names_only_what_there_is(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(STACK["networks"])
    assert {one["source"] for one in service.get("secrets", ())} <= set(STACK["secrets"])
    assert {one["source"] for one in service.get("configs", ())} <= set(STACK["configs"])
    volumes = [one for one in service.get("volumes", ()) if one["type"] == "volume"]
    assert {one["source"] for one in volumes} <= set(STACK["volumes"])
    for other, condition in service.get("depends_on", {}).items():
        needs_check = condition["condition"] == "service_healthy"
        assert not needs_check or "test" in SERVICES[other]["healthcheck"]
        assert condition["condition"] != "service_completed_successfully" or SERVICES[other]["restart"] == "no"


def test_nothing_is_declared_that_nobody_uses() -> None:
    def used(key: str) -> set[str]:
        return {
            one["source"] for service in SERVICES.values() for one in service.get(key, ()) if one.get("type") != "bind"
        }

    assert used("secrets") == set(STACK["secrets"])
    assert used("configs") == set(STACK["configs"])
    assert used("volumes") == set(STACK["volumes"])
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(STACK["networks"])


@NAMED
def test_a_service_has_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    # The registry's image has a user of its own that is not root, whose number differs between its versions.
    assert str(service.get("user", "its own")).split(":")[0] not in {"0", "root"}
    assert "user" in service or name == "registry"
    assert all(one.get("read_only", one["type"] == "volume") for one in service.get("volumes", ()))
    assert service["mem_limit"]
    assert service["pids_limit"]


@NAMED
def test_no_port_is_open_but_on_the_loopback(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not ports or "front" in SERVICES[name]["networks"]


def test_who_carries_content_has_no_way_out() -> None:
    inside = {name for name, network in STACK["networks"].items() if (network or {}).get("internal")}
    assert inside == {"bus", "watch"}
    watchers = {"prometheus", "alertmanager", "grafana"}
    for name, service in SERVICES.items():
        assert (set(service["networks"]) <= inside) == (name not in watchers)
        assert ("bus" in service["networks"]) == (name not in watchers)


@NAMED
def test_no_secret_stands_in_the_file(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if "PASSWORD" in key or "KEY" in key:
            assert value.startswith("/run/secrets/")
    assert all(one["file"].startswith("./secrets/") for one in STACK["secrets"].values())


@NAMED
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert any(character.isdigit() for character in tag)


def test_a_service_that_lasts_tells_whether_it_is_well() -> None:
    for service in SERVICES.values():
        assert ("test" in service["healthcheck"]) == (service["restart"] != "no")


def test_prometheus_scrapes_every_gate_and_knows_its_state() -> None:
    scrapes = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    found = next(one for one in scrapes if one["job_name"] == "sharing-gate")["static_configs"]
    gates = {
        f"{name}:{service['environment']['SHARING_WEB_PORT']}": service["environment"]["SHARING_STATE"]
        for name, service in SERVICES.items()
        if name.startswith("gate-")
    }
    assert {target: one["labels"]["state"] for one in found for target in one["targets"]} == gates


def test_promtool_reads_the_configuration_of_prometheus(tmp_path: Path) -> None:
    promtool = find_tool("promtool")
    rules = (COMPOSE / STACK["configs"]["alerts.yaml"]["file"]).resolve()
    text = (COMPOSE / "prometheus" / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/rules/*.yaml", str(rules)))
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout
