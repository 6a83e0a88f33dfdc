"""The end of a chapter: everybody comes to the end of their work, however slowly; who stands still is started again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

STALL_S = 40.0
"""How long anybody may come no nearer to the end before they are started again, as a supervisor would do it."""
STANDSTILL_S = 200.0
"""How long nobody may come nearer to it before what is left counts as lost. Slow is not lost."""
LOOK_S = 0.3


class Process(Protocol):
    """What is started again: a `Child`."""

    def kill(self) -> object: ...
    def start(self) -> object: ...


class Stage(Protocol):
    """What is told of it: a `Bus`."""

    ends: Counter[str]
    complaints: list[str]

    def pass_time(self, seconds: float) -> None: ...


@dataclass
class AtWork:
    """Somebody who has work left.

    Args:
        role: In one word.
        ask: Returns how much is left; -1 when nobody answers.
        children: Their processes.
    """

    role: str
    ask: Callable[[], int]
    children: Sequence[Process]
    least: int = -1
    since_s: float = 0.0

    def nears(self, now_s: float) -> bool:
        """Return whether less is left than at any time before."""
        left = self.ask()
        if left == -1 or 0 <= self.least <= left:
            return False
        self.least, self.since_s = left, now_s
        return True


def work_through(stage: Stage, everyone: Sequence[AtWork], clock: Callable[[], float] = time.monotonic) -> None:
    """Wait until nothing is left. Who stands still is started again, and counted in `stage.ends`.

    When nobody comes nearer to the end any more, `stage.complaints` says so.
    """
    neared_s = clock()
    for one in everyone:
        one.since_s = neared_s
    while True:
        nearer = [one.nears(clock()) for one in everyone]
        if any(nearer):
            neared_s = clock()
        left = [one.least for one in everyone]
        if not any(left):
            return
        if clock() - neared_s > STANDSTILL_S:
            stage.complaints.append(f"not worked through, and for {STANDSTILL_S:g} s no nearer to it; left: {left}")
            return
        for one in everyone:
            if one.least and clock() - one.since_s > STALL_S:
                stage.ends[f"{one.role} stalled"] += 1
                one.since_s = clock()
                for child in one.children:
                    child.kill()
                    child.start()
        stage.pass_time(LOOK_S)
