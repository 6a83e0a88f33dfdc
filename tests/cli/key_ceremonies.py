"""A State's keys for the tests of `sharing keys` and `sharing trust`: two of three root keys."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.conftest import Call, CommandResult

ROOT_PASSPHRASES = ("canary-root-one", "canary-root-two", "canary-root-three")
ONLINE_PASSPHRASE = "canary-online-passphrase"  # noqa: S105 a test's


@dataclass(frozen=True)
class KeyCeremony:
    """Runs `sharing keys` for one State, in a folder of its own."""

    call: Call
    folder: Path
    state: str = "CH"

    def prepare(self) -> None:
        self.folder.mkdir()
        for number, passphrase in enumerate(ROOT_PASSPHRASES, start=1):
            self.write_secret(f"root{number}.pass", passphrase)
        self.write_secret("online.pass", ONLINE_PASSPHRASE)

    def write_secret(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text + "\n")
        (self.folder / name).chmod(0o600)

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def init(self, *options: str) -> CommandResult:
        where = ("--state", self.state, "--folder", self.keys)
        threshold = () if "--threshold" in options else ("--threshold", "2")
        return self.call("keys", "init", *threshold, *where, *self.sign(1, 2, 3), *options)

    def sign(self, *numbers: int) -> list[str | Path]:
        """Return the options that sign with these root keys."""
        return [
            part
            for number in numbers
            for part in (
                "--root", self.folder / f"root{number}.key",
                "--root-passphrase-file", self.folder / f"root{number}.pass",
            )
        ]  # fmt: skip

    def run(self, command: str, *arguments: str | Path, signers: tuple[int, ...] = (1, 2)) -> CommandResult:
        """Run `sharing keys COMMAND` with this State's folder, signers and, where it has the option, passphrase."""
        options: list[str | Path] = ["--folder", self.keys]
        if signers:
            options += self.sign(*signers)
        needs_passphrase = {"issue", "rotate", "backup", "restore", "protect"}
        if command in needs_passphrase or (command == "readers" and arguments[0] != "list"):
            options += ["--passphrase-file", self.folder / "online.pass"]
        return self.call("keys", command, *arguments, *options)

    def show(self) -> Any:
        return self.run("show", "--json", signers=()).json_document

    def find_key(self, role: str) -> Any:
        """Return the newest listed key of a role, as `show` has it."""
        return [key for key in self.show()["keys"]["keys"] if key["role"] == role][-1]

    def list_files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def make_ceremony(call: Call, folder: Path, state: str = "CH") -> KeyCeremony:
    """Return a State that has its root, and no online keys yet."""
    ceremony = KeyCeremony(call, folder, state)
    ceremony.prepare()
    result = ceremony.init()
    assert result.code == 0, result
    return ceremony


KILLED_COMMAND = """
import os, signal, sys
from sharing.keystore import encryption, passphrase_change
from sharing.cli import main
encryption.SCRYPT_LOG_N = 10
step, remaining = sys.argv.pop(1), int(sys.argv.pop(1))
owner = os if hasattr(os, step) else passphrase_change
function = getattr(owner, step)

def run_or_die(*arguments, **options):
    global remaining
    if remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    remaining -= 1
    return function(*arguments, **options)

setattr(owner, step, run_or_die)
main()
"""


def run_killed(step: str, count: int, *arguments: str | Path) -> None:
    """Run `sharing keys` in a process that is killed in place of a step, after this has been taken so many times.

    Args:
        step: A function of `os`, such as `link`, which makes each new file appear; or of `passphrase_change`.
        count: How many times it is done.
        arguments: The command and its arguments.
    """
    program = [sys.executable, "-c", KILLED_COMMAND, step, str(count), "keys", *map(str, arguments)]
    killed = subprocess.run(program, check=False, timeout=120, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed
