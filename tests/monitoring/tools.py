"""Finds the programs of Prometheus and Alertmanager: on the path, or unpacked from Debian's packages in `build/`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "build" / "system" / "usr" / "bin"
TIMEOUT_S = 200.0


def find_tool(name: str) -> str:
    """Return the path of a program such as `promtool`.

    If the program is missing, the test is skipped; with CI=true it fails.
    """
    path = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    if path is None:
        reason = f"{name} is not installed: `make system-packages` unpacks it into build/, from Debian's packages"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def run_tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program and wait until it exits."""
    return subprocess.run(
        [find_tool(name), *map(str, arguments)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
