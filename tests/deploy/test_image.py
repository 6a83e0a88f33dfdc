"""The image's steps, carried out by hand: the wheel and its pinned packages work for a user who may write nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sharing.tools.manifests.common import USER_ID
from tests.deploy.containerfile import CONTAINERFILE, INSTALL, ROOT, Builder, Instruction, read_containerfile

STEPS = read_containerfile(CONTAINERFILE.read_text())


def of_stage(stage: int, name: str) -> list[Instruction]:
    return [step for step in STEPS if (step.stage, step.name) == (stage, name)]


@pytest.fixture(scope="module")
def built() -> Iterator[Builder]:
    # Not in pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="sharing-image-") as folder:
        Path(folder).chmod(0o755)
        builder = Builder(Path(folder) / "root")
        builder.build()
        yield builder


def run_as_nobody(builder: Builder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the image's entry point as its user, where this one may become another."""
    environment = dict(step.split("=", 1) for step in of_stage(1, "ENV")[0].arguments.split())
    path = environment["PATH"].replace("/opt/sharing", str(builder.place("/opt/sharing")))
    command = [str(builder.place("/opt/sharing/bin/sharing")), *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", *command]
    return subprocess.run(
        command, cwd="/", env={**environment, "PATH": path}, check=False, capture_output=True, text=True, timeout=60
    )


def test_the_program_runs_as_a_user_without_rights(built: Builder) -> None:
    done = run_as_nobody(built, "doctor", "--json")
    assert done.returncode == 1, done.stderr  # no broker is named
    bad = re.findall(r'"check": ?"([^"]+)", ?"ok": ?false', done.stdout)
    assert bad == ["broker"]


def test_the_image_holds_no_pip_no_builder_and_none_of_our_tests(built: Builder) -> None:
    packages = next(built.place("/opt/sharing/lib").glob("python*/site-packages"))
    assert not [name for name in ("pip", "hatchling", "pytest", "tests", "deploy") if (packages / name).exists()]
    assert (packages / "processors" / "app.py").is_file()


def test_the_same_sources_give_the_same_wheel(built: Builder) -> None:
    (first,) = built.place("/wheel").glob("*.whl")
    bytes_before = first.read_bytes()
    first.unlink()
    for file in built.place("/src").rglob("*.py"):
        os.utime(file)
    (step,) = [step for step in of_stage(0, "RUN") if "pip wheel" in step.arguments]
    built.run(step.arguments)
    assert first.read_bytes() == bytes_before
    assert all(one.date_time[0] >= 2020 for one in zipfile.ZipFile(first).infolist())


def test_the_steps_that_install_are_known_as_such() -> None:
    steps = [INSTALL.fullmatch(step.arguments) for step in of_stage(0, "RUN") if " -r " in step.arguments]
    assert [step and (step["into"], step["pins"]) for step in steps] == [
        ("/opt/sharing", "requirements/image.txt"),
        (None, "requirements/build.txt"),
    ]


def test_every_package_is_pinned_by_its_hash() -> None:
    for step in of_stage(0, "RUN"):
        if "pip" in step.arguments and " -r " in step.arguments:
            assert "--require-hashes" in step.arguments
        elif "install" in step.arguments:
            assert "--no-index" in step.arguments
        # As a variable, PIP_NO_COMPILE=1 would ask for what it names.
        assert "pip" not in step.arguments or "install" not in step.arguments or "--no-compile" in step.arguments


def test_the_pins_are_those_of_a_developer() -> None:
    """With their hashes: what is installed here was checked against the same, and so may stand for it above."""

    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / name).read_text()
        return {
            name: f"{version}{hashes}"
            for name, version, hashes in re.findall(
                r"^([A-Za-z0-9._-]+)==(\S+)[^\\\n]*\\((?:\n +--hash=\S+(?: \\)?)+)", text, re.MULTILINE
            )
        }

    developer = pins("dev.txt")
    for name in ("image.txt", "build.txt"):
        found = pins(name)
        assert all("--hash=sha256:" in pin for pin in found.values())
        assert {key for key, pin in found.items() if developer.get(key) != pin} == set()


def test_what_the_project_needs_is_pinned_for_the_image() -> None:
    """Also for a Schema Registry, since the trial has one."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["registry"]]
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / "image.txt").read_text(), re.MULTILINE))
    assert {Requirement(text).name for text in needed} - pinned == set()


def test_the_last_stage_is_small_and_not_roots() -> None:
    assert of_stage(1, "RUN") == []
    assert [step.arguments for step in of_stage(1, "COPY")] == ["--from=builder /opt/sharing /opt/sharing"]
    assert [step.arguments for step in of_stage(1, "USER")] == [f"{USER_ID}:{USER_ID}"]
    assert [step.arguments for step in of_stage(1, "ENTRYPOINT")] == ['["sharing"]']
    assert len(of_stage(1, "HEALTHCHECK")) == 1


def test_the_base_is_pinned_and_takes_the_python_of_the_project() -> None:
    (base,) = [step.arguments for step in STEPS if step.stage == -1 and step.name == "ARG"]
    version = re.search(r"python:(\d+)\.(\d+)-slim-\w+$", base)
    assert version is not None
    assert (int(version[1]), int(version[2])) >= sys.version_info[:2] or sys.version_info[:2] > (3, 13)


def test_only_what_is_copied_is_sent_to_the_engine() -> None:
    copied = {name for step in of_stage(0, "COPY") for name in step.arguments.split()[:-1]}
    allowed = {
        line[1:]
        for line in CONTAINERFILE.with_name("Containerfile.dockerignore").read_text().splitlines()
        if line[:1] == "!"
    }
    assert allowed == copied
