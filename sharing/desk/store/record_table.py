"""The records of the desk as their log has them. Two desks that read the same log have the same table."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharing.desk.store.desk_record import DeskRecord, UnopenedRecord


@dataclass(slots=True)
class RecordTable:
    """The newest record of each key.

    A record changes the table if its version follows the one that is there: of two that were written at the same time,
    the first in the log counts, for every reader. A key that was compacted begins with any version.

    Attributes:
        records: The records by key.
        unopened: What could not be opened, by key. Such a record hides the one before it: it may be newer.
        refused: Offsets of records that came second. The table was read up to the highest of them, or beyond.
    """

    records: dict[str, DeskRecord] = field(default_factory=dict)
    unopened: dict[str, UnopenedRecord] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    _deleted: set[str] = field(default_factory=set)

    def take(self, offset: int, key: str, record: DeskRecord | UnopenedRecord | None) -> None:
        """Take the next record of the log; None is a tombstone."""
        if record is None:
            self._forget(key)
            self._deleted.add(key)
        elif isinstance(record, UnopenedRecord):
            self._forget(key)
            self.unopened[key] = record
        elif self._follows(key, record):
            self._forget(key)
            self._deleted.discard(key)
            self.records[key] = record
        else:
            self.refused.add(offset)

    def _follows(self, key: str, record: DeskRecord) -> bool:
        before = self.records.get(key)
        if before is not None:
            return record.version == before.version + 1
        return key not in self._deleted or record.version == 1

    def _forget(self, key: str) -> None:
        self.records.pop(key, None)
        self.unopened.pop(key, None)
