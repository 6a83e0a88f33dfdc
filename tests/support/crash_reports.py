"""Keeps the stacks of a worker process that crashes or hangs, so that the end of the run's output shows them."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_FOLDER = Path(__file__).parents[2] / "build" / "crashes"

_HANG_S = 1500
"""Seconds; longer than the timeout of any test, so that a timeout, which fails that test only, comes first."""

_files: list[IO[str]] = []
"""Keeps the file open, to which a crash is written."""


def record_crashes(worker: str) -> None:
    """Let a crash of this worker process write all its stacks to a file, instead of to standard error."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file = (_FOLDER / f"{os.getppid()}-{worker}.txt").open("w")  # its parent is the run
    _files.append(file)
    faulthandler.enable(file)


@contextmanager
def limit_test() -> Iterator[None]:
    """End this worker process if what is run in the block hangs where no signal reaches it, as in a C library."""
    if not _files:
        yield
        return
    faulthandler.dump_traceback_later(_HANG_S, exit=True, file=_files[0])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def read_crash_reports() -> dict[str, str]:
    """Return the stacks of the worker processes of this run that crashed, by worker, and delete the files."""
    reports = {}
    run = f"{os.getpid()}-"
    for path in sorted(_FOLDER.glob(f"{run}*.txt")):
        if report := path.read_text(errors="replace"):
            reports[path.stem.removeprefix(run)] = report
        with suppress(OSError):
            path.unlink()
    return reports
