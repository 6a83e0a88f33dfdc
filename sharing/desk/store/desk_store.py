"""The records of the desk: written so that of two who change one, the second is notified; read from memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sharing.console.connection import ConsoleConnection
from sharing.desk.broker_state import BrokerContact, BrokerState
from sharing.desk.store.desk_record import (
    DeskRecord,
    HiddenVersionError,
    RecordConflictError,
    UnopenedRecord,
    make_key,
)
from sharing.desk.store.record_follower import RecordFollower
from sharing.desk.store.record_sealing import RecordSealing
from sharing.desk.store.record_table import RecordTable
from sharing.desk.store.record_writer import FencedError, RecordWriter, UnknownOutcomeError
from sharing.errors import InfrastructureError
from sharing.model.vocabulary import DeskKind
from sharing.seal.wrapping_keys import WrappingKeys
from sharing.topology.topics import DESK

READ_BACK_SECONDS_MAX: Final = 10.0
Records = list[DeskRecord]
_ATTEMPTS_MAX: Final = 5


class DeskStore:
    """What the desk keeps for its officers, in `national.<st>.desk`. Threads may share it.

    Args:
        console: The connection, with the certificate `console.<st>`.
        keys: The State's wrapping keys; None if they are not here. Records are in clear, as drafts are, where the State
            pins nobody's root either; otherwise nothing is kept, and nothing opens, without them.
        clock: Returns the time in UTC milliseconds.
        notify: Called after a record has changed, in the thread that follows the topic.
        broker: Is told whether the topic can be followed.
        lost_before: The operator has given up what cannot be read before this offset.
    """

    def __init__(
        self,
        console: ConsoleConnection,
        keys: WrappingKeys | None,
        clock: Callable[[], int],
        notify: Callable[[], None] = lambda: None,
        broker: BrokerState | None = None,
        lost_before: int = 0,
    ) -> None:
        self._clock = clock
        self._topic = DESK.topic(console.state)
        is_plain = console.settings.trust_file is None
        self._sealing = RecordSealing(console.state, keys, console.framing, clock, is_plain=is_plain)
        contact = BrokerContact(broker or BrokerState(), "records", clock)
        self._follower = RecordFollower(
            console.servers, console.state, self._sealing, console.properties, contact, notify, lost_before
        )
        self._writer = RecordWriter(console.servers, console.state, console.properties)
        self._write_lock = threading.Lock()

    def start(self) -> None:
        """Begin to follow the topic. Returns at once."""
        self._follower.start()

    def close(self) -> None:
        """Stop following."""
        self._follower.close()
        with self._write_lock:
            self._writer.release()

    def wait_until_read(self, seconds: float) -> bool:
        """Wait until what was on the topic is known; return whether it is."""
        return self._follower.wait_until_read(seconds)

    def get(self, kind: DeskKind, id: str) -> DeskRecord | None:  # noqa: A002 as in the record
        """Return a record; None if there is none, or if it cannot be opened.

        Raises:
            InputError: The id is none of the desk.
            InfrastructureError: The topic has not been read yet.
        """
        key, table = make_key(kind, id), self._follower.copy()
        return None if key not in table.records else _find(table, key)

    def list(self, kind: DeskKind, officer: str | None = None) -> Records:
        """Return the records of a kind, those of one officer or of all, the newest first.

        Raises:
            InfrastructureError: The topic has not been read yet.
        """
        table = self._follower.copy()
        found = [
            _find(table, key)
            for key, record in table.records.items()
            if record.kind is kind and officer in {None, record.officer}
        ]
        return sorted(found, key=lambda record: (-record.written_at, record.id))

    def list_unopened(self) -> tuple[UnopenedRecord, ...]:
        """Return what cannot be opened, in the order of the topic.

        Raises:
            InfrastructureError: The topic has not been read yet.
        """
        return tuple(sorted(self._follower.copy().unopened.values(), key=lambda unopened: unopened.offset or 0))

    def require_newest(self, kind: DeskKind, id: str) -> None:  # noqa: A002 as in the record
        """Refuse to act on a record that may have a newer version in what cannot be read.

        Raises:
            HiddenVersionError: It may have one.
            InputError: The id is none of the desk.
            InfrastructureError: The topic has not been read yet.
        """
        self._require_newest(self._follower.copy(), make_key(kind, id))

    def put(
        self,
        kind: DeskKind,
        id: str,  # noqa: A002 as in the record
        officer: str,
        content: Mapping[str, Any],
        *,
        replaces: int = 0,
        is_new_id: bool = False,
    ) -> DeskRecord:
        """Write a record, and return it once the broker has confirmed it and it was read back.

        Args:
            kind: What it is.
            id: Its id.
            officer: The officer whose record it is.
            content: The content, as JSON has it.
            replaces: The version that it replaces; 0 if there must be none yet.
            is_new_id: Whether the id was made for this record, so that what cannot be read does not have it either.

        Raises:
            HiddenVersionError: What cannot be read may have a newer version. Nothing was written.
            RecordConflictError: There is another version: another desk or officer was first. Nothing was written.
            InfrastructureError: The broker did not confirm it. It may have been written nevertheless.
            InputError: The id is none of the desk, the content is too long, or the wrapping key cannot be read.
            SettingsError: The State seals what it keeps, and its keys are not here.
        """
        record = DeskRecord(kind, id, replaces + 1, officer, self._clock(), dict(content))
        value = self._sealing.seal(record)
        self._write(record.key, value, replaces, record, is_new_id=is_new_id)
        return record

    def delete(self, kind: DeskKind, id: str, *, replaces: int) -> None:  # noqa: A002 as in the record
        """Delete a record, and return once the broker has confirmed it.

        Args:
            kind: What it is.
            id: Its id.
            replaces: The version that was read; 0 for a record that cannot be opened.

        Raises:
            HiddenVersionError: What cannot be read may have a newer version. Nothing was written.
            RecordConflictError: There is another version. Nothing was written.
            InfrastructureError: The broker did not confirm it. It may have been deleted nevertheless.
            InputError: The id is none of the desk.
        """
        self._write(make_key(kind, id), None, replaces, None)

    def _write(
        self, key: str, value: bytes | None, replaces: int, record: DeskRecord | None, *, is_new_id: bool = False
    ) -> None:
        may_be_written = False
        with self._write_lock:
            for _ in range(_ATTEMPTS_MAX):
                if not self._writer.is_exclusive:
                    self._writer.take()
                    self._follower.wait_for_offset(self._follower.query_end(), READ_BACK_SECONDS_MAX)
                table = self._follower.copy()
                if may_be_written and table.records.get(key) == record and key not in table.unopened:
                    return None
                _require_version(table, key, replaces, is_new=value is not None)
                if not is_new_id:
                    self._require_newest(table, key)
                try:
                    offset = self._writer.write(key, value)
                except FencedError:
                    continue
                except UnknownOutcomeError:
                    may_be_written = True
                    continue
                return self._read_back(offset, key)
        raise InfrastructureError(
            "the broker does not confirm what is written, or other desks of this State write all the time; try again"
        )

    def _require_newest(self, table: RecordTable, key: str) -> None:
        if not table.is_newest(key):
            raise HiddenVersionError(self._topic, table.uncertain_before)

    def _read_back(self, offset: int, key: str) -> None:
        """Wait until what was written is in the table: the next writer of this process compares with that."""
        try:
            table = self._follower.wait_for_offset(offset + 1, READ_BACK_SECONDS_MAX)
        except BaseException:
            self._writer.release()  # so that the next one reads the topic to its end first
            raise
        if offset in table.refused:
            raise _conflict(table.records.get(key))


def _find(table: RecordTable, key: str) -> DeskRecord:
    record = table.records[key]
    return record if table.is_newest(key) else replace(record, is_newest=False)


def _require_version(table: RecordTable, key: str, replaces: int, *, is_new: bool) -> None:
    """Refuse to replace another version than the one that was read.

    Raises:
        RecordConflictError: There is another one, or one that cannot be opened and would be replaced unread.
    """
    current = table.records.get(key)
    version = 0 if current is None else current.version
    if version != replaces or (is_new and key in table.unopened):
        raise _conflict(current)


def _conflict(current: DeskRecord | None) -> RecordConflictError:
    if current is None:
        return RecordConflictError("it was deleted meanwhile; what you entered was not saved", None)
    return RecordConflictError(
        "somebody else has changed it meanwhile; look at the newer version, and enter your changes again", current
    )
