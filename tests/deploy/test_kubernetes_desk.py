"""The manifests of a State's duty desk: what it mounts, who may reach it, and how it gets its private files."""

from __future__ import annotations

import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.desk import make_desk_settings
from sharing.desk.settings import require_protected
from sharing.keystore.configured_keys import open_configured_keys
from sharing.keystore.files import read_private_file
from sharing.settings import load_settings
from sharing.testing.demo.keys import StateKeys, make_demo_keys, read_clock
from sharing.tools.manifests.common import DESK_METRICS_PORT, DESK_PORT
from tests.deploy.deploy_files import load_partners, of_kind, of_workload

STATES = sorted(load_partners().states)


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def get_settings(state: str) -> dict[str, str]:
    (settings,) = of_workload("desk", "ConfigMap", state)
    return settings["data"]  # type: ignore[no-any-return]


def get_pod(state: str) -> dict[str, Any]:
    (workload,) = of_workload("desk", "StatefulSet", state)
    return workload["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def list_containers(state: str) -> list[dict[str, Any]]:
    pod = get_pod(state)
    return [*pod["initContainers"], *pod["containers"]]


def test_the_settings_load_and_the_pages_have_a_certificate(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in get_settings(state).items():
        monkeypatch.setenv(name, value)
    desk = make_desk_settings(load_settings(), state)
    require_protected(desk)
    assert (desk.host, desk.metrics_host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104
    assert (desk.port, desk.metrics_port) == (DESK_PORT, DESK_METRICS_PORT)
    assert desk.agency == load_partners().states[state].desk_agency is not None


def test_a_desk_has_no_privileges(state: str) -> None:
    (gate,) = of_workload("gate", "StatefulSet", state)
    pod = get_pod(state)
    assert pod["securityContext"] == gate["spec"]["template"]["spec"]["securityContext"]
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert not {"hostNetwork", "hostPID", "hostIPC", "ephemeralContainers"} & set(pod)
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for container in list_containers(state):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"memory"}


def test_one_desk_runs_in_the_memory_that_was_measured(state: str) -> None:
    (workload,) = of_workload("desk", "StatefulSet", state)
    assert workload["spec"]["replicas"] == 1
    assert get_pod(state)["containers"][0]["resources"]["requests"]["memory"] == "200Mi"
    assert get_pod(state)["containers"][0]["resources"]["limits"] == {"memory": "256Mi"}


def test_every_file_in_the_settings_is_mounted_or_copied(state: str) -> None:
    pod, settings = get_pod(state), get_settings(state)
    desk = pod["containers"][0]
    folders = {mount["mountPath"]: mount["name"] for mount in desk["volumeMounts"]}
    for name, value in settings.items():
        if value.startswith("/"):
            assert [folder for folder in folders if Path(value).is_relative_to(folder)], name
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    projected = volumes["tls"]["projected"]["sources"]
    files = {f"/etc/sharing/tls/{item['path']}" for source in projected for item in source["secret"]["items"]}
    assert files == {value for value in settings.values() if value.startswith("/etc/sharing/tls/")}
    assert settings["SHARING_TRUST_FILE"] == "/etc/sharing/trust/trust.yaml"
    mounted = {mount["name"] for container in list_containers(state) for mount in container["volumeMounts"]}
    assert mounted == {*volumes, "state"}
    assert {mount["name"] for mount in desk["volumeMounts"] if not mount.get("readOnly")} == {"tmp", "state"}


def test_the_secret_with_private_keys_is_not_mounted_into_the_desk(state: str) -> None:
    copying, desk = list_containers(state)
    assert "keys" in {mount["name"] for mount in copying["volumeMounts"]}
    assert "keys" not in {mount["name"] for mount in desk["volumeMounts"]}
    private = next(volume for volume in get_pod(state)["volumes"] if volume["name"] == "private")
    assert private["emptyDir"]["medium"] == "Memory"


def test_a_desk_uses_the_certificates_of_its_kafka_users(state: str) -> None:
    projected = next(volume for volume in get_pod(state)["volumes"] if volume["name"] == "tls")["projected"]
    used = [source["secret"]["name"] for source in projected["sources"]]
    users = {user["metadata"]["name"] for user in of_kind("KafkaUser")}
    agency = f"agency.{state.lower()}.{load_partners().states[state].desk_agency}"
    assert used == [f"console.{state.lower()}", "sharing-cluster-ca", "desk-tls", agency]
    assert {used[0], used[3]} <= users
    assert projected["defaultMode"] == 0o440


def test_officers_reach_the_pages_and_prometheus_the_metrics(state: str) -> None:
    (policy,) = of_workload("desk", "NetworkPolicy", state)
    allowed = {
        rule["ports"][0]["port"]: rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in policy["spec"]["ingress"]
    }
    assert allowed == {DESK_PORT: "officers", DESK_METRICS_PORT: "monitoring"}
    gate = next(each for each in of_workload("gate", "NetworkPolicy", state) if each["metadata"]["name"] == "gate")
    assert policy["spec"]["egress"] == gate["spec"]["egress"]
    ports = {port["name"]: port["containerPort"] for port in get_pod(state)["containers"][0]["ports"]}
    assert ports == {"pages": DESK_PORT, "metrics": DESK_METRICS_PORT}
    (service,) = of_workload("desk", "Service", state)
    assert service["spec"]["ports"] == [{"name": "pages", "port": 443, "targetPort": "pages"}]
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    (monitor,) = of_workload("desk", "PodMonitor", state)
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "metrics"
    assert {"targetLabel": "job", "replacement": "sharing-desk"} in endpoint["relabelings"]


def test_all_selectors_match_the_desk_and_not_the_gate(state: str) -> None:
    (workload,) = of_workload("desk", "StatefulSet", state)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    selectors = [
        workload["spec"]["selector"]["matchLabels"],
        of_workload("desk", "PodDisruptionBudget", state)[0]["spec"]["selector"]["matchLabels"],
        of_workload("desk", "PodMonitor", state)[0]["spec"]["selector"]["matchLabels"],
        of_workload("desk", "Service", state)[0]["spec"]["selector"],
        of_workload("desk", "NetworkPolicy", state)[0]["spec"]["podSelector"]["matchLabels"],
    ]
    assert selectors == [labels] * 5
    (gate,) = of_workload("gate", "StatefulSet", state)
    assert gate["spec"]["template"]["metadata"]["labels"] != labels


def test_probes_use_the_page_that_asks_for_no_officer(state: str) -> None:
    container = get_pod(state)["containers"][0]
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert probes == [{"path": "/healthz", "port": "pages", "scheme": "HTTPS"}] * 3


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> StateKeys:
    return make_demo_keys(["CH"], tmp_path_factory.mktemp("made") / "keys").states["CH"]


def make_secret_folder(keys: StateKeys, folder: Path) -> Path:
    """Return the files as Kubernetes mounts them: symbolic links to files that the group of the pod can read."""
    data = folder / "..data"
    data.mkdir(parents=True)
    with tarfile.open(data / "keys.tar", "w") as archive:
        for file in [*keys.folder.glob("*.json"), *(keys.folder / "private").glob("wrap.*.key")]:
            archive.add(file, file.relative_to(keys.folder).as_posix())
    for name, source in (("reader.key", keys.reader_file), ("reader.pass", keys.reader_passphrase_file),
                         ("keys.pass", keys.passphrase_file)):  # fmt: skip
        (data / name).write_bytes(source.read_bytes())
    for file in data.iterdir():
        file.chmod(0o440)
        (folder / file.name).symlink_to(Path("..data") / file.name)
    return folder


def make_copy_command(source: Path, target: Path) -> list[str]:
    """Return the command of the manifest that copies the private files, with local folders."""
    copying, _desk = list_containers("CH")
    program, options, script = copying["command"]
    return [program, options, script.replace("/etc/sharing/keys", str(source)).replace("/run/sharing", str(target))]


def test_the_copies_are_for_the_process_alone_also_after_a_second_start(
    keys: StateKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make_secret_folder(keys, tmp_path / "mounted"), tmp_path / "run"
    target.mkdir(mode=0o777)
    for _start in range(2):
        subprocess.run(make_copy_command(source, target), check=True, timeout=240)
    copies = [path for path in (target / "private").rglob("*") if path.is_file()]
    assert {path.name.split(".")[0] for path in copies} == {"reader", "keys", "root", "readers", "wrap"}
    for path in (target / "private", *(target / "private").rglob("*")):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
    for name, value in get_settings("CH").items():
        if value.startswith("/run/sharing/"):
            monkeypatch.setenv(name, value.replace("/run/sharing", str(target)))
    settings = load_settings(state="CH")
    opened = open_configured_keys(settings)
    assert opened is not None
    now = read_clock()
    assert opened.get_trusted_keys(now).state == "CH"
    assert opened.get_wrapping_key(now)
    assert settings.reader_key is not None
    assert read_private_file(settings.reader_key) == keys.reader_file.read_bytes()


def test_without_one_of_the_files_the_pod_does_not_start(keys: StateKeys, tmp_path: Path) -> None:
    source, target = make_secret_folder(keys, tmp_path / "mounted"), tmp_path / "run"
    (source / "keys.tar").unlink()
    target.mkdir()
    ran = subprocess.run(make_copy_command(source, target), check=False, timeout=240, capture_output=True)
    assert ran.returncode != 0
