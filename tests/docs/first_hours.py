"""Follows a page of `docs/first-hours` on a real Kafka: what `test_examples.py` leaves out is run here, too.

The page is followed as its reader would: `sharing broker up` starts the broker and says its address, a gate is started
in the background and killed by its process id, and a load is stopped with Ctrl-C.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.docs.doc_files import Command, matches_output
from tests.docs.test_examples import NOT_RUN, TIMEOUT_S, PageRunner, make_command_line
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EXCLUDED = ("pip install ", "git clone ", "python3 -m venv ", ". .venv/")
"""What changes this Python environment, or needs the network."""

SHELL_PROGRAMS = {"sed", "grep", "head", "wc", "cat", "mv", "rm"}
WAITING_COMMANDS = {"asks", "items", "inbox", "quarantine", "doctor", "top", "subscribe"}
"""Commands whose output changes until a gate has worked: they are repeated until it is the one of the page."""

CTRL_C = re.compile(r"#.*Ctrl-C")
EVALUATED = re.compile(r'eval "\$\((sharing .*)\)"$')
RECEIPT = re.compile(r"--(?:receipt|resume) (\S+)")
BATCHES_BEFORE_CTRL_C = 2_000
"""Lines of the receipt before a load is stopped: at least one batch is confirmed, and not all."""


class HourRunner(PageRunner):
    """Executes one page. `bootstrap` is known once the page has started its broker."""

    def __init__(self, page: str, folder: Path, bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(page, folder, bootstrap, monkeypatch)
        self._namespace: dict[str, object] = {"__name__": "__main__"}

    def make_namespace(self) -> dict[str, object]:
        """Return the one namespace of the page: its reader has one session."""
        return self._namespace

    def run_command(self, command: Command) -> None:
        text = self.insert_addresses(command.text)
        if text.startswith(EXCLUDED):
            assert any(re.match(entry.pattern, text) for entry in NOT_RUN) or text.startswith(EXCLUDED[1:])
            return
        if found := EVALUATED.match(text):
            self._evaluate(command, found[1])
            return
        words = shlex.split(text, comments=True)
        if CTRL_C.search(text):
            self._interrupt(command, words)
        elif "&" in words:
            self._start_in_background(text, words)
        elif words[0] == "kill":
            self._kill(words)
        elif words[0] in SHELL_PROGRAMS or {"|", ">", "<", ">>"} & set(words):
            self._run_in_shell(command, text)
        else:
            super().run_command(command)

    def call_program(self, command: Command, words: list[str], environment: dict[str, str]) -> tuple[int, str]:
        code, printed = super().call_program(command, words, environment)
        if words[:3] == ["sharing", "broker", "up"] and (found := re.search(r"SHARING_BOOTSTRAP=(\S+)", printed)):
            shown = self.bootstrap or "127.0.0.1:9092"
            self.bootstrap = found[1]
            printed = printed.replace(self.bootstrap, shown)
        return code, printed

    def may_change(self, words: list[str]) -> bool:
        return words[0] == "curl" or (words[0] == "sharing" and words[1] in WAITING_COMMANDS)

    def is_excluded(self, text: str) -> bool:
        return False

    def _evaluate(self, command: Command, text: str) -> None:
        """Run a command, and take the settings that it prints."""
        code, printed = super().call_program(command, shlex.split(text), {})
        for line in printed.splitlines():
            if line.startswith("export "):
                name, _, value = shlex.split(line)[1].partition("=")
                self.set_variable(name, value)
        messages = "".join(f"{line}\n" for line in printed.splitlines() if not line.startswith("export "))
        self.compare(command, code, messages)

    def _interrupt(self, command: Command, words: list[str]) -> None:
        """Run a load, and stop it with Ctrl-C when a part of it is confirmed."""
        found = RECEIPT.search(command.text)
        assert found is not None, f"{command.location}: only a load with a receipt is stopped"
        receipt = self.folder / found[1]
        with subprocess.Popen(
            make_command_line(words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as run:
            wait_until(lambda: _count_lines(receipt) > BATCHES_BEFORE_CTRL_C or run.poll() is not None, "it sends")
            run.send_signal(signal.SIGINT)
            printed, _ = run.communicate(timeout=TIMEOUT_S)
        self.compare(command, run.returncode, printed)

    def _start_in_background(self, text: str, words: list[str]) -> None:
        """Start a gate with `… & echo $! > FILE`."""
        at = words.index("&")
        gate, rest = words[:at], words[at + 1 :]
        assert rest[:3] == ["echo", "$!", ">"], text
        environment = {}
        while "=" in gate[0]:
            name, _, value = gate.pop(0).partition("=")
            environment[name] = value
        started = self.start_gate(gate, environment)
        (self.folder / rest[3]).write_text(f"{started.pid}\n")

    def _kill(self, words: list[str]) -> None:
        """Kill a gate that the page has started: `kill -KILL $(cat FILE)`."""
        found = re.fullmatch(r"\$\(cat (\S+)\)", " ".join(words[2:]))
        assert found is not None, words
        pid = int((self.folder / found[1]).read_text())
        gate = next(gate for gate in self.gates if gate.pid == pid)
        gate.send_signal(signal.Signals[f"SIG{words[1].removeprefix('-')}"])
        gate.wait(TIMEOUT_S)
        self.gates.remove(gate)

    def _run_in_shell(self, command: Command, text: str) -> None:
        path = f"{_make_program(self.folder)}:{os.environ['PATH']}"
        completed = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {text}"], cwd=self.folder, capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False, env={**os.environ, "PATH": path},
        )  # fmt: skip
        self.compare(command, completed.returncode, completed.stdout + completed.stderr)

    def compare(self, command: Command, code: int, printed: str) -> None:
        """Fail unless exit code and output are those of the page."""
        assert code == command.exit_code, f"{command.location}: exit code {code}\n{printed}"
        assert matches_output(command.shown, printed), f"{command.location}: printed\n{printed}"


def _make_program(folder: Path) -> Path:
    """Return a folder with `sharing`, as this Python environment runs it."""
    bin_folder = folder / ".bin"
    bin_folder.mkdir(exist_ok=True)
    program = bin_folder / "sharing"
    if not program.exists():
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sharing "$@"\n')
        program.chmod(0o755)
    return bin_folder


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
