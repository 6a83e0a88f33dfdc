"""Runs the fuzz targets with a seed, for a given number of inputs, and with a time limit for each."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.targets import TARGETS

INPUT_TIMEOUT_S = 60.0
"""Time limit of one run of a target; some milliseconds are usual."""


class FuzzError(AssertionError):
    """A target failed. The message has the command that reproduces the failure."""


def run_campaign(inputs: int, seed: int, on_progress: Callable[[int], None] = lambda _: None) -> Counter[str]:
    """Run all targets, chosen by weight, for this number of inputs; return the number of inputs per target.

    Raises:
        FuzzError: A target crashed, hung, or lost data.
    """
    counts: Counter[str] = Counter()
    generator = random.Random(seed)
    weights = [target.weight for target in TARGETS]
    while counts.total() < inputs:
        target = generator.choices(TARGETS, weights)[0]
        target_seed = generator.getrandbits(64)
        counts[target.name] += run_target(target, target_seed)
        on_progress(counts.total())
    return counts


def run_target(target: FuzzTarget, seed: int) -> int:
    """Run one target once.

    Raises:
        FuzzError: The target crashed, hung, or lost data.
    """
    try:
        with _time_limit(INPUT_TIMEOUT_S):
            return target.run(random.Random(seed))
    except Exception as error:
        raise FuzzError(f"{target.name}: python -m tests.fuzz --target '{target.name}' --only {seed}") from error


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> Any:
        raise TimeoutError(f"an input took more than {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, stop)
    rest_s, _ = signal.setitimer(signal.ITIMER_REAL, seconds)  # of the test that runs this
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, rest_s)
