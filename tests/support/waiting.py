"""How a test waits for what another process or a broker does: it looks, again and again, and never just sleeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_S = 150.0
"""Far beyond what a slow machine takes; who waits so long waits for nothing."""

LOOK_S = 0.05


def wait_until(holds: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Look until something holds, or fail with what was waited for."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(LOOK_S)
