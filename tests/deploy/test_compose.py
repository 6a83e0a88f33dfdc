"""The Compose file is valid and consistent, and gives each service only the privileges that it needs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sharing.tools.manifests.common import IMAGES
from tests.deploy.deploy_files import COMPOSE, SCHEMAS, load_compose, validate_document
from tests.monitoring.tools import find_tool

STACK = load_compose()
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
NAMED = pytest.mark.parametrize("name", SERVICES)
SCHEMA = json.loads((SCHEMAS / "compose-spec.json").read_text())


def test_the_compose_file_matches_the_compose_specification() -> None:
    validate_document(STACK, SCHEMA)


@pytest.mark.parametrize(
    ("service", "key", "wrong"),
    [("kafka", "helthcheck", {}), ("kafka", "read_only", []), ("topics", "depends_on", {"kafka": {"condition": "up"}})],
)
def test_the_schema_rejects_errors(service: str, key: str, wrong: Any) -> None:
    broken = load_compose()
    broken["services"][service][key] = wrong
    with pytest.raises(jsonschema.ValidationError):
        validate_document(broken, SCHEMA)


@NAMED
def test_a_service_refers_only_to_what_is_defined(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(STACK["networks"])
    assert {secret["source"] for secret in service.get("secrets", ())} <= set(STACK["secrets"])
    assert {config["source"] for config in service.get("configs", ())} <= set(STACK["configs"])
    volumes = [volume for volume in service.get("volumes", ()) if volume["type"] == "volume"]
    assert {volume["source"] for volume in volumes} <= set(STACK["volumes"])
    for dependency, condition in service.get("depends_on", {}).items():
        needs_check = condition["condition"] == "service_healthy"
        assert not needs_check or "test" in SERVICES[dependency]["healthcheck"]
        assert condition["condition"] != "service_completed_successfully" or SERVICES[dependency]["restart"] == "no"


def test_everything_that_is_defined_is_used() -> None:
    def list_used(key: str) -> set[str]:
        references = [reference for service in SERVICES.values() for reference in service.get(key, ())]
        return {reference["source"] for reference in references if reference.get("type") != "bind"}

    assert list_used("secrets") == set(STACK["secrets"])
    assert list_used("configs") == set(STACK["configs"])
    assert list_used("volumes") == set(STACK["volumes"])
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(STACK["networks"])


@NAMED
def test_a_service_has_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    # The registry's image sets its own non-root user, whose id differs between versions.
    assert str(service.get("user", "set by image")).split(":")[0] not in {"0", "root"}
    assert "user" in service or name == "registry"
    assert all(mount.get("read_only", mount["type"] == "volume") for mount in service.get("volumes", ()))
    assert service["mem_limit"]
    assert service["pids_limit"]


@NAMED
def test_ports_are_published_only_on_the_loopback_interface(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not ports or {"front", "officers"} & set(SERVICES[name]["networks"])


def test_services_with_content_have_no_outbound_access() -> None:
    internal = {name for name, network in STACK["networks"].items() if (network or {}).get("internal")}
    assert internal == {"bus", "monitoring"}
    monitoring = {"prometheus", "alertmanager", "grafana"}
    # Its ports are published, so it is not internal; without address translation nothing outside answers.
    officers = STACK["networks"]["officers"]
    assert officers == {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}
    for name, service in SERVICES.items():
        assert ("officers" in service["networks"]) == name.startswith("desk-")
        assert (set(service["networks"]) <= internal | {"officers"}) == (name not in monitoring)
        assert ("bus" in service["networks"]) == (name not in monitoring)


@NAMED
def test_the_file_contains_no_secret(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if "PASSWORD" in key or "KEY" in key:
            assert value.startswith(("/run/secrets/", "/tmp/private/"))  # noqa: S108 in memory of the container
    assert all(secret["file"].startswith("./secrets/") for secret in STACK["secrets"].values())


@NAMED
def test_every_image_is_pinned_to_a_version_and_a_digest(name: str) -> None:
    """Compose refuses to start if a variable of the form `${NAME:?message}` is not set."""
    service = SERVICES[name]
    built_here = "build" in service
    image = service["build"]["args"]["BASE"] if built_here else service["image"]
    reference, _, digest = image.partition("@")
    assert any(character.isdigit() for character in reference.rpartition(":")[2])
    required = re.fullmatch(r"\$\{(\w+):\?[^}]+\}", digest)
    assert required is not None
    assert IMAGES[required[1]] == reference
    if built_here:
        assert service["image"].startswith("sharing-bus:")


@NAMED
def test_the_memory_of_a_service_is_limited(name: str) -> None:
    limits = {"kafka": "2g", "registry": "768m", "prometheus": "1g", "alertmanager": "256m", "grafana": "512m"}
    limits |= {"desk-ch": "256m", "desk-de": "256m"}
    assert SERVICES[name]["mem_limit"] == limits.get(name, "1g")


def test_a_gate_applies_only_signed_packs_and_none_older_than_the_last() -> None:
    for name, service in SERVICES.items():
        if name.startswith(("gate-", "desk-")):
            settings, state = service["environment"], service["environment"]["SHARING_STATE"].lower()
            mounted = {f"/run/secrets/{secret['target']}" for secret in service["secrets"]}
            needed = {f"{settings['SHARING_PACKS']}/{state}.yaml{end}" for end in ("", ".sig")}
            assert needed | {settings["SHARING_PACK_KEY"]} <= mounted
            (volume,) = service["volumes"]
            assert volume == {"type": "volume", "source": name, "target": settings["SHARING_STATE_FOLDER"]}


def test_only_the_service_that_registers_schemas_may_do_so() -> None:
    users = {name: service["environment"].get("SHARING_REGISTRY_USER") for name, service in SERVICES.items()
             if "SHARING_REGISTRY" in service.get("environment", {})}  # fmt: skip
    assert {name for name, user in users.items() if user == "writer"} == {"topics"}
    assert set(users.values()) == {"reader", "writer"}
    for name in users:
        settings = SERVICES[name]["environment"]
        assert settings["SHARING_REGISTRY"].startswith("https://registry:")
        secrets = {f"/run/secrets/{secret['target']}" for secret in SERVICES[name]["secrets"]}
        assert {settings["SHARING_REGISTRY_PASSWORD_FILE"], settings["SHARING_REGISTRY_CA"]} <= secrets


def test_every_permanent_service_has_a_health_check() -> None:
    for service in SERVICES.values():
        assert ("test" in service["healthcheck"]) == (service["restart"] != "no")


@pytest.mark.parametrize(("job", "setting"), [("gate", "SHARING_WEB_PORT"), ("desk", "SHARING_DESK_METRICS_PORT")])
def test_prometheus_scrapes_every_gate_and_desk_with_its_state_as_label(job: str, setting: str) -> None:
    scrapes = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    static_configs = next(scrape for scrape in scrapes if scrape["job_name"] == f"sharing-{job}")["static_configs"]
    served = {
        f"{name}:{service['environment'][setting]}": service["environment"]["SHARING_STATE"]
        for name, service in SERVICES.items()
        if name.startswith(f"{job}-")
    }
    assert {target: config["labels"]["state"] for config in static_configs for target in config["targets"]} == served


def test_promtool_accepts_the_configuration_of_prometheus(tmp_path: Path) -> None:
    promtool = find_tool("promtool")
    rules = (COMPOSE / STACK["configs"]["alerts.yaml"]["file"]).resolve()
    text = (COMPOSE / "prometheus" / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/rules/*.yaml", str(rules)))
    completed = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert completed.returncode == 0, completed.stderr
    assert "rules found" in completed.stdout
