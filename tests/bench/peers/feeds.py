"""PyMISP and stix2, which read the same indicators from a MISP event and from a STIX bundle: in an own environment."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path("build/bench/feeds")
REQUIREMENTS: Final = ("pymisp==2.5.34.4", "stix2==3.0.2")

_STAMP: Final = FOLDER / "installed.txt"
_MISP_TYPES: Final = {
    "domain-name": "domain", "file-sha256": "sha256", "file-sha1": "sha1", "file-md5": "md5", "ipv4-addr": "ip-dst",
    "ipv6-addr": "ip-dst", "url": "url", "email-addr": "email-dst", "phone-number": "phone-number", "iban": "iban",
    "btc-address": "btc", "mutex": "mutex", "windows-registry-key": "regkey", "user-agent": "user-agent",
}  # fmt: skip
_STIX_PATHS: Final = {
    "domain-name": "domain-name:value", "url": "url:value", "ipv4-addr": "ipv4-addr:value",
    "ipv6-addr": "ipv6-addr:value", "email-addr": "email-addr:value", "mutex": "mutex:name",
    "file-sha256": "file:hashes.'SHA-256'", "file-sha1": "file:hashes.'SHA-1'", "file-md5": "file:hashes.MD5",
    "windows-registry-key": "windows-registry-key:key",
}  # fmt: skip
_SECONDS_MAX: Final = 900


def make_environment() -> Path:
    """Return the Python of an environment with PyMISP and stix2.

    Raises:
        subprocess.CalledProcessError: A package could not be installed; pip has reported the reason.
    """
    python = FOLDER / "bin" / "python"
    wanted = "\n".join(REQUIREMENTS)
    if not _STAMP.exists() or _STAMP.read_text(encoding="ascii") != wanted:
        venv.create(FOLDER, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS], check=True, stdout=sys.stderr)
        _STAMP.write_text(wanted, encoding="ascii")
    return python.absolute()


def measure_parsing(python: Path, name: str, file: Path) -> float:
    """Return the seconds of processor time in which a library reads a file.

    Args:
        python: The Python of the environment.
        name: `pymisp` or `stix2`.
        file: The file.
    """
    job = Path(__file__).with_name("feeds_job.py")
    answer = subprocess.run(
        [str(python), str(job), name, str(file)], check=True, capture_output=True, timeout=_SECONDS_MAX
    )
    return float(answer.stdout)


def write_misp_event(lines: Iterator[str], file: Path) -> None:
    """Write the items of lines as the attributes of one MISP event."""
    attributes = [
        {
            "type": _MISP_TYPES.get(item["type"], "text"), "category": "Network activity", "to_ids": True,
            "uuid": str(uuid.uuid4()), "value": item["value"], "comment": item.get("summary", ""),
            "timestamp": "1772366400",
        }
        for item in map(json.loads, lines)
    ]  # fmt: skip
    event = {"uuid": str(uuid.uuid4()), "info": "An export", "date": "2026-03-01", "Attribute": attributes}
    file.write_text(json.dumps({"Event": event}), encoding="utf-8")


def write_stix_bundle(lines: Iterator[str], file: Path) -> None:
    """Write the items of lines as the indicators of one STIX 2.1 bundle."""
    objects = [_make_stix_indicator(item) for item in map(json.loads, lines)]
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": objects}
    file.write_text(json.dumps(bundle), encoding="utf-8")


def _make_stix_indicator(item: dict[str, Any]) -> dict[str, Any]:
    path = _STIX_PATHS.get(item["type"], "artifact:payload_bin")
    value = item["value"].replace("\\", "\\\\").replace("'", "\\'")
    seen = item["observed_at"]
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": seen,
        "modified": seen, "valid_from": seen, "name": item.get("summary", item["type"]), "pattern_type": "stix",
        "pattern": f"[{path} = '{value}']",
    }  # fmt: skip
