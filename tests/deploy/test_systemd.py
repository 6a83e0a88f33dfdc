"""systemd accepts the units without warnings, and they are hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.deploy_files import SYSTEMD, require_tool

UNITS = ("sharing-gate@.service", "sharing-desk@.service", "sharing-subscriber@.service")
EXPOSURE_MAX = 20
"""Maximum exposure level, in tenths of systemd's scale, where 100 is a service without any hardening."""

NAMED = pytest.mark.parametrize("name", UNITS)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The part of a server's file system that systemd-analyze reads."""
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


def run_systemd_analyze(server: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [require_tool("systemd-analyze", "systemd"), f"--root={server}", "--man=no", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)


def to_instance_name(name: str) -> str:
    return name.replace("@", "@ch")


@NAMED
def test_systemd_accepts_the_unit(server: Path, name: str) -> None:
    completed = run_systemd_analyze(server, "verify", str(server / "etc/systemd/system" / to_instance_name(name)))
    assert completed.returncode == 0, completed.stderr
    assert name.split("@", maxsplit=1)[0] not in completed.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Restart=always", "Restart=evermore"),
        ("NoNewPrivileges=", "NoNewPrivilegs="),
        ("/opt/sharing/bin", "/opt/missing"),
    ],
)
def test_systemd_reports_errors(server: Path, right: str, wrong: str) -> None:
    path = server / "etc/systemd/system" / UNITS[0]
    path.write_text(path.read_text().replace(right, wrong))
    completed = run_systemd_analyze(server, "verify", str(path.with_name(to_instance_name(path.name))))
    assert wrong.partition("=")[2] in completed.stderr
    assert "sharing-gate" in completed.stderr


@NAMED
def test_the_unit_is_hardened(server: Path, name: str) -> None:
    completed = run_systemd_analyze(
        server, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", to_instance_name(name)
    )
    assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr


COMMON = {
    "Restart=always", "RestartSec=5s", "TimeoutStopSec=60s", "Type=exec",
    "Environment=SHARING_HOME=/tmp/sharing PYTHONUNBUFFERED=1",
    "Environment=SHARING_TLS_CA=%d/ca.pem SHARING_TLS_CERTIFICATE=%d/tls.pem SHARING_TLS_KEY=%d/tls.key",
    "LoadCredential=ca.pem:/etc/sharing/tls/ca.pem",
    "StateDirectoryMode=0700",
    "DynamicUser=yes", "UMask=0077", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=",
    "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "PrivateUsers=yes",
    "ProtectClock=yes", "ProtectControlGroups=yes", "ProtectHostname=yes", "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes", "ProtectKernelTunables=yes", "ProtectProc=invisible", "ProcSubset=pid",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes", "LockPersonality=yes", "RemoveIPC=yes", "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources", "SystemCallErrorNumber=EPERM",
}  # fmt: skip
NOTICES_FILE = '>> "$STATE_DIRECTORY/notices.jsonl"'
OWN = {
    "sharing-gate@.service": {
        "ExecStart=/opt/sharing/bin/sharing gate",
        "EnvironmentFile=/etc/sharing/gate-%i.env",
        "LoadCredential=tls.pem:/etc/sharing/tls/gate.%i.pem",
        "LoadCredential=tls.key:/etc/sharing/tls/gate.%i.key",
        "LoadCredential=law-office.pem:/etc/sharing/law-office.pem",
        "Environment=SHARING_PACKS=/etc/sharing/packs SHARING_PACK_KEY=%d/law-office.pem",
        "Environment=SHARING_STATE_FOLDER=%S/sharing-gate/%i",
        "StateDirectory=sharing-gate/%i",
        "OOMPolicy=stop", "MemoryHigh=768M", "MemoryMax=1G", "TasksMax=512", "LimitNOFILE=65536",
    },
    "sharing-desk@.service": {
        "ExecStart=/opt/sharing/bin/sharing desk",
        "EnvironmentFile=/etc/sharing/desk-%i.env",
        "LoadCredential=tls.pem:/etc/sharing/tls/console.%i.pem",
        "LoadCredential=tls.key:/etc/sharing/tls/console.%i.key",
        "LoadCredential=desk.pem:/etc/sharing/tls/desk.%i.pem",
        "LoadCredential=desk.key:/etc/sharing/tls/desk.%i.key",
        "LoadCredential=law-office.pem:/etc/sharing/law-office.pem",
        "Environment=SHARING_DESK_TLS_CERTIFICATE=%d/desk.pem SHARING_DESK_TLS_KEY=%d/desk.key",
        "Environment=SHARING_READER_KEY=%S/sharing-desk/%i/reader.key",
        "Environment=SHARING_READER_PASSPHRASE_FILE=%S/sharing-desk/%i/reader.pass",
        "Environment=SHARING_TRUST_FILE=/etc/sharing/trust.yaml",
        "Environment=SHARING_PACKS=/etc/sharing/packs SHARING_PACK_KEY=%d/law-office.pem",
        "Environment=SHARING_STATE_FOLDER=%S/sharing-desk/%i",
        "StateDirectory=sharing-desk/%i",
        "OOMPolicy=stop", "MemoryHigh=384M", "MemoryMax=512M", "TasksMax=256", "LimitNOFILE=16384",
    },
    "sharing-subscriber@.service": {
        f"ExecStart=/bin/sh -c 'exec /opt/sharing/bin/sharing subscribe %i --json {NOTICES_FILE}'",
        "EnvironmentFile=/etc/sharing/subscriber-%i.env",
        "LoadCredential=tls.pem:/etc/sharing/tls/partner.%i.pem",
        "LoadCredential=tls.key:/etc/sharing/tls/partner.%i.key",
        "StateDirectory=sharing-subscriber/%i",
        "MemoryMax=1G", "TasksMax=128",
    },
}  # fmt: skip


@NAMED
def test_the_service_has_exactly_the_intended_lines(name: str) -> None:
    """Systemd's exposure level hardly changes with a single line, so each of them is compared."""
    section = (SYSTEMD / name).read_text().split("[Service]")[1].split("[Install]")[0]
    lines = [line for line in section.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert set(lines) == COMMON | OWN[name]


@NAMED
def test_the_unit_restarts_within_limits_and_has_no_watchdog(name: str) -> None:
    text = (SYSTEMD / name).read_text()
    assert "Restart=always" in text
    assert re.search(r"^StartLimitBurst=\d+$", text, re.MULTILINE)
    assert not re.search(r"^WatchdogSec=", text, re.MULTILINE)


@NAMED
def test_units_and_settings_contain_no_secrets(name: str) -> None:
    texts = [(SYSTEMD / name).read_text(), *(path.read_text() for path in SYSTEMD.glob("*.env"))]
    assert not [text for text in texts if "PRIVATE" in text or "PASSWORD" in text]
    assert "LoadCredential=tls.key:/etc/sharing/tls/" in texts[0]


def test_notices_are_not_written_to_the_journal() -> None:
    text = (SYSTEMD / "sharing-subscriber@.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert '>> "$STATE_DIRECTORY/' in command
    assert "StateDirectoryMode=0700" in text
