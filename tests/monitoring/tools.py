"""Prometheus' and Alertmanager's programs: those on the path, else those of Debian's packages in `build/`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "build" / "system" / "usr" / "bin"
PATIENCE_S = 200.0


def find_tool(name: str) -> str:
    """Return the path of one of the programs, such as `promtool`.

    Where there is none the test is skipped; with CI=true it fails.
    """
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    if found is None:
        reason = f"{name} is not there: `make system-packages` puts it into build/, from Debian's packages"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run_tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end."""
    return subprocess.run(
        [find_tool(name), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
