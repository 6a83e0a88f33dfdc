"""The law of a test State, and a worker that only records why it has to stop."""

from __future__ import annotations

from sharing.errors import SharingError
from tests.processors.pack_fixtures import make_pack_text

BEFORE = make_pack_text("XA")


class FakeFailure:
    """Replaces the function that stops the process, and records the reasons."""

    def __init__(self) -> None:
        self.reasons: list[SharingError] = []

    async def __call__(self, reason: SharingError) -> None:
        self.reasons.append(reason)
