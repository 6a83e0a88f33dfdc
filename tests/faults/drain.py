"""The end of a chapter: waits until all work is finished, however slowly, and restarts processes that stall."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

STALL_S = 40.0
"""Time without progress after which the processes of a role are restarted, as a supervisor would do."""
STANDSTILL_S = 200.0
"""Time without any progress after which the remaining work counts as lost. Slow work is not lost."""
POLL_S = 0.3


class RestartableProcess(Protocol):
    """A process that can be restarted, such as a `ChildProcess`."""

    def kill(self) -> object: ...
    def start(self) -> object: ...


class DrainSupervisor(Protocol):
    """Records stalls and failures, such as a `Bus`."""

    exits: Counter[str]
    failures: list[str]

    def supervise_for(self, seconds: float) -> None: ...


@dataclass
class RemainingWork:
    """The remaining work of some processes.

    Args:
        role: The role of the processes, in one word.
        count_left: Returns the amount of remaining work; -1 if it is unknown.
        children: The processes.

    Attributes:
        left: The last amount.
        lowest: The lowest amount so far.
        lowest_since_s: When the lowest amount was reached, or the processes were restarted; by the caller's clock.
        stall_limit_s: Time without progress before a restart; doubled by each restart, to allow for a slow start.
    """

    role: str
    count_left: Callable[[], int]
    children: Sequence[RestartableProcess]
    left: int = -1
    lowest: int | None = None
    lowest_since_s: float = 0.0
    stall_limit_s: float = STALL_S

    def update_progress(self, now_s: float) -> bool:
        """Update the amount; return whether it is lower than ever before."""
        self.left = self.count_left()
        if self.left < 0 or (self.lowest is not None and self.left >= self.lowest):
            return False
        self.lowest, self.lowest_since_s = self.left, now_s
        return True

    def restart(self) -> None:
        """Restart the processes."""
        for child in self.children:
            child.kill()
            child.start()
        self.stall_limit_s *= 2


def drain_work(
    supervisor: DrainSupervisor, roles: Sequence[RemainingWork], clock: Callable[[], float] = time.monotonic
) -> None:
    """Wait until no work is left. Processes that stall are restarted and counted in `supervisor.exits`.

    If there is no progress at all any more, a failure is added to `supervisor.failures`.
    """
    progress_at_s = clock()
    for work in roles:
        work.lowest_since_s = progress_at_s
    while True:
        progressed = [work.update_progress(clock()) for work in roles]
        if any(progressed):
            progress_at_s = clock()
        left = [work.left for work in roles]
        if not any(left):
            return
        if clock() - progress_at_s > STANDSTILL_S:
            supervisor.failures.append(f"work is not finished, without progress for {STANDSTILL_S:g} s; left: {left}")
            return
        for work in roles:
            if work.left and clock() - work.lowest_since_s > work.stall_limit_s:
                supervisor.exits[f"{work.role} stalled"] += 1
                work.restart()
                work.lowest_since_s = clock()
        supervisor.supervise_for(POLL_S)
