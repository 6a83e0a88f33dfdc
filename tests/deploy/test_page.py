"""The commands in `docs/deploy.md` name services, files and resources that exist."""

from __future__ import annotations

import re

from tests.deploy.deploy_files import ROOT, load_compose, of_kind

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def test_every_service_is_in_the_compose_file() -> None:
    named = re.findall(r"compose\.yaml run --rm (?:-T )?(\S+)", "\n".join(COMMANDS))
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
    projected = of_kind("StatefulSet", "ch")[0]["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    created = {name: set(re.findall(r"--from-file=(\S+)", line)) for line in COMMANDS
            for name in re.findall(r"create secret generic (\S+)", line)}  # fmt: skip
    assert created == {
        source["secret"]["name"]: {item["key"] for item in source["secret"]["items"]} for source in projected
    }
