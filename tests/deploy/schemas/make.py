"""Makes a schema file of this folder from the CustomResourceDefinition that its own project generates.

    python tests/deploy/schemas/make.py CRD.yaml …

Kept is what checks a resource: the schema of each version, without the descriptions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


def make(definition: dict[str, Any]) -> tuple[str, str]:
    """Return the name and the text of the schema file of a CustomResourceDefinition."""
    spec = definition["spec"]
    versions = {
        f"{spec['group']}/{version['name']}": strip(version["schema"]["openAPIV3Schema"])
        for version in spec["versions"]
    }
    text = json.dumps({"kind": spec["names"]["kind"], "versions": versions}, sort_keys=True, separators=(",", ":"))
    return f"{spec['names']['kind'].lower()}.json", text + "\n"


def strip(schema: Any) -> Any:
    """Return a schema without its descriptions; a property may have that name."""
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key != "description"}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = strip(kept[key])
    if "properties" in kept:
        kept["properties"] = {name: strip(value) for name, value in kept["properties"].items()}
    for key in ("anyOf", "allOf", "oneOf"):
        if key in kept:
            kept[key] = [strip(part) for part in kept[key]]
    return kept


if __name__ == "__main__":
    for given in sys.argv[1:]:
        name, text = make(yaml.safe_load(Path(given).read_text(encoding="utf-8")))
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(name)
