"""Shared by the deployment tests: the deployment files, their schemas, and external tools that may be missing."""

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


def load_partners() -> Partners:
    """Return the partners of the committed deployment."""
    return read_partners(DEPLOY / "partners.yaml")


def load_compose() -> dict[str, Any]:
    """Return the Compose file of the trial."""
    document: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return document


def load_manifests(*below: str) -> list[Manifest]:
    """Return all Kubernetes resources, or those in one folder, without kustomization files."""
    folder = KUBERNETES.joinpath(*below)
    files = sorted(path for path in folder.rglob("*.yaml") if path.name != "kustomization.yaml")
    files = [path for path in files if path.parent.name != "packs"]
    return [document for path in files for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def of_kind(kind: str, *below: str) -> list[Manifest]:
    """Return the resources of one kind."""
    return [manifest for manifest in load_manifests(*below) if manifest["kind"] == kind]


def of_workload(workload: str, kind: str, state: str) -> list[Manifest]:
    """Return the resources of one kind that belong to a State's `gate` or `desk`."""
    labelled = (each for each in of_kind(kind, state.lower()) if "labels" in each["metadata"])
    return [each for each in labelled if each["metadata"]["labels"].get("app.kubernetes.io/name") == workload]


@cache
def custom_schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schemas of custom resources by API version and kind."""
    schemas = {}
    for path in SCHEMAS.glob("*.json"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        for version, schema in definition.get("versions", {}).items():
            schemas[version, definition["kind"]] = forbid_unknown_fields(schema)
    return schemas


def forbid_unknown_fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that rejects unknown fields, as an API server with strict validation does."""
    strict = dict(schema)
    if "properties" in strict:
        strict["properties"] = {
            name: part if name == "metadata" and part == {"type": "object"} else forbid_unknown_fields(part)
            for name, part in strict["properties"].items()
        }
        if not strict.get("x-kubernetes-preserve-unknown-fields"):
            strict.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(strict.get(key), dict):
            strict[key] = forbid_unknown_fields(strict[key])
    return strict


def validate_document(document: Any, schema: dict[str, Any]) -> None:
    """Validate a document against a schema.

    Raises:
        jsonschema.ValidationError: The document does not match the schema.
    """
    jsonschema.validators.validator_for(schema)(schema).validate(document)


def require_tool(name: str, package: str) -> str:
    """Return the path of a program. If it is missing, the test is skipped; with CI=true it fails."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed (Debian: {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
