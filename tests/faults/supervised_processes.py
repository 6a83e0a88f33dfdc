"""The processes of a running bus: started again when they end by themselves, while faults are repaired when due."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable

from tests.faults.children import ChildProcess
from tests.faults.repairs import Repairs

POLL_S = 0.05
INFRASTRUCTURE_EXIT_CODE = 3
"""Exit code of a gate that is fenced or refused by the broker: its supervisor starts it again."""


class SupervisedProcesses:
    """Processes, and the repairs of the faults that they suffer.

    Attributes:
        replaced_gates: Gates that were replaced under the same ids, and must notice that.
        exits: Number of processes that ended by themselves, by role and exit code.
        failures: Descriptions of what no process may do.
    """

    def __init__(self) -> None:
        self.replaced_gates: list[ChildProcess] = []
        self.exits: Counter[str] = Counter()
        self.failures: list[str] = []
        self._children: list[ChildProcess] = []
        self._repairs = Repairs()

    def add_process(self, child: ChildProcess) -> None:
        """Supervise a process, which is not started by this."""
        self._children.append(child)

    def start_processes(self) -> None:
        """Start all processes."""
        for child in self._children:
            child.start()

    def repair_later(self, after_s: float, target: str, repair: Callable[[], None]) -> None:
        """Schedule the repair of a fault; the next fault on the same target repairs it earlier."""
        self._repairs.add(time.monotonic() + after_s, target, repair)

    def repair(self, target: str = "") -> None:
        """Repair all faults of a target now; those of all targets if none is named."""
        self._repairs.run(lambda planned: not target or planned.target == target)

    def supervise_for(self, seconds: float) -> None:
        """Wait; during that time, repair faults that are due and restart processes that ended."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            self._repairs.run(lambda planned, now=now: planned.at_s <= now)  # type: ignore[misc]  # bound immediately
            self.supervise()
            if time.monotonic() >= until:
                return
            time.sleep(POLL_S)

    def wait_until(self, condition: Callable[[], bool], description: str, limit_s: float) -> bool:
        """Supervise until a condition holds; record a failure if it does not hold in time."""
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                self.failures.append(f"not within {limit_s:g} s: {description}")
                return False
            self.supervise_for(4 * POLL_S)
        return True

    def supervise(self) -> None:
        """Restart processes that ended by themselves; record their exit codes."""
        for child in self._children:
            code = child.exit_code()
            if not child.should_run or code is None:
                continue
            role = child.name.partition("-")[0]
            if child.has_aborted_in_librdkafka():
                self.exits[f"{role} aborted in librdkafka"] += 1  # a crash, after which its supervisor starts it again
            else:
                self.exits[f"{role} {code}"] += 1
                if role != "gate" or code != INFRASTRUCTURE_EXIT_CODE:
                    self.failures.append(
                        f"{child.name} ended by itself with code {code}: {child.read_log_tail()[-800:]}"
                    )
            if child in self.replaced_gates:
                child.should_run = False
            else:
                child.start()

    def stop_child(self, child: ChildProcess) -> None:
        """Stop a process gracefully. An unavailable broker may prevent a clean exit, as may a start in progress."""
        code = child.stop() if child.is_alive() else 0
        if code not in {0, INFRASTRUCTURE_EXIT_CODE, -signal.SIGTERM}:
            self.failures.append(f"{child.name} ended on SIGTERM with code {code}: {child.read_log_tail()[-800:]}")

    def end_processes(self) -> None:
        """Kill all processes."""
        for child in self._children:
            child.kill()
