"""The manifests match the schemas of Kubernetes, Strimzi and the Prometheus operator, and configure gates correctly."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.packs.library import find_law, load_law
from sharing.packs.signature import sign_pack
from sharing.testing.demo.keys import make_demo_keys, read_clock
from sharing.topology.acls import list_principals
from sharing.topology.topic_kinds import FOREVER
from sharing.trust.public_keys import KeyRole
from tests.deploy.deploy_files import (
    KUBERNETES,
    Manifest,
    custom_schemas,
    load_manifests,
    load_partners,
    of_kind,
    of_workload,
    validate_document,
)
from tests.packs.pack_fixtures import KEY

KUBERNETES_VERSION = "1.36"
ALL = load_manifests()
STATES = sorted(load_partners().states)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")
# Options that Strimzi sets itself: `FORBIDDEN_PREFIXES` of its KafkaClusterSpec.
SET_BY_STRIMZI = (
    "listener",
    "advertised.",
    "broker.",
    "ssl.",
    "sasl.",
    "security.",
    "authorizer.",
    "super.user",
    "node.id",
)


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


@pytest.mark.parametrize("manifest", ALL, ids=title)
def test_a_manifest_matches_its_schema(manifest: Manifest) -> None:
    schema = custom_schemas().get((manifest["apiVersion"], manifest["kind"]))
    if schema is not None:
        validate_document(manifest, schema)
    else:
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)


def test_every_custom_schema_is_used() -> None:
    assert {kind for _, kind in custom_schemas()} <= {manifest["kind"] for manifest in ALL}


@pytest.mark.parametrize(
    ("kind", "path", "wrong"),
    [
        ("StatefulSet", ["spec", "replica"], 1),
        ("NetworkPolicy", ["spec", "podSelector"], "all"),
        ("Kafka", ["spec", "kafka", "listeners", 0, "authentication", "type"], "mtls"),
        ("KafkaNodePool", ["spec", "roles"], ["zookeeper"]),
        ("KafkaTopic", ["spec", "replica"], 3),
        ("KafkaUser", ["spec", "authorization", "acls", 0, "operations"], ["Scribble"]),
        ("PodMonitor", ["spec", "podMetricsEndpoints", 0, "url"], "/metrics"),
    ],
)
def test_the_schemas_reject_errors(kind: str, path: list[Any], wrong: Any) -> None:
    broken = deepcopy(of_kind(kind)[0])
    parent: Any = broken
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = wrong
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        test_a_manifest_matches_its_schema(broken)


@pytest.mark.parametrize("manifest", ALL, ids=title)
def test_names_are_valid_in_kubernetes(manifest: Manifest) -> None:
    name = manifest["metadata"]["name"]
    custom = (manifest["apiVersion"], manifest["kind"]) in custom_schemas()
    assert (SUBDOMAIN if custom else LABEL).fullmatch(name)
    assert len(name) <= 253
    for value in manifest["metadata"].get("labels", {}).values():
        assert len(value) <= 63


def test_the_longest_names_that_a_partners_file_allows_are_valid() -> None:
    agency = "a" * 40
    assert len(f"agency.ch.{agency}") <= 63, "Strimzi uses a user's name as a label"
    assert SUBDOMAIN.fullmatch(f"national.ch.indicators.{agency}")


@pytest.mark.parametrize(
    "folder",
    ["", "cluster", *(f"{state.lower()}{below}" for state in STATES for below in ("", "/desk"))],
)
def test_a_kustomization_lists_all_files_of_its_folder(folder: str) -> None:
    directory = KUBERNETES / folder
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    siblings = {path.name for path in directory.glob("*.yaml")} | {
        path.parent.name for path in directory.glob("*/kustomization.yaml")
    }
    assert set(kustomization["resources"]) == siblings - {"kustomization.yaml"}
    for generated in kustomization.get("configMapGenerator", []):
        pack, signature = (directory / file for file in generated["files"])
        assert [pack] == list((directory / "packs").iterdir())
        assert signature == pack.with_name(f"{pack.name}.sig")  # the law office adds it


def run_kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: other tests check the files one by one")
    command = [kubectl, "kustomize", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)


@pytest.fixture
def signed_folder(tmp_path: Path) -> Path:
    """The manifests, with packs that the law offices have signed."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, folder)
    for pack in folder.glob("*/packs/*.yaml"):
        pack.with_name(f"{pack.name}.sig").write_text(sign_pack(load_law(pack).pack.sha256, KEY))
    return folder


def test_kustomize_builds_nothing_for_a_gate_whose_pack_is_not_signed(state: str) -> None:
    done = run_kustomize(KUBERNETES / state.lower())
    assert done.returncode != 0
    assert f"packs/{state.lower()}.yaml.sig" in done.stderr


def test_kustomize_builds_all_manifests(signed_folder: Path) -> None:
    done = run_kustomize(signed_folder)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    packs = [
        manifest
        for manifest in built
        if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == "law-packs"
    ]
    assert len(built) == len(ALL) + len(packs)
    assert [manifest["metadata"]["namespace"] for manifest in packs] == [f"sharing-{state.lower()}" for state in STATES]
    assert all("namespace" in manifest["metadata"] for manifest in built if manifest["kind"] != "Namespace")


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pod_spec(state: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_workload("gate", "StatefulSet", state)[0]["spec"]
    return spec["template"]["spec"]  # type: ignore[no-any-return]


def test_a_gate_keeps_its_group_membership_across_restarts(state: str) -> None:
    spec = of_workload("gate", "StatefulSet", state)[0]["spec"]
    assert spec["replicas"] == load_partners().states[state].workers
    instance = {"name": "SHARING_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert pod_spec(state)["containers"][0]["env"] == [instance]
    assert "SHARING_INSTANCE" not in of_workload("gate", "ConfigMap", state)[0]["data"]


def test_a_gate_has_no_privileges(state: str) -> None:
    spec = pod_spec(state)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "ephemeralContainers" not in spec
    (copying,), (container,) = spec["initContainers"], spec["containers"]
    for each in (copying, container):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert copying["resources"]["limits"] == {"memory": "64Mi"}
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]


def test_every_file_in_the_settings_is_mounted(state: str) -> None:
    data = of_workload("gate", "ConfigMap", state)[0]["data"]
    container = pod_spec(state)["containers"][0]
    mounts = [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
    for name, value in data.items():
        if value.startswith("/"):
            assert [mount for mount in mounts if Path(value).is_relative_to(mount)], name
    claims = of_workload("gate", "StatefulSet", state)[0]["spec"]["volumeClaimTemplates"]
    volumes = {volume["name"] for volume in pod_spec(state)["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in claims}
    (copying,) = pod_spec(state)["initContainers"]
    assert {mount["name"] for mount in copying["volumeMounts"]} == {"keys", "private"}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes - {"keys"}, "only copies of private keys"
    writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"tmp", "state"}
    projected = next(volume for volume in pod_spec(state)["volumes"] if volume["name"] == "tls")["projected"]
    files = {item["path"] for source in projected["sources"] for item in source["secret"]["items"]}
    assert files == {Path(data[name]).name for name in data if name.startswith("SHARING_TLS_")}


def test_a_gate_has_copies_of_its_keys_in_memory(state: str, tmp_path: Path) -> None:
    """The script of the manifest with local folders, twice, as after a restart of the container."""
    volumes = {volume["name"]: volume for volume in pod_spec(state)["volumes"]}
    assert volumes["private"]["emptyDir"]["medium"] == "Memory"
    assert {item["key"] for item in volumes["keys"]["secret"]["items"]} == {"keys.tar", "keys.pass"}
    made = make_demo_keys([state], tmp_path / "made").states[state]
    source = tmp_path / "mounted"
    source.mkdir()
    with tarfile.open(source / "keys.tar", "w") as archive:
        for file in [*made.folder.glob("*.json"), *(made.folder / "private").glob("*.key")]:
            archive.add(file, file.relative_to(made.folder).as_posix())
    (source / "keys.pass").write_bytes(made.passphrase_file.read_bytes())
    program, options, script = pod_spec(state)["initContainers"][0]["command"]
    script = script.replace("/etc/sharing/keys", str(source)).replace("/run/sharing", str(tmp_path / "run"))
    for _start in range(2):
        subprocess.run([program, options, script], check=True, timeout=240)
    settings = of_workload("gate", "ConfigMap", state)[0]["data"]
    places = {name: Path(settings[name].replace("/run/sharing", str(tmp_path / "run")))
              for name in ("SHARING_KEY_FOLDER", "SHARING_KEY_PASSPHRASE_FILE")}  # fmt: skip
    passphrase = read_passphrase_file(places["SHARING_KEY_PASSPHRASE_FILE"])
    keys = OnlineKeys.open(places["SHARING_KEY_FOLDER"], passphrase)
    for role in (KeyRole.GATE, KeyRole.DIRECTORY):
        keys.get_signing_key(role, read_clock())  # raises if it does not open
    assert settings["SHARING_TRUST_FILE"] == "/etc/sharing/trust/trust.yaml"


def test_a_gate_applies_only_signed_packs_and_none_older_than_the_last(state: str) -> None:
    settings = of_workload("gate", "ConfigMap", state)[0]["data"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod_spec(state)["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod_spec(state)["volumes"]}
    key = Path(settings["SHARING_PACK_KEY"])
    assert volumes[mounts[str(key.parent)]] == {"name": "pack-key", "configMap": {"name": "pack-key"}}
    assert volumes[mounts[settings["SHARING_PACKS"]]]["configMap"] == {"name": "law-packs"}
    (claim,) = of_workload("gate", "StatefulSet", state)[0]["spec"]["volumeClaimTemplates"]
    assert mounts[settings["SHARING_STATE_FOLDER"]] == claim["metadata"]["name"]


def test_clients_generate_their_own_keys_and_every_one_has_quotas() -> None:
    users = {user["metadata"]["name"]: user["spec"] for user in of_kind("KafkaUser")}
    assert set(users) == {principal.name for principal in list_principals(load_partners())}
    for spec in users.values():
        assert spec["authentication"] == {"type": "tls-external"}
        assert spec["quotas"] == {
            "producerByteRate": 20_000_000,
            "consumerByteRate": 50_000_000,
            "requestPercentage": 200,
        }


def test_a_gate_uses_the_certificate_of_its_kafka_user(state: str) -> None:
    projected = next(volume for volume in pod_spec(state)["volumes"] if volume["name"] == "tls")["projected"]
    users = {user["metadata"]["name"] for user in of_kind("KafkaUser")}
    assert projected["sources"][0]["secret"]["name"] == f"gate.{state.lower()}"
    assert projected["sources"][0]["secret"]["name"] in users


def test_a_gate_may_only_connect_to_kafka_and_dns_and_be_scraped_by_prometheus(state: str) -> None:
    deny, gate = of_workload("gate", "NetworkPolicy", state)
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = of_workload("gate", "StatefulSet", state)[0]["spec"]["template"]["metadata"]["labels"]
    assert gate["spec"]["podSelector"]["matchLabels"] == labels
    (ingress,) = gate["spec"]["ingress"]
    assert [peer["namespaceSelector"]["matchLabels"] for peer in ingress["from"]] == [
        {"kubernetes.io/metadata.name": "monitoring"}
    ]
    brokers, dns = gate["spec"]["egress"]
    listener = of_kind("Kafka")[0]["spec"]["kafka"]["listeners"][0]
    assert [port["port"] for port in brokers["ports"]] == [listener["port"]]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert all(peer.get("podSelector") for rule in gate["spec"]["egress"] for peer in rule["to"])
    bootstrap = of_workload("gate", "ConfigMap", state)[0]["data"]["SHARING_BOOTSTRAP"]
    assert bootstrap == f"sharing-kafka-bootstrap.sharing-kafka.svc:{listener['port']}"


def test_all_selectors_match_the_gates(state: str) -> None:
    labels = of_workload("gate", "StatefulSet", state)[0]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_workload("gate", "StatefulSet", state)[0]["spec"]["selector"]["matchLabels"],
        of_workload("gate", "PodDisruptionBudget", state)[0]["spec"]["selector"]["matchLabels"],
        of_workload("gate", "PodMonitor", state)[0]["spec"]["selector"]["matchLabels"],
        of_workload("gate", "Service", state)[0]["spec"]["selector"],
    ]
    assert selectors == [labels] * 4
    assert (
        of_workload("gate", "Service", state)[0]["metadata"]["name"]
        == (of_workload("gate", "StatefulSet", state)[0]["spec"]["serviceName"])
    )


def test_the_cluster_admits_only_the_namespaces_of_states_with_certificates() -> None:
    spec = of_kind("Kafka")[0]["spec"]["kafka"]
    (listener,) = spec["listeners"]
    assert listener["tls"] is True
    assert listener["authentication"] == {"type": "tls"}
    peers = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in listener["networkPolicyPeers"]
    ]
    assert peers == [f"sharing-{state.lower()}" for state in STATES]
    assert spec["authorization"] == {"type": "simple"}
    assert spec["config"]["auto.create.topics.enable"] is False
    assert not [key for key in spec["config"] if key.startswith(SET_BY_STRIMZI)]


def test_the_cluster_has_enough_brokers_for_its_topics() -> None:
    pools = {pool["metadata"]["name"]: pool["spec"] for pool in of_kind("KafkaNodePool")}
    assert pools["controllers"]["roles"] == ["controller"]
    assert pools["brokers"]["replicas"] >= max(topic["spec"]["replicas"] for topic in of_kind("KafkaTopic"))
    assert all(volume["deleteClaim"] is False for pool in pools.values() for volume in pool["storage"]["volumes"])
    names = {
        topic["metadata"]["labels"]["strimzi.io/cluster"] for topic in of_kind("KafkaTopic") + of_kind("KafkaUser")
    }
    assert names == {of_kind("Kafka")[0]["metadata"]["name"]}
    audit_logs = [topic for topic in of_kind("KafkaTopic") if topic["metadata"]["name"].endswith(".decisions")]
    assert {str(topic["spec"]["config"]["retention.ms"]) for topic in audit_logs} == {str(FOREVER)}


def test_a_gate_can_load_signed_packs_from_a_mounted_config_map(
    state: str, signed_folder: Path, tmp_path: Path
) -> None:
    """Kubernetes mounts a ConfigMap as symbolic links into a folder that it replaces atomically."""
    data = tmp_path / "..2026_01_01"
    shutil.copytree(signed_folder / state.lower() / "packs", data)
    (tmp_path / "..data").symlink_to(data.name)
    for file in data.iterdir():
        (tmp_path / file.name).symlink_to(Path("..data") / file.name)
    assert find_law(state, tmp_path, keys=(KEY.public_key(),)).pack.sha256 == find_law(state).pack.sha256
