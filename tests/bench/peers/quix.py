"""The environment of quixstreams, which pins an older confluent-kafka than this project."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement

QUIXSTREAMS = "3.28.1"
FOLDER = Path("build/bench/quix")

_STAMP = FOLDER / "installed.txt"

_EXCLUDED = frozenset({"confluent-kafka", "faust-streaming"})
"""Requirements of this project that are left out: quixstreams pins the first, and the job does not need the second."""

_OF_THE_GATE = ("pyarrow", "pyruhvro", "orjson", "pyyaml")
"""Packages of the extra `gate` that the functions of the gate import."""

_PINNED = frozenset({"fastavro", "phonenumbers", "python-stdnum", "uuid-utils"})


def is_installed() -> bool:
    """Return whether the environment is installed with the current requirements."""
    return _STAMP.exists() and _STAMP.read_text(encoding="ascii") == _render_requirements()


def make_environment() -> Path:
    """Return the Python of an environment with quixstreams and the requirements of the gate's functions.

    Raises:
        subprocess.CalledProcessError: A package could not be installed; pip has reported the reason.
    """
    python = FOLDER / "bin" / "python"
    if not is_installed():
        venv.create(FOLDER, clear=True, with_pip=True)
        requirements = FOLDER / "requirements.txt"
        requirements.write_text(_render_requirements(), encoding="ascii")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True, stdout=sys.stderr)
        requirements.rename(_STAMP)
    return python.absolute()


def get_variables() -> dict[str, str]:
    """Return the environment variables with which that Python imports this project's modules."""
    return {"PYTHONPATH": str(Path.cwd()), "PYTHONWARNINGS": "ignore"}


def _render_requirements() -> str:
    """Return the requirements of quixstreams and this project; those in `_PINNED` with the version installed here."""
    project_requirements = [Requirement(text) for text in requires("sharing-bus") or ()]
    needed = sorted((item for item in project_requirements if _is_needed(item)), key=str)
    lines = [f"{item.name}=={version(item.name)}" if item.name in _PINNED else str(item) for item in needed]
    lines += [f"{name}=={version(name)}" for name in _OF_THE_GATE]
    return "\n".join([f"quixstreams=={QUIXSTREAMS}", *lines]) + "\n"


def _is_needed(requirement: Requirement) -> bool:
    """Return whether the client of this project needs it, and the job too."""
    return requirement.marker is None and requirement.name not in _EXCLUDED
