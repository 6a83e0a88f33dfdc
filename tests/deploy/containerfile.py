"""Executes the builder stage of `deploy/Containerfile` without a container engine.

COPY and RUN are executed unchanged, with the image's folders below a test folder, and with a new virtual environment
instead of the base image's Python. There is one shortcut: pinned packages are copied from the development environment,
where they were installed with the same hashes, instead of being downloaded again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution, version
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
IMAGE_FOLDERS = ("/opt/sharing", "/wheel", "/src", "/state")
INSTALL = re.compile(
    r"python -m pip (?:--python (?P<into>/opt/sharing)/bin/python )?install --no-compile --require-hashes "
    r"--only-binary :all: -r (?P<pins>\S+)"
)
"""Matches the steps that install pinned packages."""


class ContainerfileInstruction(NamedTuple):
    """One instruction of a Containerfile."""

    stage: int
    name: str
    arguments: str


def read_containerfile(text: str) -> list[ContainerfileInstruction]:
    """Return the instructions, with continued lines joined, each with the number of its stage."""
    lines = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    instructions: list[ContainerfileInstruction] = []
    stage = -1
    for line in filter(None, lines.splitlines()):
        name, _, arguments = line.partition(" ")
        stage += name == "FROM"
        instructions.append(ContainerfileInstruction(stage, name, arguments))
    return instructions


def read_pins(text: str) -> list[Requirement]:
    """Return the requirements of a requirements file with hashes."""
    return [Requirement(line) for line in re.findall(r"^([A-Za-z0-9][^\\\n#]*?)\s*\\?$", text, re.MULTILINE)]


def copy_package(name: str, environment: Path) -> None:
    """Copy the files of an installed package, as listed in its metadata, into another virtual environment."""
    (packages,) = environment.glob("lib/python*/site-packages")
    for file in distribution(name).files or []:
        if ".." not in file.parts and file.suffix != ".pyc":  # no scripts and no compiled files
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), packages / file)


class ImageBuilder:
    """Executes the builder stage.

    Args:
        folder: Folder for all output; it must not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._base = folder / "base"
        venv.create(self._base)
        copy_package("pip", self._base)
        self._arguments: dict[str, str] = {}
        self._environment: dict[str, str] = {}

    def local_path(self, path: str) -> Path:
        """Return the local path for a path in the image."""
        return self.folder / path.lstrip("/")

    def build(self) -> None:
        """Execute all instructions of the builder stage."""
        for stage, name, arguments in read_containerfile(CONTAINERFILE.read_text()):
            if stage != 0:
                continue
            if name == "ARG":
                key, _, value = arguments.partition("=")
                self._arguments[key] = value
            elif name == "ENV":
                self._environment |= dict(pair.split("=", 1) for pair in self._expand(arguments).split())
            elif name == "WORKDIR":
                self.local_path(arguments).mkdir(parents=True)
            elif name == "COPY":
                self._copy(arguments.split())
            elif name == "RUN" and (match := INSTALL.fullmatch(arguments)):
                self._install(ROOT / match["pins"], self.local_path(match["into"]) if match["into"] else self._base)
            elif name == "RUN":
                self.run(arguments)
            else:
                assert name == "FROM"

    def run(self, command: str) -> None:
        """Run a command of the image in its working folder.

        Raises:
            AssertionError: The command failed; the message contains its output.
        """
        for folder in IMAGE_FOLDERS:
            command = re.sub(rf"(?<![\w.]){folder}\b", str(self.local_path(folder)), command)
        # Use the machine's pip cache: installed packages are verified against their hashes anyway.
        environment = {key: value for key, value in self._environment.items() if key != "PIP_NO_CACHE_DIR"}
        path = f"{self._base / 'bin'}:{os.environ['PATH']}"
        completed = subprocess.run(  # noqa: S602 as a container engine runs it
            command,
            shell=True,
            check=False,
            cwd=self.local_path("/src"),
            env={**os.environ, **environment, "PATH": path},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert completed.returncode == 0, f"{command}\n{completed.stdout}\n{completed.stderr}"

    @staticmethod
    def _install(pins: Path, into: Path) -> None:
        for requirement in read_pins(pins.read_text()):
            if requirement.marker is None or requirement.marker.evaluate():
                assert requirement.specifier.contains(version(requirement.name), prereleases=True), requirement
                copy_package(requirement.name, into)

    def _expand(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda match: self._arguments[match[1]], text)

    def _copy(self, names: list[str]) -> None:
        *sources, target = names
        into = self.local_path("/src") / target
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, into)


if __name__ == "__main__":
    ImageBuilder(Path(sys.argv[1])).build()
