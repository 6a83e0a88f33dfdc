"""What a fuzz target is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """Code that reads external input.

    Attributes:
        name: Name of the target.
        weight: Relative share of inputs; cheap targets get more.
        run: Runs the code on some inputs, and returns their number.
    """

    name: str
    weight: int
    run: Callable[[random.Random], int]
