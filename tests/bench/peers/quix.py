"""An environment for quixstreams: it pins a confluent-kafka older than this project's."""

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

_NOT_THERE = frozenset({"confluent-kafka", "faust-streaming"})
"""Of this project's own requirements: the one brings its own version, and nothing in the job needs the other."""

_SAME = frozenset({"fastavro", "phonenumbers", "python-stdnum", "uuid-utils"})


def is_made() -> bool:
    """Return whether the environment is there as it is wanted."""
    return _STAMP.exists() and _STAMP.read_text(encoding="ascii") == _wanted()


def make_environment() -> Path:
    """Return the Python of an environment with quixstreams and, what the gate's functions need.

    Raises:
        subprocess.CalledProcessError: A package cannot be had; pip has said why.
    """
    python = FOLDER / "bin" / "python"
    if not is_made():
        venv.create(FOLDER, clear=True, with_pip=True)
        requirements = FOLDER / "requirements.txt"
        requirements.write_text(_wanted(), encoding="ascii")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True, stdout=sys.stderr)
        requirements.rename(_STAMP)
    return python.absolute()


def environment() -> dict[str, str]:
    """Return the variables under which that Python finds this project: the same functions, not a copy."""
    return {"PYTHONPATH": str(Path.cwd()), "PYTHONWARNINGS": "ignore"}


def _wanted() -> str:
    """Return the requirements: quixstreams, and this project's own; what works on each record as it runs here."""
    own = [Requirement(text) for text in requires("sharing-bus") or ()]
    needed = sorted((each for each in own if each.marker is None and each.name not in _NOT_THERE), key=str)
    lines = [f"{each.name}=={version(each.name)}" if each.name in _SAME else str(each) for each in needed]
    return "\n".join([f"quixstreams=={QUIXSTREAMS}", *lines]) + "\n"
