"""Holds signals back while a report is made: whatever happens, it says what is published."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def hold_signals() -> Iterator[list[int]]:
    """Hold back what would end the program; yield the numbers of the signals that arrive during the block."""
    received: list[int] = []
    earlier = {number: signal.signal(number, lambda number, _: received.append(number)) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
