"""A worker with a fault: its gate forgets one record of each batch. `python -m tests.monitoring.faulty_gate`."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from typing import Any

from processors.gate.gate import BatchResult, Gate
from processors.gate.input_records import InputRecords
from processors.worker import composition


class ForgetfulGate(Gate):
    """Drops the last record that it is given."""

    def process_parts(self, records: InputRecords, *arguments: Any) -> Iterator[BatchResult]:
        """Process all but the last record."""
        return super().process_parts(records.slice(0, len(records) - 1), *arguments)


if __name__ == "__main__":
    vars(composition)["Gate"] = ForgetfulGate  # inject the fault where the worker is composed
    runpy.run_module("processors", run_name="__main__", alter_sys=True)
