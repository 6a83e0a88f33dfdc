"""Errors of the command line: one message on standard error, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sharing.cli import COMMANDS
from sharing.cli.lazy_group import load_command
from sharing.errors import InfrastructureError, InputError
from tests.cli.conftest import Call
from tests.kafka.topic_io import SECONDS

ENTRY = [sys.executable, "-c", "from sharing.cli import main; main()"]


def run(*arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `sharing` in a separate process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    return subprocess.run(
        [*ENTRY, *arguments], capture_output=True, timeout=SECONDS, check=False, env={**inherited, **environment}
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
    result = call(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("publish", "--help"), ("law", "-h")])
def test_help_exits_with_0(call: Call, arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: ")


@pytest.mark.parametrize("group", [(), ("law",), ("directory",), ("topics",)])
def test_command_summaries_fit_80_columns(call: Call, group: tuple[str, ...]) -> None:
    summaries = call(*group, "--help").out.partition("Commands:")[2].splitlines()
    assert summaries
    assert not [line for line in summaries if line.endswith("...")]


def test_an_error_is_printed_as_one_message_with_its_notes(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        error = InfrastructureError("[red]the :key: broker[/red] is away\x1b[2J; retry")
        error.add_note("2 indicators are not confirmed: a, b")
        raise error

    monkeypatch.setattr("sharing.cli.app", fail)
    result = call()
    assert (result.code, result.out) == (3, "")
    assert result.err == (
        "error: [red]the :key: broker[/red] is away?[2J; retry\n2 indicators are not confirmed: a, b\n"
    )


def test_the_exit_code_depends_on_the_error_class(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, code in ((InputError("a"), 2), (InfrastructureError("b"), 3)):

        def fail(error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("sharing.cli.app", fail)
        assert call().code == code


def test_an_unexpected_error_shows_its_location_in_debug_mode_but_never_its_message(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret value")

    monkeypatch.setattr("sharing.cli.app", fail)
    result = call()
    assert result.code == 3
    assert "unexpected ZeroDivisionError; this is a bug" in result.error
    assert "secret value" not in result.err
    monkeypatch.setenv("SHARING_LOG_LEVEL", "debug")
    result = call()
    assert result.code == 3
    assert "ZeroDivisionError at __init__.py:" in result.error
    assert "secret value" not in result.err


def test_an_interrupt_exits_with_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sharing.cli.app", fail)
    result = call()
    assert (result.code, result.out, result.err) == (130, "", "")


def test_errors_of_a_separate_process() -> None:
    result = run("law", "explain", "nowhere.jsonl", "--state", "CH")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"error: nowhere.jsonl: cannot be read")
    assert result.stderr.count(b"\n") == 1
    result = run("topics", "apply", "--bootstrap", "127.0.0.1:1")
    assert (result.returncode, result.stdout) == (3, b"")
    assert b"no broker answers at 127.0.0.1:1" in result.stderr


def test_a_file_name_that_is_not_valid_unicode(empty_folder: Path) -> None:
    name = b"f\xff\x1b.jsonl"
    Path(os.fsdecode(name)).write_text('{"type": "domain-name", "value": "a.example.org"}\n')
    result = run("publish", name, "--state", "CH", "--agency", "x", "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["files"] == [os.fsdecode(name)]
    result = run("publish", b"g\xff", "--state", "CH", "--agency", "x", "--dry-run")
    assert result.returncode == 2
    assert result.stderr.startswith(b"error: g?: cannot be read")


def test_an_ascii_only_terminal() -> None:
    result = run("law", "list", PYTHONIOENCODING="ascii", COLUMNS="100")
    assert result.returncode == 0, result.stderr
    result = run("topics", "list", "--states", "CH", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_closed_pipe_is_not_an_error() -> None:
    command = " ".join(f"'{part}'" for part in [*ENTRY, "law", "show", "CH"])
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -c 1 > /dev/null"],
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("form", [(), ("--quiet",), ("--json",)])
def test_a_closed_pipe_does_not_hide_what_was_found(empty_folder: Path, form: tuple[str, ...]) -> None:
    """`sharing publish … | head` ends as it does without `head`: a line was refused."""
    (empty_folder / "items.jsonl").write_text('{"type": "domain-name"}\n')
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [*ENTRY, "publish", "items.jsonl", "--state", "CH", "--agency", "x", "--dry-run", *form]
        result = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
    assert result.returncode == 1
    assert b"bug" not in result.stderr
    assert b"Exception ignored" not in result.stderr


def test_the_gate_names_missing_settings(call: Call) -> None:
    result = call("gate", "--bootstrap", "127.0.0.1:1")
    assert result.code == 2
    assert "no State is configured: give --state CH, or set SHARING_STATE" in result.error
    assert call("gate", "--state", "CH").code == 2  # no broker is configured


def test_a_command_of_a_group_that_lacks_a_package_is_named_with_its_group(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sharing.cli.law.lint", None)
    result = call("law", "lint")
    assert result.code == 2
    assert result.error.startswith("`sharing law lint` needs the package sharing.cli.law.lint, which is not installed")


def test_an_interrupt_before_a_command_has_begun_says_that_nothing_was_done(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sys.modules["sharing.cli.lazy_group"], "import_module", interrupt)
    result = call("publish", "items.jsonl")
    assert (result.code, result.out) == (130, "")
    assert result.err == "interrupted before `sharing publish` started: nothing was done\n"


def test_an_interrupt_while_the_program_is_loaded_is_no_traceback() -> None:
    code = (
        "import builtins, os, signal, sys\nload = builtins.__import__\n"
        "def interrupt(name, *rest):\n    if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name, *rest)\n"
        "from sharing.__main__ import main\nbuiltins.__import__ = interrupt\nmain()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=SECONDS, check=False)
    assert (result.returncode, result.stdout) == (130, b"")
    assert result.stderr == b"interrupted before the command started: nothing was done\n"


def test_a_command_is_found_when_its_package_was_imported_without_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust replaces its own module in `sys.modules`, and the replacement has no `__spec__`."""
    monkeypatch.setitem(sys.modules, "faust", ModuleType("faust"))
    assert load_command("gate", COMMANDS["gate"]) is not None
