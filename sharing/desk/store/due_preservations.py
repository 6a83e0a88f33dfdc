"""How many preservations by other States end soon or are over: every page says so, until somebody has acted."""

from __future__ import annotations

from typing import Final, Protocol

from sharing.desk.store.desk_record import DeskRecord, read_content
from sharing.errors import SharingError
from sharing.followups.expiry import ExpiryLevel, Preservation
from sharing.model.vocabulary import DeskKind

DUE: Final = frozenset({ExpiryLevel.URGENT, ExpiryLevel.OVERDUE})


class PreservationSource(Protocol):
    """Where preservations are kept."""

    def list(self, kind: DeskKind, officer: str | None = None) -> list[DeskRecord]:
        """Return the records of a kind."""


def count_due(source: PreservationSource | None, now: int) -> int | None:
    """Return how many preservations end within three days or are overdue; None while that is not known.

    Args:
        source: Where they are kept; None if the desk keeps none.
        now: The time in UTC milliseconds.
    """
    if source is None:
        return 0
    try:
        records = source.list(DeskKind.PRESERVATION)
    except SharingError:  # the topic was not read yet, and the page of preservations says why
        return None
    found = [read_content(record, Preservation) for record in records]
    return sum(each is not None and each.judge(now) in DUE for each in found)
