"""Admission of recorded indicators: counts admitted and rejected records, and why the first ones were rejected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sharing.errors import InputError
from sharing.model.indicator_record import WireRecord, check_indicator_record

REJECTED_DETAILS_MAX = 20
"""Maximum number of rejected records whose location and reason are kept; further ones are only counted."""


class RejectedRecord(NamedTuple):
    """A rejected record: the file or topic, its location there (line, record number or offset), and the reason."""

    source: str
    location: str
    reason: str


@dataclass(slots=True)
class AdmissionStats:
    """Admits or rejects records, and counts both.

    Attributes:
        state: The State whose indicators are admitted.
        admitted: Number of admitted records.
        rejected: Number of rejected records.
        first_rejected: Details of the first rejected records.
    """

    state: str
    admitted: int = 0
    rejected: int = 0
    first_rejected: list[RejectedRecord] = field(default_factory=list)

    def count_admitted(self, count: int) -> None:
        """Count records that were checked elsewhere."""
        self.admitted += count

    def count_rejected(self, source: str, location: str, reason: str) -> None:
        """Count a rejected record, and keep its details if it is among the first."""
        self.rejected += 1
        if len(self.first_rejected) < REJECTED_DETAILS_MAX:
            self.first_rejected.append(RejectedRecord(source, location, reason))

    def admit(self, record: WireRecord) -> WireRecord:
        """Count a record as admitted and return it.

        Raises:
            InputError: The record is invalid, or belongs to another State.
        """
        check_indicator_record(record)
        if record["source"]["state"] != self.state:
            raise InputError(f"source.state: is not {self.state}; rehearse it under the law of its own State")
        self.count_admitted(1)
        return record

    def admit_or_count(self, source: str, location: str, result: WireRecord | InputError) -> WireRecord | None:
        """Return a record if it is admitted; otherwise count it as rejected and return None.

        Args:
            source: The file or topic.
            location: The line, record or offset in it.
            result: The record, or why it could not be read.
        """
        try:
            if isinstance(result, InputError):
                raise result
            return self.admit(result)
        except InputError as error:
            self.count_rejected(source, location, str(error))
            return None
