"""The preservations that officers asked other States for, as the desk keeps them: sealed, for all officers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from sharing.desk.services import DeskServices
from sharing.desk.store.desk_record import DeskRecord, read_content
from sharing.errors import InputError
from sharing.followups.expiry import CloseReason, ExpiryLevel, Preservation, require_expiry
from sharing.model.vocabulary import DeskKind

IS_GONE: Final = "this preservation no longer exists; load the list again"


@dataclass(frozen=True, slots=True)
class WatchedPreservation:
    """A preservation, as the list shows it.

    Attributes:
        id: Id of the record.
        version: Version of the record, which a change names.
        officer: Id of the officer who wrote it last.
        preservation: The preservation.
        level: How urgent it is.
        is_newest: Whether this is certainly the newest version; if not, it does not change.
    """

    id: str
    version: int
    officer: str
    preservation: Preservation
    level: ExpiryLevel
    is_newest: bool


@dataclass(frozen=True, slots=True)
class PreservationList:
    """All preservations.

    Attributes:
        watched: Those that somebody waits for, the least time left first.
        closed: Those that are closed, the last first.
        unreadable: How many records, or batches of them, could not be read: of a later release, sealed under a key
            that is not here, or damaged.
    """

    watched: tuple[WatchedPreservation, ...]
    closed: tuple[WatchedPreservation, ...]
    unreadable: int

    def count(self, *levels: ExpiryLevel) -> int:
        """Return how many are of some levels."""
        return sum(each.level in levels for each in self.watched)


class PreservationBook:
    """Keeps preservations. Thread-safe; its methods block.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services

    def list_all(self) -> PreservationList:
        """Return all preservations.

        Raises:
            InfrastructureError: The topic was not read yet.
        """
        records = self._services.store.list(DeskKind.PRESERVATION)
        read = [self._read(record) for record in records]
        found = [each for each in read if each is not None]
        unopened = [each for each in self._services.store.list_unopened() if each.may_be(DeskKind.PRESERVATION)]
        watched = [each for each in found if each.level is not ExpiryLevel.CLOSED]
        closed = [each for each in found if each.level is ExpiryLevel.CLOSED]
        watched.sort(key=lambda each: (each.preservation.expires_at, each.id))
        closed.sort(key=lambda each: (-(each.preservation.closed_at or 0), each.id))
        return PreservationList(tuple(watched), tuple(closed), len(records) - len(found) + len(unopened))

    def find(self, record_id: str) -> WatchedPreservation | None:
        """Return a preservation; None if there is none with this id.

        Raises:
            InfrastructureError: The topic was not read yet.
        """
        record = self._services.store.get(DeskKind.PRESERVATION, record_id)
        return None if record is None else self._read(record)

    def begin(self, officer: str, preservation: Preservation) -> str:
        """Keep a new preservation; return the id of its record.

        Raises:
            InputError: Its date is over, or too far ahead.
            InfrastructureError: It was not confirmed.
        """
        require_expiry(preservation.expires_at, self._services.read_clock())
        record_id = uuid.uuid4().hex
        self._put(record_id, officer, preservation, replaces=0, is_new_id=True)
        return record_id

    def renew(self, record_id: str, version: int, officer: str, expires_at: int, reference: str) -> None:
        """Give a preservation a later date.

        Args:
            record_id: Id of its record.
            version: Version of the record that the officer has seen.
            officer: Id of the officer.
            expires_at: Until when the other State keeps the data now, in UTC milliseconds.
            reference: Its reference, if it has given a new one; otherwise "".

        Raises:
            InputError: There is none, it is closed, or the date is not later, is over, or is too far ahead.
            RecordConflictError: Somebody else has changed it.
            HiddenVersionError: What cannot be read may have a newer version.
            InfrastructureError: It was not confirmed.
        """
        changed = self._require(record_id).preservation.renew(expires_at, self._services.read_clock(), reference)
        self._put(record_id, officer, changed, replaces=version)

    def close(self, record_id: str, version: int, officer: str, reason: CloseReason) -> None:
        """Stop watching a preservation.

        Raises:
            InputError: There is none, or it is closed already.
            RecordConflictError: Somebody else has changed it.
            HiddenVersionError: What cannot be read may have a newer version.
            InfrastructureError: It was not confirmed.
        """
        changed = self._require(record_id).preservation.close(reason, self._services.read_clock())
        self._put(record_id, officer, changed, replaces=version)

    def _require(self, record_id: str) -> WatchedPreservation:
        found = self.find(record_id)
        if found is None:
            raise InputError(IS_GONE)
        return found

    def _put(
        self, record_id: str, officer: str, preservation: Preservation, *, replaces: int, is_new_id: bool = False
    ) -> None:
        content = preservation.model_dump(mode="json")
        self._services.store.put(
            DeskKind.PRESERVATION, record_id, officer, content, replaces=replaces, is_new_id=is_new_id
        )

    def _read(self, record: DeskRecord) -> WatchedPreservation | None:
        preservation = read_content(record, Preservation)
        if preservation is None:
            return None
        level = preservation.judge(self._services.read_clock())
        return WatchedPreservation(record.id, record.version, record.officer, preservation, level, record.is_newest)
