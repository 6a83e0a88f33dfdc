"""systemd reads the units without complaint, and gives them little."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.deploy_files import SYSTEMD, tool

UNITS = ("sharing-gate@.service", "sharing-subscriber@.service")
EXPOSURE_MAX = 20
"""In tenths, of systemd's own measure, where 100 is a service that is shut in by nothing."""

NAMED = pytest.mark.parametrize("name", UNITS)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A server's file system, as far as systemd looks at it."""
    for program in ("opt/sharing/bin/sharing", "bin/sh"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    for name in UNITS:
        shutil.copy(SYSTEMD / name, tmp_path / "etc/systemd/system")
    return tmp_path


def analyze(server: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool("systemd-analyze", "systemd"), f"--root={server}", "--man=no", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def instance(name: str) -> str:
    return name.replace("@", "@ch")


@NAMED
def test_systemd_reads_the_unit_without_complaint(server: Path, name: str) -> None:
    done = analyze(server, "verify", str(server / "etc/systemd/system" / instance(name)))
    assert done.returncode == 0, done.stderr
    assert name.split("@", maxsplit=1)[0] not in done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Restart=always", "Restart=evermore"),
        ("NoNewPrivileges=", "NoNewPrivilegs="),
        ("/opt/sharing/bin", "/opt/missing"),
    ],
)
def test_systemd_would_find_what_is_wrong(server: Path, right: str, wrong: str) -> None:
    path = server / "etc/systemd/system" / UNITS[0]
    path.write_text(path.read_text().replace(right, wrong))
    done = analyze(server, "verify", str(path.with_name(instance(path.name))))
    assert wrong.partition("=")[2] in done.stderr
    assert "sharing-gate" in done.stderr


@NAMED
def test_the_unit_is_shut_in(server: Path, name: str) -> None:
    done = analyze(server, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", instance(name))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@NAMED
def test_the_unit_comes_back_within_limits_and_claims_no_watchdog(name: str) -> None:
    text = (SYSTEMD / name).read_text()
    assert "Restart=always" in text
    assert re.search(r"^StartLimitBurst=\d+$", text, re.MULTILINE)
    assert not re.search(r"^WatchdogSec=", text, re.MULTILINE)


@NAMED
def test_nothing_secret_stands_in_the_unit_or_the_settings(name: str) -> None:
    texts = [(SYSTEMD / name).read_text(), *(path.read_text() for path in SYSTEMD.glob("*.env"))]
    assert not [text for text in texts if "PRIVATE" in text or "PASSWORD" in text]
    assert "LoadCredential=tls.key:/etc/sharing/tls/" in texts[0]


def test_what_content_there_is_stays_out_of_the_journal() -> None:
    text = (SYSTEMD / "sharing-subscriber@.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert '>> "$STATE_DIRECTORY/' in command
    assert "StateDirectoryMode=0700" in text
