"""Processes that can be killed, frozen and thawed, each with its log in a file, and surely gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
END_S = 60.0


def plain_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without settings of the bus; the checkout's modules can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), **more}


class Child:
    """One process, started again as often as needed; the log is continued.

    Args:
        name: In messages, and of the log.
        program: The command line.
        environment: All of its environment.
        folder: Of the log.

    Attributes:
        log: File with its standard output and error.
        process: The last one started.
        starts: How many were.
        frozen: Whether it is stopped by a signal.
        wanted: Whether it is to run: who ends it does not want it to.
    """

    def __init__(self, name: str, program: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.frozen = False
        self.wanted = False
        self._program = list(program)
        self._environment = dict(environment)

    def start(self) -> None:
        """Start it, again if need be."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                self._program,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self.starts += 1
        self.frozen = False
        self.wanted = True

    def code(self) -> int | None:
        """Return the code that it exited with, or None while it lives."""
        return None if self.process is None else self.process.poll()

    def alive(self) -> bool:
        """Return whether there is a process, frozen or not."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would, if it lives."""
        self.wanted = False
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)

    def ask_to_end(self) -> None:
        """Send SIGTERM, and do not wait."""
        self.wanted = False
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self.process is not None
        self.thaw()
        self.ask_to_end()
        return self.process.wait(END_S)

    def freeze(self) -> None:
        """Stop it where it is, if it lives."""
        if self.alive():
            assert self.process is not None
            self.process.send_signal(signal.SIGSTOP)
            self.frozen = True

    def thaw(self) -> None:
        """Let it go on, if it was frozen."""
        if self.frozen and self.alive():
            assert self.process is not None
            self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def text(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-4_000:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
