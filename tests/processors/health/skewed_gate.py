"""A worker whose clock is wrong by the days in a file: `python -m tests.processors.health.skewed_gate FILE`."""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path

from processors.health import http_endpoints
from processors.worker import composition

DAY_NS = 24 * 3_600 * 1_000_000_000


class SkewedTime:
    """The module `time`, with a clock that is wrong by the days in a file.

    Args:
        file: The file; a missing one means that the clock is right.
    """

    def __init__(self, file: Path) -> None:
        self.monotonic = time.monotonic
        self._file = file

    def time_ns(self) -> int:
        """Return the time of the wrong clock."""
        days = float(self._file.read_text()) if self._file.exists() else 0.0
        return time.time_ns() + int(days * DAY_NS)


if __name__ == "__main__":
    skewed_time = SkewedTime(Path(sys.argv.pop()))
    for module in (composition, http_endpoints):
        vars(module)["time"] = skewed_time  # the clocks of the batches and of the readiness check
    runpy.run_module("processors", run_name="__main__", alter_sys=True)
