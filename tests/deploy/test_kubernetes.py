"""The manifests fit Kubernetes' own schemas, Strimzi's and the Prometheus operator's, and say what a gate needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from sharing.packs.library import find_law
from sharing.topology.topics import FOREVER
from tests.deploy.deploy_files import KUBERNETES, Manifest, check, custom_schemas, manifests, of_kind, partners

KUBERNETES_VERSION = "1.36"
ALL = manifests()
STATES = sorted(partners().states)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")
# What a broker of Strimzi's sets itself: `FORBIDDEN_PREFIXES` of its KafkaClusterSpec.
NOT_OURS = ("listener", "advertised.", "broker.", "ssl.", "sasl.", "security.", "authorizer.", "super.user", "node.id")


def title(manifest: Manifest) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


@pytest.mark.parametrize("manifest", ALL, ids=title)
def test_a_manifest_fits_its_schema(manifest: Manifest) -> None:
    schema = custom_schemas().get((manifest["apiVersion"], manifest["kind"]))
    if schema is not None:
        check(manifest, schema)
    else:
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)


def test_every_schema_of_ours_is_used() -> None:
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
def test_the_schemas_find_what_is_wrong(kind: str, path: list[Any], wrong: Any) -> None:
    broken = deepcopy(of_kind(kind)[0])
    place: Any = broken
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = wrong
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        test_a_manifest_fits_its_schema(broken)


@pytest.mark.parametrize("manifest", ALL, ids=title)
def test_a_name_is_one_that_kubernetes_takes(manifest: Manifest) -> None:
    name = manifest["metadata"]["name"]
    custom = (manifest["apiVersion"], manifest["kind"]) in custom_schemas()
    assert (SUBDOMAIN if custom else LABEL).fullmatch(name)
    assert len(name) <= 253
    for value in manifest["metadata"].get("labels", {}).values():
        assert len(value) <= 63


def test_the_longest_names_that_a_partners_file_allows_are_names_too() -> None:
    agency = "a" * 40
    assert len(f"agency.ch.{agency}") <= 63, "Strimzi makes a label of a user's name"
    assert SUBDOMAIN.fullmatch(f"national.ch.indicators.{agency}")


@pytest.mark.parametrize("folder", ["", "cluster", *[state.lower() for state in STATES]])
def test_a_kustomization_lists_each_file_beside_it(folder: str) -> None:
    here = KUBERNETES / folder
    kustomization = yaml.safe_load((here / "kustomization.yaml").read_text())
    beside = {path.name for path in here.glob("*.yaml")} | {
        path.parent.name for path in here.glob("*/kustomization.yaml")
    }
    assert set(kustomization["resources"]) == beside - {"kustomization.yaml"}
    for generated in kustomization.get("configMapGenerator", []):
        assert {here / file for file in generated["files"]} == set((here / "packs").iterdir())


def test_kustomize_builds_them() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: what it would do is checked file by file")
    done = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    packs = [one for one in built if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "law-packs"]
    assert len(built) == len(ALL) + len(packs)
    assert [one["metadata"]["namespace"] for one in packs] == [f"sharing-{state.lower()}" for state in STATES]
    assert all("namespace" in one["metadata"] for one in built if one["kind"] != "Namespace")


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pod(state: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("StatefulSet", state.lower())[0]["spec"]
    return spec["template"]["spec"]  # type: ignore[no-any-return]


def test_a_gate_keeps_its_place_in_the_group_when_it_comes_back(state: str) -> None:
    spec = of_kind("StatefulSet", state.lower())[0]["spec"]
    assert spec["replicas"] == partners().states[state].workers
    own = {"name": "SHARING_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert pod(state)["containers"][0]["env"] == [own]
    assert "SHARING_INSTANCE" not in of_kind("ConfigMap", state.lower())[0]["data"]


def test_a_gate_has_no_privileges(state: str) -> None:
    found = pod(state)
    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["runAsUser"] == 10001
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = found["containers"][0]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(found)
    assert not [volume for volume in found["volumes"] if "hostPath" in volume]


def test_every_file_that_the_settings_name_is_mounted(state: str) -> None:
    data = of_kind("ConfigMap", state.lower())[0]["data"]
    container = pod(state)["containers"][0]
    mounts = [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
    for name, value in data.items():
        if value.startswith("/"):
            assert [mount for mount in mounts if Path(value).is_relative_to(mount)], name
    volumes = {volume["name"] for volume in pod(state)["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    projected = next(volume for volume in pod(state)["volumes"] if volume["name"] == "tls")["projected"]
    files = {item["path"] for source in projected["sources"] for item in source["secret"]["items"]}
    assert files == {Path(data[name]).name for name in data if name.startswith("SHARING_TLS_")}


def test_the_gates_certificate_is_that_of_its_user(state: str) -> None:
    projected = next(volume for volume in pod(state)["volumes"] if volume["name"] == "tls")["projected"]
    users = {user["metadata"]["name"] for user in of_kind("KafkaUser")}
    assert projected["sources"][0]["secret"]["name"] == f"gate.{state.lower()}"
    assert projected["sources"][0]["secret"]["name"] in users


def test_a_gate_talks_to_kafka_and_names_and_answers_prometheus_only(state: str) -> None:
    deny, gate = of_kind("NetworkPolicy", state.lower())
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = of_kind("StatefulSet", state.lower())[0]["spec"]["template"]["metadata"]["labels"]
    assert gate["spec"]["podSelector"]["matchLabels"] == labels
    (answer,) = gate["spec"]["ingress"]
    assert [peer["namespaceSelector"]["matchLabels"] for peer in answer["from"]] == [
        {"kubernetes.io/metadata.name": "monitoring"}
    ]
    brokers, names = gate["spec"]["egress"]
    listener = of_kind("Kafka")[0]["spec"]["kafka"]["listeners"][0]
    assert [port["port"] for port in brokers["ports"]] == [listener["port"]]
    assert {port["port"] for port in names["ports"]} == {53}
    assert all(peer.get("podSelector") for rule in gate["spec"]["egress"] for peer in rule["to"])
    bootstrap = of_kind("ConfigMap", state.lower())[0]["data"]["SHARING_BOOTSTRAP"]
    assert bootstrap == f"sharing-kafka-bootstrap.sharing-kafka.svc:{listener['port']}"


def test_the_selectors_find_the_gates(state: str) -> None:
    labels = of_kind("StatefulSet", state.lower())[0]["spec"]["template"]["metadata"]["labels"]
    found = [
        of_kind("StatefulSet", state.lower())[0]["spec"]["selector"]["matchLabels"],
        of_kind("PodDisruptionBudget", state.lower())[0]["spec"]["selector"]["matchLabels"],
        of_kind("PodMonitor", state.lower())[0]["spec"]["selector"]["matchLabels"],
        of_kind("Service", state.lower())[0]["spec"]["selector"],
    ]
    assert found == [labels] * 4
    assert (
        of_kind("Service", state.lower())[0]["metadata"]["name"]
        == (of_kind("StatefulSet", state.lower())[0]["spec"]["serviceName"])
    )


def test_the_cluster_lets_in_only_the_states_with_their_certificates() -> None:
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
    assert not [key for key in spec["config"] if key.startswith(NOT_OURS)]


def test_the_cluster_has_the_brokers_that_its_topics_need() -> None:
    pools = {pool["metadata"]["name"]: pool["spec"] for pool in of_kind("KafkaNodePool")}
    assert pools["controllers"]["roles"] == ["controller"]
    assert pools["brokers"]["replicas"] >= max(topic["spec"]["replicas"] for topic in of_kind("KafkaTopic"))
    assert all(volume["deleteClaim"] is False for pool in pools.values() for volume in pool["storage"]["volumes"])
    names = {
        topic["metadata"]["labels"]["strimzi.io/cluster"] for topic in of_kind("KafkaTopic") + of_kind("KafkaUser")
    }
    assert names == {of_kind("Kafka")[0]["metadata"]["name"]}
    minutes = [topic for topic in of_kind("KafkaTopic") if topic["metadata"]["name"].endswith(".decisions")]
    assert {str(topic["spec"]["config"]["retention.ms"]) for topic in minutes} == {str(FOREVER)}


def test_a_config_map_is_a_folder_of_packs_that_a_gate_reads(state: str, tmp_path: Path) -> None:
    """Kubernetes mounts one as links into a folder that it replaces as a whole."""
    data = tmp_path / "..2026_01_01"
    shutil.copytree(KUBERNETES / state.lower() / "packs", data)
    (tmp_path / "..data").symlink_to(data.name)
    for file in data.iterdir():
        (tmp_path / file.name).symlink_to(Path("..data") / file.name)
    assert find_law(state, tmp_path).pack.sha256 == find_law(state).pack.sha256
