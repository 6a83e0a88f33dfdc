"""Carries out the builder stage of `deploy/Containerfile` by hand, where there is no engine that builds images.

COPY and RUN are done as they stand, with the image's folders below a folder of the test's, and with a fresh virtual
environment in the place of the base image's Python. One thing is shorter: a package that is pinned by the hashes under
which it was installed here is copied from here, and not asked of an index again.
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
PLACES = ("/opt/sharing", "/wheel", "/src")
INSTALL = re.compile(
    r"python -m pip (?:--python (?P<into>/opt/sharing)/bin/python )?install --no-compile --require-hashes "
    r"--only-binary :all: -r (?P<pins>\S+)"
)
"""The steps that install what is pinned."""


class Instruction(NamedTuple):
    """One instruction of a Containerfile."""

    stage: int
    name: str
    arguments: str


def read_containerfile(text: str) -> list[Instruction]:
    """Return the instructions, with continued lines joined, and the number of the stage that each is of."""
    lines = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    found: list[Instruction] = []
    stage = -1
    for line in filter(None, lines.splitlines()):
        name, _, arguments = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, arguments))
    return found


def read_pins(text: str) -> list[Requirement]:
    """Return the requirements of a file with hashes."""
    return [Requirement(line) for line in re.findall(r"^([A-Za-z0-9][^\\\n#]*?)\s*\\?$", text, re.MULTILINE)]


def copy_package(name: str, environment: Path) -> None:
    """Copy an installed package into another virtual environment of this Python, as its list of files has it."""
    (packages,) = environment.glob("lib/python*/site-packages")
    for file in distribution(name).files or []:
        if ".." not in file.parts and file.suffix != ".pyc":  # no programs, and nothing compiled
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), packages / file)


class Builder:
    """What the builder stage has made.

    Args:
        folder: Where everything goes; it must not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._base = folder / "base"
        venv.create(self._base)
        copy_package("pip", self._base)
        self._arguments: dict[str, str] = {}
        self._environment: dict[str, str] = {}

    def place(self, path: str) -> Path:
        """Return where a path of the image is here."""
        return self.folder / path.lstrip("/")

    def build(self) -> None:
        """Carry out the builder stage."""
        for _, name, arguments in (one for one in read_containerfile(CONTAINERFILE.read_text()) if one.stage == 0):
            if name == "ARG":
                key, _, value = arguments.partition("=")
                self._arguments[key] = value
            elif name == "ENV":
                self._environment |= dict(pair.split("=", 1) for pair in self._expand(arguments).split())
            elif name == "WORKDIR":
                self.place(arguments).mkdir(parents=True)
            elif name == "COPY":
                self._copy(arguments.split())
            elif name == "RUN" and (found := INSTALL.fullmatch(arguments)):
                self._install(ROOT / found["pins"], self.place(found["into"]) if found["into"] else self._base)
            elif name == "RUN":
                self.run(arguments)
            else:
                assert name == "FROM"

    def run(self, command: str) -> None:
        """Run a command of the image in its working folder.

        Raises:
            AssertionError: It failed; the message has what it said.
        """
        for place in PLACES:
            command = re.sub(rf"(?<![\w.]){place}\b", str(self.place(place)), command)
        # The cache of pip is that of the machine: what is installed is checked against the hashes all the same.
        settings = {key: value for key, value in self._environment.items() if key != "PIP_NO_CACHE_DIR"}
        path = f"{self._base / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(  # noqa: S602 as an engine runs it
            command,
            shell=True,
            check=False,
            cwd=self.place("/src"),
            env={**os.environ, **settings, "PATH": path},
            capture_output=True,
            text=True,
            timeout=170,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    @staticmethod
    def _install(pins: Path, into: Path) -> None:
        for requirement in read_pins(pins.read_text()):
            if requirement.marker is None or requirement.marker.evaluate():
                assert requirement.specifier.contains(version(requirement.name), prereleases=True), requirement
                copy_package(requirement.name, into)

    def _expand(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: self._arguments[found[1]], text)

    def _copy(self, names: list[str]) -> None:
        *sources, target = names
        into = self.place("/src") / target
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, into)


if __name__ == "__main__":
    Builder(Path(sys.argv[1])).build()
