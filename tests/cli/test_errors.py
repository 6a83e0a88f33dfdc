"""Whatever goes wrong: one sentence on standard error, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sharing.errors import InfrastructureError, InputError
from tests.cli.conftest import Call
from tests.kafka.topic_io import SECONDS

ENTRY = [sys.executable, "-c", "from sharing.cli import main; main()"]


def run(*arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `sharing` as a process of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    return subprocess.run(
        [*ENTRY, *arguments], capture_output=True, timeout=SECONDS, check=False, env={**own, **environment}
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such-option",),
        ("no-such-command",),
        ("law",),
        ("law", "no-such-command"),
        ("law", "show"),
        ("settings", "--no-such-option"),
        ("topics", "list", "--partitions", "0"),
        ("topics", "list", "--partitions", "many"),
        ("demo", "--broker", "rabbit"),
        ("publish",),
        ("subscribe", "NL", "--no-such-option"),
        ("directory", "announce"),
    ],
)
def test_wrong_usage_exits_with_2(call: Call, arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("publish", "--help"), ("law", "-h")])
def test_help_exits_with_0(call: Call, arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: ")


@pytest.mark.parametrize("group", [(), ("law",), ("directory",), ("topics",)])
def test_no_summary_of_a_command_is_cut_on_80_columns(call: Call, group: tuple[str, ...]) -> None:
    summaries = call(*group, "--help").out.partition("Commands:")[2].splitlines()
    assert summaries
    assert not [line for line in summaries if line.endswith("...")]


def test_an_error_is_one_sentence_with_its_notes(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        error = InfrastructureError("[red]the :key: broker[/red] is away\x1b[2J; retry")
        error.add_note("2 indicators are not confirmed: a, b")
        raise error

    monkeypatch.setattr("sharing.cli.app", fail)
    done = call()
    assert (done.code, done.out) == (3, "")
    assert done.err == ("error: [red]the :key: broker[/red] is away?[2J; retry\n2 indicators are not confirmed: a, b\n")


def test_the_exit_code_is_the_family_s(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, code in ((InputError("a"), 2), (InfrastructureError("b"), 3)):

        def fail(error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("sharing.cli.app", fail)
        assert call().code == code


def test_a_defect_shows_where_it_is_when_asked_and_never_its_text(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret value")

    monkeypatch.setattr("sharing.cli.app", fail)
    done = call()
    assert done.code == 3
    assert "unexpected ZeroDivisionError; this is a bug" in done.error
    assert "secret value" not in done.err
    monkeypatch.setenv("SHARING_LOG_LEVEL", "debug")
    done = call()
    assert done.code == 3
    assert "ZeroDivisionError at __init__.py:" in done.error
    assert "secret value" not in done.err


def test_an_interrupt_exits_with_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sharing.cli.app", fail)
    done = call()
    assert (done.code, done.out, done.err) == (130, "", "")


def test_as_a_process() -> None:
    done = run("law", "explain", "nowhere.jsonl", "--state", "CH")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: nowhere.jsonl: cannot be read")
    assert done.stderr.count(b"\n") == 1
    done = run("topics", "apply", "--bootstrap", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"no broker answers at 127.0.0.1:1" in done.stderr


def test_a_name_that_is_no_unicode(clean: Path) -> None:
    name = b"f\xff\x1b.jsonl"
    Path(os.fsdecode(name)).write_text('{"type": "domain-name", "value": "a.example.org"}\n')
    done = run("publish", name, "--state", "CH", "--agency", "x", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == [os.fsdecode(name)]
    done = run("publish", b"g\xff", "--state", "CH", "--agency", "x", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: g?: cannot be read")


def test_a_terminal_that_knows_ascii_only() -> None:
    done = run("law", "list", PYTHONIOENCODING="ascii", COLUMNS="100")
    assert done.returncode == 0, done.stderr
    done = run("topics", "list", "--states", "CH", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_nobody_reads_is_no_failure() -> None:
    command = " ".join(f"'{part}'" for part in [*ENTRY, "law", "show", "CH"])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -c 1 > /dev/null"],
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_gate_says_what_it_lacks(call: Call) -> None:
    done = call("gate", "--bootstrap", "127.0.0.1:1")
    assert done.code == 2
    assert "whose gate? give --state CH, or set SHARING_STATE" in done.error
    assert call("gate", "--state", "CH").code == 2  # no broker is named
