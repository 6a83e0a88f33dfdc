"""The commands in `docs/deploy.md` name services, files and resources that exist."""

from __future__ import annotations

import re
from typing import Any

from tests.deploy.deploy_files import ROOT, load_compose, of_kind

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def list_volumes() -> list[dict[str, Any]]:
    """Return the volumes of the pods of CH: of its gate and of its desk."""
    pods = [workload["spec"]["template"]["spec"] for workload in of_kind("StatefulSet", "ch")]
    return [volume for pod in pods for volume in pod["volumes"]]


def test_every_service_is_in_the_compose_file() -> None:
    named = re.findall(r'compose\.yaml run --rm (?:-T |-v "[^"]*" )?(\S+)', "\n".join(COMMANDS))
    assert named
    assert set(named) <= set(load_compose()["services"])


def test_every_file_exists() -> None:
    named = re.findall(r"(?<![\w/.])(?:deploy|requirements)/[\w./@-]+", "\n".join(COMMANDS))
    created_by_commands = {"deploy/compose/secrets", "deploy/compose/fetched", "deploy/compose/.env"}
    assert [path for path in named if path not in created_by_commands and not (ROOT / path).exists()] == []


def test_every_resource_is_in_the_manifests() -> None:
    text = "\n".join(COMMANDS)
    namespaces = set(re.findall(r"-n (sharing-\w+)", text))
    assert namespaces <= {manifest["metadata"]["name"] for manifest in of_kind("Namespace")}
    assert set(re.findall(r"wait kafka/(\w+)", text)) == {of_kind("Kafka")[0]["metadata"]["name"]}
    sources = [source for volume in list_volumes() for source in volume.get("projected", {}).get("sources", [volume])]
    mounted = [source["secret"] for source in sources if "secret" in source]
    needed = {
        secret.get("name") or secret["secretName"]: {item["key"] for item in secret["items"]} for secret in mounted
    }
    created = {name: set(re.findall(r"--from-file=([^\s=]+)", line)) for line in COMMANDS
            for name in re.findall(r"create secret generic (\S+)", line)}  # fmt: skip
    created |= {name: {"tls.crt", "tls.key"} for name in re.findall(r"create secret tls (\S+)", text)}
    assert created == needed


def test_every_config_map_that_a_pod_needs_is_created() -> None:
    made = {each["metadata"]["name"] for each in of_kind("ConfigMap", "ch")} | {"law-packs"}  # by kustomize
    made |= set(re.findall(r"create configmap (\S+)", "\n".join(COMMANDS)))
    assert {volume["configMap"]["name"] for volume in list_volumes() if "configMap" in volume} <= made
