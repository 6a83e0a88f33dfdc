"""Polling for conditions that another process or a broker brings about. Tests never just sleep for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 150.0
"""Far longer than a slow machine needs: after this time the condition will not become true."""

POLL_S = 0.05


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = TIMEOUT_S) -> None:
    """Poll until the condition holds; fail with a description of it after the time limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(POLL_S)
