"""A time-stamping service in the partners file: the gate asks it, and all that verify have its roots, everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sharing.errors import InputError
from sharing.settings import load_settings
from sharing.tools.manifests import render_deployment
from sharing.topology.partners import Partners, parse_partners

URL = "https://tsa.example:8443/rfc3161"
TEXT = f"""\
states:
  CH: {{agencies: [duty], desk_agency: duty, time_stamps: {{url: "{URL}", interval_ms: 60000, network: 192.0.2.0/24}}}}
  DE: {{}}
"""
PARTNERS: Partners = parse_partners(TEXT, "partners.yaml")
GENERATED = render_deployment(PARTNERS)
ASKED = {"SHARING_TIME_STAMP_URL": URL, "SHARING_TIME_STAMP_INTERVAL_MS": "60000"}


def read_documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(GENERATED[path]))


def select_settings(settings: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name.startswith("SHARING_TIME_STAMP_")}


def read_environment(path: str) -> dict[str, str]:
    lines = [line for line in GENERATED[path].splitlines() if not line.startswith("#")]
    return select_settings(dict(line.split("=", 1) for line in lines))


def test_gate_and_desk_on_a_server_have_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    roots = {"SHARING_TIME_STAMP_ROOTS": "/etc/sharing/time-stamp-roots.pem"}
    assert read_environment("systemd/gate-ch.env") == ASKED | roots
    assert read_environment("systemd/desk-ch.env") == roots
    assert read_environment("systemd/gate-de.env") == read_environment("systemd/desk-de.env") == {}
    for name, value in read_environment("systemd/gate-ch.env").items():
        monkeypatch.setenv(name, value)
    loaded = load_settings()
    assert (loaded.time_stamp_url, loaded.time_stamp_interval_ms) == (URL, 60_000)


def test_the_trial_lets_only_the_gate_of_that_state_out() -> None:
    (project,) = read_documents("compose/compose.yaml")
    services, roots = project["services"], {"SHARING_TIME_STAMP_ROOTS": "/run/secrets/time-stamp-roots.pem"}
    expected = {"gate-ch-0": ASKED | roots, "desk-ch": roots, "console-ch": roots}
    for name, service in services.items():
        found = select_settings(service.get("environment", {}))
        assert found == expected.get(name, {}), name
        secrets = {secret["source"] for secret in service.get("secrets", ())}
        assert ("time-stamp-roots.pem" in secrets) == (name in expected), name
        assert ("time-stamps" in service["networks"]) == (name == "gate-ch-0"), name
    assert project["networks"]["time-stamps"] == {}
    assert project["secrets"]["time-stamp-roots.pem"] == {"file": "./secrets/time-stamp-roots.pem"}
    (trial,) = yaml.safe_load_all(GENERATED["compose/partners.yaml"])
    assert Partners(**trial) == PARTNERS.model_copy(update={"replication": 1})


@pytest.mark.parametrize(("workload", "folder"), [("gate", ""), ("desk", "desk/")])
def test_on_kubernetes_the_roots_are_mounted(workload: str, folder: str) -> None:
    for state, has_service in (("ch", True), ("de", False)):
        (settings,) = read_documents(f"kubernetes/{state}/{folder}settings.yaml")
        found = select_settings(settings["data"])
        roots = {"SHARING_TIME_STAMP_ROOTS": "/etc/sharing/time-stamps/time-stamp-roots.pem"}
        assert found == ((ASKED if workload == "gate" else {}) | roots if has_service else {})
        manifests = read_documents(f"kubernetes/{state}/{folder}{workload}.yaml")
        (spec,) = (each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "StatefulSet")
        mounts = {mount["name"]: mount for mount in spec["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert ("time-stamp-roots" in mounts) == ("time-stamp-roots" in volumes) == has_service
        if has_service:
            assert Path(found["SHARING_TIME_STAMP_ROOTS"]).parent == Path(mounts["time-stamp-roots"]["mountPath"])
            assert volumes["time-stamp-roots"]["configMap"] == {"name": "time-stamp-roots"}


def test_the_network_policy_permits_the_network_that_is_named_and_no_other() -> None:
    def list_egress(path: str, name: str) -> list[dict[str, Any]]:
        (policy,) = (each for each in read_documents(path) if each["metadata"]["name"] == name)
        egress: list[dict[str, Any]] = policy["spec"]["egress"]
        return egress

    *others, stamps = list_egress("kubernetes/ch/network.yaml", "gate")
    assert stamps == {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 8443}]}
    assert others == list_egress("kubernetes/de/network.yaml", "gate")
    assert list_egress("kubernetes/ch/desk/network.yaml", "desk") == others, "a desk asks no service"
    without = render_deployment(parse_partners(TEXT.replace(", network: 192.0.2.0/24", ""), "partners.yaml"))
    assert "ipBlock" not in without["kubernetes/ch/network.yaml"]


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://tsa.example", 443), ("http://192.0.2.1/tsr", 80), ("https://[2001:db8::1]:444/a?b=c", 444)],
)
def test_the_port_of_the_service(url: str, port: int) -> None:
    service = parse_partners(f'states: {{CH: {{time_stamps: {{url: "{url}"}}}}}}\n', "p.yaml").states["CH"].time_stamps
    assert service is not None
    assert service.port == port


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("url: ftp://tsa.example", "url: must be an address such as https://tsa.example/rfc3161"),
        ("url: tsa.example", "url: must be an address"),
        ('url: "https://user:secret@tsa.example"', "url: must be an address"),
        ('url: "https://tsa.example/$HOME"', "url: must be an address"),
        ('url: "https://tsa.example/a\\nSHARING_STATE=DE"', "url: must be an address"),
        ('url: "https://tsa.example:70000/"', "url: must have a port from 1 to 65535"),
        ("url: https://tsa.example, network: everywhere", "network: must be a network such as 192.0.2.0/24"),
        ("url: https://tsa.example, network: 192.0.2.1/24", "network: must be a network such as"),
        ("url: https://tsa.example, interval_ms: -1", "interval_ms: must be at least 0"),
        ("interval_ms: 5", "url: is missing"),
    ],
)
def test_what_cannot_be_a_service_is_refused(field: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", "[(]")) as refused:
        parse_partners(f"states: {{CH: {{time_stamps: {{{field}}}}}}}\n", "partners.yaml")
    assert str(refused.value).startswith("partners.yaml:1: states.CH.time_stamps.")
    assert "secret" not in str(refused.value)
