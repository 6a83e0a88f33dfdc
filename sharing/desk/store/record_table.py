"""The records of the desk as their log has them. Two desks that read the same log have the same table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sharing.desk.store.desk_record import DeskRecord, UnopenedRecord


@dataclass(slots=True)
class RecordTable:
    """The newest record of each key.

    A record changes the table if its version follows the one that is there: of two that were written at the same time,
    the first in the log counts, for every reader. A key that was compacted begins with any version, as does one that
    was last read before a damaged batch: nobody knows which of its versions were in the batch.

    Attributes:
        records: The records by key.
        unopened: What could not be opened, by key. Such a record hides the one before it: it may be newer.
        refused: Offsets of records that came second. The table was read up to the highest of them, or beyond.
        uncertain_before: The first offset after the last damaged batch that is not given up; 0 if there is none. What
            was last read before it may have a newer version in the batch.
    """

    records: dict[str, DeskRecord] = field(default_factory=dict)
    unopened: dict[str, UnopenedRecord] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    uncertain_before: int = 0
    _offsets: dict[str, int] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _damaged_before: int = 0

    def copy(self) -> RecordTable:
        """Return the table as it is now."""
        return replace(
            self,
            records=dict(self.records),
            unopened=dict(self.unopened),
            refused=set(self.refused),
            _offsets=dict(self._offsets),
            _deleted=set(self._deleted),
        )

    def is_newest(self, key: str) -> bool:
        """Return whether what is known of a key, or that there is nothing, is certainly the newest."""
        return self._offsets.get(key, 0) >= self.uncertain_before

    def take(self, offset: int, key: str, record: DeskRecord | UnopenedRecord | None) -> None:
        """Take the next record of the log; None is a tombstone."""
        is_after_damage = self._offsets.get(key, -1) < self._damaged_before
        if record is None:
            self._forget(key)
            self._deleted.add(key)
        elif isinstance(record, UnopenedRecord):
            self._forget(key)
            self.unopened[key] = record
        elif is_after_damage or self._follows(key, record):
            self._forget(key)
            self._deleted.discard(key)
            self.records[key] = record
        else:
            self.refused.add(offset)
        self._offsets[key] = offset

    def skip_damaged_batch(self, offset: int, next_offset: int, *, is_given_up: bool) -> None:
        """Note a batch that cannot be read.

        Args:
            offset: Its first offset.
            next_offset: The first offset after it.
            is_given_up: Whether the operator has given up its records: what was read before it counts as the newest.
        """
        self.unopened[f"@{offset}"] = UnopenedRecord("", offset, f"the record batch at offset {offset} cannot be read")
        self._damaged_before = next_offset
        if not is_given_up:
            self.uncertain_before = next_offset

    def _follows(self, key: str, record: DeskRecord) -> bool:
        before = self.records.get(key)
        if before is not None:
            return record.version == before.version + 1
        return key not in self._deleted or record.version == 1

    def _forget(self, key: str) -> None:
        self.records.pop(key, None)
        self.unopened.pop(key, None)
