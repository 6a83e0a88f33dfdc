"""Each wrong input ends with the right exit code and one message that names it, and shows no value of an item."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.cli.test_errors import ENTRY
from tests.cli.wrong_inputs import VALUE, WRONG, Wrong, write_wrong_files
from tests.support.waiting import TIMEOUT_S


@pytest.fixture
def wrong_files(tmp_path: Path) -> Path:
    """A folder of wrong files."""
    folder = tmp_path / "wrong-files"
    folder.mkdir()
    write_wrong_files(folder)
    return folder


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: ascii(wrong.command)[1:90])
@pytest.mark.usefixtures("short_connect_timeout")
def test_a_wrong_input_is_named(call: Call, wrong_files: Path, wrong: Wrong) -> None:
    before = {path.name for path in wrong_files.iterdir()}
    result = call(*shlex.split(wrong.command.replace("BAD/", f"{wrong_files}/")))
    told = result.err + result.out
    assert result.code == wrong.code, result
    assert "Traceback" not in told
    assert "this is a bug" not in told
    assert VALUE not in told
    assert [name for name in wrong.named if name not in told] == []
    if wrong.code != 1:
        assert result.out == ""
        assert len([line for line in result.err.splitlines() if line.startswith(("error: ", "Error: "))]) == 1
    assert {path.name for path in wrong_files.iterdir()} == before


PUBLISH = "sharing publish {} --state CH --agency fedpol --dry-run --quiet"


@pytest.mark.parametrize(
    ("line", "code", "named"),
    [
        (f"head -c 60 item | {PUBLISH.format('-')}", 2, "-: is not valid JSON (Unterminated string"),
        (f"cat item cut | {PUBLISH.format('-')}", 1, "2 read, 1 would be published, 1 not published"),
        (f"{PUBLISH.format('-')} < /dev/null", 2, "-: is neither a file nor a pipe"),
        (f"{PUBLISH.format('-')} <&-", 2, "-: is empty"),
        (f"mkfifo pipe; (cat item cut > pipe &); {PUBLISH.format('pipe')}", 1, "2 read, 1 would be published"),
        (f"{PUBLISH.format('item')} > /dev/full", 3, "cannot be written (No space left on device)"),
        ("sharing topics list --states CH > /dev/full", 3, "cannot be written (No space left on device)"),
        ("sharing settings --json > /dev/full", 3, "cannot be written (No space left on device)"),
        ("sharing topics list --states CH >&-", 2, "standard output is closed"),
        ("sharing topics list --states ZZ 2>&-", 2, ""),
        ("env -u HOME sharing broker status", 1, "not running"),
        ("LC_ALL=C LANG=C sharing topics list --states CH", 0, "national.ch.decisions"),
        ("COLUMNS=20 sharing topics list --states ZZ", 2, "--states ZZ: must be an ISO 3166-1 alpha-2 country code"),
        ("SHARING_PARTITIONS=many sharing topics list", 2, "SHARING_PARTITIONS"),
        ("SHARING_STATE=Switzerland sharing asks list", 2, "SHARING_STATE"),
        ("SHARING_BOOTSTRAP=nonsense:x sharing directory show", 2, "SHARING_BOOTSTRAP"),
        ("SHARING_STAET=CH sharing settings", 2, "unknown setting SHARING_STAET; did you mean 'SHARING_STATE'?"),
        ("SHARING_CONFIG=none sharing settings", 2, "SHARING_CONFIG names none, which is not a file"),
        ("SHARING_CONFIG=binary sharing settings", 2, "binary cannot be read"),
        ("SHARING_TLS_CA=none sharing directory show --bootstrap 127.0.0.1:1", 2, "SHARING_TLS_CA"),
        (f"SHARING_ID_SECRET_FILE=empty {PUBLISH.format('item')}", 2, "SHARING_ID_SECRET_FILE"),
        ("sharing law explain item --state CH --directory /dev/zero", 2, "zero: has more than 16,000,000 bytes"),
    ],
)
def test_wrong_streams_and_settings_are_named(wrong_files: Path, line: str, code: int, named: str) -> None:
    program = wrong_files / "sharing"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(ENTRY)} "$@"\n')
    program.chmod(0o755)
    run = subprocess.run(
        ["bash", "-c", line], cwd=wrong_files, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        env={**os.environ, "PATH": f"{wrong_files}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert run.returncode == code, run
    assert named in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert "this is a bug" not in run.stderr
    assert VALUE not in run.stderr
