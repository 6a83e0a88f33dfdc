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

    Attributes:
        left: The last answer.
        least: The least of all answers.
        since_s: Since when it has been that, or the children were started again; by the clock of who waits.
        patience_s: How long that may last; twice as long each time, so that who is slow to start comes to it.
    """

    role: str
    ask: Callable[[], int]
    children: Sequence[Process]
    left: int = -1
    least: int | None = None
    since_s: float = 0.0
    patience_s: float = STALL_S

    def nears(self, now_s: float) -> bool:
        """Ask; return whether less is left than at any time before."""
        self.left = self.ask()
        if self.left < 0 or (self.least is not None and self.left >= self.least):
            return False
        self.least, self.since_s = self.left, now_s
        return True

    def start_again(self) -> None:
        """End and start the children."""
        for child in self.children:
            child.kill()
            child.start()
        self.patience_s *= 2


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
        left = [one.left for one in everyone]
        if not any(left):
            return
        if clock() - neared_s > STANDSTILL_S:
            stage.complaints.append(f"not worked through, and for {STANDSTILL_S:g} s no nearer to it; left: {left}")
            return
        for one in everyone:
            if one.left and clock() - one.since_s > one.patience_s:
                stage.ends[f"{one.role} stalled"] += 1
                one.start_again()
                one.since_s = clock()
        stage.pass_time(LOOK_S)
