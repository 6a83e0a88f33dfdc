"""A gate with a defect: it forgets one record of each batch. `python -m tests.monitoring.broken_worker`."""

from __future__ import annotations

import runpy
from collections.abc import Iterable

from processors import composition
from processors.gate.gate import Gate, Processed
from processors.lane.batch import Record
from sharing.model.directory import Directory


class ForgetfulGate(Gate):
    """Drops the last record that it is given."""

    def process(self, messages: Iterable[Record], directory: Directory, now_ms: int) -> Processed:
        """Process all but the last record."""
        return super().process(list(messages)[:-1], directory, now_ms)


if __name__ == "__main__":
    vars(composition)["Gate"] = ForgetfulGate  # the defect is injected where the worker is put together
    runpy.run_module("processors", run_name="__main__", alter_sys=True)
