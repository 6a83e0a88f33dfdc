"""Child processes that can be killed, frozen and resumed. Each has a log file and is killed on exit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
END_S = 180.0

_FAILED_ASSERTION = re.compile(r"rdkafka\w*\.[ch]:\d+: \w+: Assertion .* failed\.\s*\Z")


def make_child_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without the settings of the bus, and with the checkout on PYTHONPATH."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), **extra}


class ChildProcess:
    """A process that can be restarted; its log is appended.

    Args:
        name: Name in messages and of the log file.
        command: The command line.
        environment: The complete environment.
        folder: Folder of the log.

    Attributes:
        log: File with its standard output and error.
        process: The process that was started last.
        start_count: Number of starts.
        frozen: Whether it is stopped by SIGSTOP.
        should_run: Whether it should run; False after it was ended on purpose.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.start_count = 0
        self.frozen = False
        self.should_run = False
        self._command = list(command)
        self._environment = dict(environment)

    def start(self) -> None:
        """Start or restart the process."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self.start_count += 1
        self.frozen = False
        self.should_run = True

    def exit_code(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return None if self.process is None else self.process.poll()

    def is_alive(self) -> bool:
        """Return whether the process exists, frozen or not."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Send SIGKILL if it runs, and wait."""
        self.should_run = False
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)

    def terminate(self) -> None:
        """Send SIGTERM without waiting."""
        self.should_run = False
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit code."""
        assert self.process is not None
        self.resume()
        self.terminate()
        return self.process.wait(END_S)

    def freeze(self) -> None:
        """Send SIGSTOP if it runs."""
        if self.is_alive():
            assert self.process is not None
            self.process.send_signal(signal.SIGSTOP)
            self.frozen = True

    def resume(self) -> None:
        """Resume it if it was frozen."""
        if self.frozen and self.is_alive():
            assert self.process is not None
            self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def has_aborted_in_librdkafka(self) -> bool:
        """Return whether it ended because an assertion of librdkafka failed (2.16.0: `eonce->refcnt > 0`)."""
        return self.exit_code() == -signal.SIGABRT and _FAILED_ASSERTION.search(self.read_log_tail()) is not None

    def read_log_tail(self) -> str:
        """Return the last part of its log."""
        return self.log.read_text(errors="replace")[-4_000:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
