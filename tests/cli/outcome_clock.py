"""The time for which `sharing publish --wait` waits, so that a short one suffices on a busy machine, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sharing.cli.publish import outcome_waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


def stop_clock(monkeypatch: pytest.MonkeyPatch, outcomes: int) -> None:
    """Let no time pass for a run that waits until it has read this many outcomes; then all of it is over."""
    now, take = [0.0], outcome_waiting.OutcomeWait._take

    def take_and_pass(waiting: Any, items: Iterable[Any]) -> None:
        take(waiting, items)
        now[0] += 10_000.0 * (waiting._done >= outcomes)

    monkeypatch.setattr(outcome_waiting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(outcome_waiting.OutcomeWait, "_take", take_and_pass)
