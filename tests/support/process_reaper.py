"""Ends every process that a test run has started, however the run ends: also after SIGKILL or a second Ctrl-C.

The run marks its environment, which all its descendants inherit, and starts this module as a separate process that
waits until the run has ended: then its standard input is closed. A process that a test has left behind would keep its
memory and its port, and slow down the next run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "TEST_RUN"

_ROOT = Path(__file__).parents[2]


def start_reaper() -> None:
    """Mark this process's environment, and start the reaper of its descendants; once for each test run."""
    if MARK in os.environ:
        return  # a worker of pytest-xdist, or a test run inside a test
    mark = str(uuid.uuid4())
    reaper = subprocess.Popen(
        [sys.executable, "-m", __name__, mark], stdin=subprocess.PIPE, start_new_session=True, cwd=_ROOT
    )
    _reapers.append(reaper)
    os.environ[MARK] = mark


_reapers: list[subprocess.Popen[bytes]] = []
"""Keeps the pipe open until this process ends."""


def end_processes(mark: str) -> None:
    """End all processes whose environment has this mark."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # one that ends meanwhile, or whose environment cannot be read
            if process.environ().get(MARK) == mark:
                process.kill()


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_processes(sys.argv[1])
