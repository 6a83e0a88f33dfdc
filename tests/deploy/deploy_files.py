"""What the tests of the deployment share: its files, its schemas, and tools that may be missing."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sharing.topology.partners import Partners, read_partners

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose"
KUBERNETES = DEPLOY / "kubernetes"
SYSTEMD = DEPLOY / "systemd"
SCHEMAS = Path(__file__).parent / "schemas"

Manifest = dict[str, Any]


def partners() -> Partners:
    """Return the partners of the committed deployment."""
    return read_partners(DEPLOY / "partners.yaml")


def composition() -> dict[str, Any]:
    """Return the composition of the trial."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return found


def manifests(*below: str) -> list[Manifest]:
    """Return every resource for Kubernetes, or those in one folder; not the lists that kustomize reads."""
    folder = KUBERNETES.joinpath(*below)
    files = sorted(path for path in folder.rglob("*.yaml") if path.name != "kustomization.yaml")
    files = [path for path in files if path.parent.name != "packs"]
    return [document for path in files for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def of_kind(kind: str, *below: str) -> list[Manifest]:
    """Return the resources of one kind."""
    return [manifest for manifest in manifests(*below) if manifest["kind"] == kind]


@cache
def custom_schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schemas of custom resources by API version and kind."""
    found = {}
    for path in SCHEMAS.glob("*.json"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        for version, schema in definition.get("versions", {}).items():
            found[version, definition["kind"]] = close(schema)
    return found


def close(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that refuses fields it does not know, as an API server that validates strictly does."""
    closed = dict(schema)
    if "properties" in closed:
        closed["properties"] = {
            name: part if name == "metadata" and part == {"type": "object"} else close(part)
            for name, part in closed["properties"].items()
        }
        if not closed.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(closed.get(key), dict):
            closed[key] = close(closed[key])
    return closed


def check(document: Any, schema: dict[str, Any]) -> None:
    """Check a document against a schema.

    Raises:
        jsonschema.ValidationError: It does not fit.
    """
    jsonschema.validators.validator_for(schema)(schema).validate(document)


def tool(name: str, package: str) -> str:
    """Return where a program is; without it the test skips, and with CI=true fails."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed (Debian: {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
