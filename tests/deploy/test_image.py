"""The image's build steps, without a container engine: wheel and packages work for a user without write access."""

from __future__ import annotations

import json
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

from sharing.tools.manifests.common import IMAGES, STATE_FOLDER, USER_ID
from tests.deploy.containerfile import (
    CONTAINERFILE,
    INSTALL,
    ROOT,
    ContainerfileInstruction,
    ImageBuilder,
    read_containerfile,
    read_pins,
)

STEPS = read_containerfile(CONTAINERFILE.read_text())


def list_steps(stage: int, name: str) -> list[ContainerfileInstruction]:
    return [step for step in STEPS if (step.stage, step.name) == (stage, name)]


@pytest.fixture(scope="module")
def built() -> Iterator[ImageBuilder]:
    # Not in pytest's folder, which only its owner can open.
    with tempfile.TemporaryDirectory(prefix="sharing-image-") as folder:
        Path(folder).chmod(0o755)
        builder = ImageBuilder(Path(folder) / "root")
        builder.build()
        yield builder


def run_as_image_user(builder: ImageBuilder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the image's entry point, as the image's user if the current user may switch users."""
    environment = dict(step.split("=", 1) for step in list_steps(1, "ENV")[0].arguments.split())
    path = environment["PATH"].replace("/opt/sharing", str(builder.local_path("/opt/sharing")))
    command = [str(builder.local_path("/opt/sharing/bin/sharing")), *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", *command]
    return subprocess.run(
        command, cwd="/", env={**environment, "PATH": path}, check=False, capture_output=True, text=True, timeout=240
    )


def test_the_program_runs_as_an_unprivileged_user(built: ImageBuilder) -> None:
    completed = run_as_image_user(built, "doctor", "--json")
    assert completed.returncode == 1, completed.stderr  # no broker is configured
    bad = re.findall(r'"check": ?"([^"]+)", ?"ok": ?false', completed.stdout)
    assert bad == ["broker"]


def test_the_image_contains_no_pip_no_build_tools_and_no_tests(built: ImageBuilder) -> None:
    packages = next(built.local_path("/opt/sharing/lib").glob("python*/site-packages"))
    assert not [name for name in ("pip", "hatchling", "pytest", "tests", "deploy") if (packages / name).exists()]
    assert (packages / "processors" / "app.py").is_file()


def test_the_wheel_is_reproducible(built: ImageBuilder) -> None:
    (first,) = built.local_path("/wheel").glob("*.whl")
    bytes_before = first.read_bytes()
    first.unlink()
    for file in built.local_path("/src").rglob("*.py"):
        os.utime(file)
    (step,) = [step for step in list_steps(0, "RUN") if "pip wheel" in step.arguments]
    built.run(step.arguments)
    assert first.read_bytes() == bytes_before
    assert all(entry.date_time[0] >= 2020 for entry in zipfile.ZipFile(first).infolist())


def test_the_install_steps_are_recognised() -> None:
    steps = [INSTALL.fullmatch(step.arguments) for step in list_steps(0, "RUN") if " -r " in step.arguments]
    assert [step and (step["into"], step["pins"]) for step in steps] == [
        ("/opt/sharing", "requirements/image.txt"),
        (None, "requirements/build.txt"),
    ]


def test_every_package_is_pinned_by_its_hash() -> None:
    for step in list_steps(0, "RUN"):
        if "pip" in step.arguments and " -r " in step.arguments:
            assert "--require-hashes" in step.arguments
        elif "install" in step.arguments:
            assert "--no-index" in step.arguments
        # The environment variable PIP_NO_COMPILE=1 would have the opposite effect.
        assert "pip" not in step.arguments or "install" not in step.arguments or "--no-compile" in step.arguments


def test_the_pins_equal_those_of_the_development_environment() -> None:
    """The hashes are equal too: the builder may copy the packages installed here, which were verified against them."""

    def read_hashed_pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / name).read_text()
        return {
            name: f"{version}{hashes}"
            for name, version, hashes in re.findall(
                r"^([A-Za-z0-9._-]+)==(\S+)[^\\\n]*\\((?:\n +--hash=\S+(?: \\)?)+)", text, re.MULTILINE
            )
        }

    developer = read_hashed_pins("dev.txt")
    for name in ("image.txt", "build.txt"):
        image_pins = read_hashed_pins(name)
        assert all("--hash=sha256:" in pin for pin in image_pins.values())
        assert {key for key, pin in image_pins.items() if developer.get(key) != pin} == set()


def test_every_dependency_is_pinned_for_the_image() -> None:
    """Includes the extra for a Schema Registry, which the trial uses."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["registry"]]
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / "image.txt").read_text(), re.MULTILINE))
    assert {Requirement(text).name for text in needed} - pinned == set()


def test_the_final_stage_is_small_and_does_not_run_as_root() -> None:
    assert list_steps(1, "RUN") == []
    assert [step.arguments for step in list_steps(1, "COPY")] == [
        "--from=builder /opt/sharing /opt/sharing",
        f"--from=builder --chown={USER_ID}:{USER_ID} /state {STATE_FOLDER}",
    ]
    assert [step.arguments for step in list_steps(1, "USER")] == [f"{USER_ID}:{USER_ID}"]
    assert [step.arguments for step in list_steps(1, "ENTRYPOINT")] == ['["sharing"]']
    assert len(list_steps(1, "HEALTHCHECK")) == 1


def test_nothing_is_built_without_a_base_image() -> None:
    (base,) = [step.arguments for step in STEPS if step.stage == -1 and step.name == "ARG"]
    assert base == "BASE"
    assert [step.arguments for step in STEPS if step.name == "FROM"] == ["${BASE} AS builder", "${BASE}"]


def test_the_base_image_is_pinned_to_a_supported_python() -> None:
    assert IMAGES["PYTHON_DIGEST"] in CONTAINERFILE.read_text()
    version = re.search(r"python:(\d+)\.(\d+)-slim-\w+$", IMAGES["PYTHON_DIGEST"])
    assert version is not None
    assert (int(version[1]), int(version[2])) >= sys.version_info[:2] or sys.version_info[:2] > (3, 13)


def test_only_copied_files_are_sent_to_the_build_engine() -> None:
    copied = {name for step in list_steps(0, "COPY") for name in step.arguments.split()[:-1]}
    allowed = {
        line[1:]
        for line in CONTAINERFILE.with_name("Containerfile.dockerignore").read_text().splitlines()
        if line[:1] == "!"
    }
    assert allowed == copied


def test_the_sbom_lists_every_package_of_the_image_with_its_licence(built: ImageBuilder, tmp_path: Path) -> None:
    """Runs the command of `make sbom` on the image's packages."""
    recipe = re.search(r"^\t\$\(BIN\)/(cyclonedx-py .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    sbom, python = tmp_path / "sbom.json", built.local_path("/opt/sharing/bin/python")
    arguments = (
        recipe[1].replace("dist/sharing-bus.cdx.json", str(sbom)).replace("build/release/bin/python", str(python))
    )
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), *arguments.split()[1:]]
    completed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert completed.returncode == 0, completed.stderr
    document = json.loads(sbom.read_text())
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "sharing-bus")
    listed = {component["name"].lower().replace("_", "-"): component for component in document["components"]}
    pins = read_pins((ROOT / "requirements" / "image.txt").read_text())
    needed = {pin.name.lower().replace("_", "-") for pin in pins if pin.marker is None or pin.marker.evaluate()}
    assert needed - set(listed) == set()
    # The metadata of pyruhvro names no licence, and that of the ANTLR runtime only "BSD": NOTICE says which.
    unnamed = {name for name in needed if not listed[name].get("licenses")}
    assert unnamed <= {"pyruhvro", "antlr4-python3-runtime"}
