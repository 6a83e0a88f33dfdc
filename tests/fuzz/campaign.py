"""Feeds the targets: seeded, bounded in number, and each input in time."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tests.fuzz.targets import TARGETS, Target

HANG_S = 10.0
"""The longest that one feeding may take: some milliseconds are usual."""


class FuzzError(AssertionError):
    """A target did what it must not. The message says how to see it again."""


def run(inputs: int, seed: int, on_progress: Callable[[int], None] = lambda _: None) -> Counter[str]:
    """Feed so many inputs to all targets, by weight; return how many each took.

    Raises:
        FuzzError: A target crashed, hung, or lost something.
    """
    fed: Counter[str] = Counter()
    chance = random.Random(seed)
    weights = [target.weight for target in TARGETS]
    while fed.total() < inputs:
        target = chance.choices(TARGETS, weights)[0]
        own = chance.getrandbits(64)
        fed[target.name] += feed(target, own)
        on_progress(fed.total())
    return fed


def feed(target: Target, seed: int) -> int:
    """Feed one target once.

    Raises:
        FuzzError: It crashed, hung, or lost something.
    """
    try:
        with _limited(HANG_S):
            return target.feed(random.Random(seed))
    except Exception as error:
        raise FuzzError(f"{target.name}: python -m tests.fuzz --target '{target.name}' --only {seed}") from error


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> Any:
        raise TimeoutError(f"an input took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
