"""A worker with a fault: its gate forgets one record of each batch. `python -m tests.monitoring.faulty_gate`."""

from __future__ import annotations

import runpy
from collections.abc import Iterable

from processors import composition
from processors.exactly_once.batch import ConsumedRecord
from processors.gate.gate import BatchResult, Gate
from sharing.model.directory import Directory


class ForgetfulGate(Gate):
    """Drops the last record that it is given."""

    def process_batch(self, messages: Iterable[ConsumedRecord], directory: Directory, now_ms: int) -> BatchResult:
        """Process all but the last record."""
        return super().process_batch(list(messages)[:-1], directory, now_ms)


if __name__ == "__main__":
    vars(composition)["Gate"] = ForgetfulGate  # inject the fault where the worker is composed
    runpy.run_module("processors", run_name="__main__", alter_sys=True)
