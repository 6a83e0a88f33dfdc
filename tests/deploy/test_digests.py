"""Images are pinned by digests that an image registry reports, and a deployment without digests is found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sharing.tools.image_digests import find_unpinned_images
from sharing.tools.manifests.common import IMAGES
from tests.deploy.deploy_files import COMPOSE, DEPLOY, load_compose, load_manifests

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def fake_docker(tmp_path: Path) -> Path:
    """A program `docker` that writes its arguments to a file, and prints the text of another file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text('#!/bin/sh\necho "$*" >> "$0.calls"\ncat "$0.answer"\ntest ! -e "$0.fails"\n')
    program.chmod(0o755)
    (folder / "docker.answer").write_text(f"{DIGEST}\n")
    return program


def query_digests(fake_docker: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEPLOY / "digests.py"), str(target)],
        env={**os.environ, "PATH": f"{fake_docker.parent}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_the_digest_of_every_image_is_asked_for_and_written(fake_docker: Path, tmp_path: Path) -> None:
    target = tmp_path / ".env"
    completed = query_digests(fake_docker, target)
    assert completed.returncode == 0, completed.stderr
    assert dict(line.split("=", 1) for line in target.read_text().splitlines()) == dict.fromkeys(IMAGES, DIGEST)
    calls = fake_docker.with_name("docker.calls").read_text().splitlines()
    assert [call.split()[3] for call in calls] == list(IMAGES.values())
    again = query_digests(fake_docker, target)
    assert (again.returncode, "exists" in again.stderr) == (2, True)


@pytest.mark.parametrize("answer", ["", "sha256:0", "latest", f"{DIGEST} extra"])
def test_an_answer_that_is_not_a_digest_is_refused(fake_docker: Path, tmp_path: Path, answer: str) -> None:
    fake_docker.with_name("docker.answer").write_text(answer)
    completed = query_digests(fake_docker, tmp_path / ".env")
    assert completed.returncode == 3
    assert "is unknown" in completed.stderr
    assert not (tmp_path / ".env").exists()


def test_a_failure_of_docker_is_reported(fake_docker: Path, tmp_path: Path) -> None:
    fake_docker.with_name("docker.fails").touch()
    assert query_digests(fake_docker, tmp_path / ".env").returncode == 3


def test_the_compose_project_needs_exactly_the_digests_that_are_asked_for() -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"@\$\{(\w+):\?", text)) == set(IMAGES)


def test_images_without_a_digest_are_found() -> None:
    stack = yaml.safe_load(re.sub(r"\$\{\w+:\?[^}]*\}", DIGEST, (COMPOSE / "compose.yaml").read_text(encoding="utf-8")))
    assert find_unpinned_images([stack]) == []
    stack["services"]["kafka"]["image"] = "docker.io/apache/kafka:4.4.0"
    assert find_unpinned_images([stack]) == ["docker.io/apache/kafka:4.4.0"]
    assert len(find_unpinned_images([load_compose()])) == len(IMAGES)
    assert [image.partition(":")[0] for image in find_unpinned_images(load_manifests())] == ["sharing-bus"]
    assert find_unpinned_images([{"services": {"a": {"build": "."}}}]) == ["(build without the argument BASE)"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"spec: {{containers: [{{image: 'a@{DIGEST}'}}]}}\n", 0),
        (f"image: 'a@{DIGEST}'\n---\ninitContainers: [{{image: a}}]\n", 1),
        ("kind: Namespace\n", 2),
        ("", 2),
        ("a: [", 2),
    ],
)
def test_the_command_reads_manifests_from_standard_input(text: str, code: int) -> None:
    command = [sys.executable, "-m", "sharing.tools.image_digests"]
    done = subprocess.run(command, input=text, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stderr
