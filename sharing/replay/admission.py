"""What of recorded indicators is taken in, and what is not: counted, and told with its place and reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sharing.errors import InputError
from sharing.model.record import WireRecord, check_record

TOLD_MAX = 20
"""Of what is unreadable, how much is kept with its place and reason; the rest is counted."""


class UnreadableRecord(NamedTuple):
    """Something that was not read: the file or topic, a line, record or offset in it, and why."""

    source: str
    place: str
    reason: str


@dataclass(slots=True)
class AdmissionStats:
    """What is taken in, and what is not.

    Attributes:
        state: The State whose indicators are read.
        read: How many were.
        unread: How many were not.
        told: The first of these.
    """

    state: str
    read: int = 0
    unread: int = 0
    told: list[UnreadableRecord] = field(default_factory=list)

    def refuse(self, source: str, place: str, reason: str) -> None:
        """Count something that is not read."""
        self.unread += 1
        if len(self.told) < TOLD_MAX:
            self.told.append(UnreadableRecord(source, place, reason))

    def admit(self, record: WireRecord) -> WireRecord:
        """Return a record that may be decided on.

        Raises:
            InputError: It is not sound, or another State's.
        """
        check_record(record)
        if record["source"]["state"] != self.state:
            raise InputError(f"source.state: is not {self.state}; rehearse it under its own State's law")
        self.read += 1
        return record

    def consider(self, source: str, place: str, read: WireRecord | InputError) -> WireRecord | None:
        """Return a record that may be decided on; else count and tell why not, and return None."""
        try:
            if isinstance(read, InputError):
                raise read
            return self.admit(read)
        except InputError as error:
            self.refuse(source, place, str(error))
            return None
