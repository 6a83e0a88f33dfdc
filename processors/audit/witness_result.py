"""What became of the checkpoints and cosignatures of a batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.inbox.inbox_result import RefusedRecord


@dataclass(slots=True)
class WitnessResult:
    """The counts of a batch.

    Attributes:
        records: Number of records of checkpoints.
        sightings: Number of checkpoints, by the State whose log it is and by this worker's assessment.
        cosigned: Number of cosignatures that were sent, by the State whose log it is.
        received: Number of cosignatures of own checkpoints that have arrived, by State.
        stamped: Number of time stamps of own checkpoints that were written.
        unstamped_since: Since when a time stamp of an own log has been due, in UTC milliseconds; 0 if none is.
        refused: Records that are quarantined by reference, because people must look at them.
        waiting_since: For each witness, since when its cosignature has been awaited, in UTC milliseconds; None if none
            is.
        forked: The States that have signed two histories.
    """

    records: int = 0
    sightings: Counter[tuple[str, str]] = field(default_factory=Counter)
    cosigned: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    stamped: int = 0
    unstamped_since: int = 0
    refused: list[RefusedRecord] = field(default_factory=list)
    waiting_since: Mapping[str, int | None] = field(default_factory=dict)
    forked: frozenset[str] = frozenset()
