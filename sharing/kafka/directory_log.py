"""What a reader knows about the topic of one State: which log it is, how far it was read, and the State's entry.

The newest record under the State's key decides. If it is a tombstone, invalid or unreadable, the State has no entry:
which of the older records remains after compaction would be a matter of chance.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Message

from sharing.directory.state_chain import KEYS_KEY, ROOT_KEY
from sharing.directory.statement import ENTRY_BYTES_MAX, SCHEMA, decode_statement, limit_validity, read_entry
from sharing.errors import DecodeError, InputError
from sharing.model.directory import DirectoryEntry
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import DIRECTORY
from sharing.trust.faults import TrustError

log = logging.getLogger(__name__)

INVALID_RECORD = "INVALID_RECORD"
NOT_AT_END = "NOT_READ_IN_TIME"


@dataclass(slots=True)
class DirectoryLog:
    """The topic of one State, as far as it has been read.

    Times are in seconds of the reader's clock.

    Attributes:
        state: The State.
        topic_id: Kafka's id of the topic.
        opened_at: When reading of the topic from its beginning started.
        position: The next offset to read.
        end: The end of the topic at the reader's last check; None if it is not known.
        current: The entry as of the last time that the end was reached.
        caught_up_at: Start of the last check whose end was reached; None before the first.
        is_read: Whether the topic is read at present.
        stall: Why the topic was given up: Kafka's name of an error, or `NOT_AT_END`. None after its end was reached.
        retry_at: When a topic that was given up is read again.
        last_error: Kafka's name of the last error; None after a record.
        ignored_count: Number of records and batches that were not a valid entry of the State.
    """

    state: str
    topic_id: str
    opened_at: float
    position: int = OFFSET_BEGINNING
    end: int | None = None
    current: DirectoryEntry | None = None
    caught_up_at: float | None = None
    is_read: bool = True
    stall: str | None = None
    retry_at: float = 0.0
    last_error: str | None = None
    ignored_count: int = 0
    _newest: DirectoryEntry | None = None
    _defect: str | None = None
    _sought: int = field(default=-1, repr=False)

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return DIRECTORY.topic(self.state)

    @property
    def is_at_end(self) -> bool:
        """Whether the topic was read to its end as of the last check."""
        return self.is_read and self.end is not None and self.position >= self.end

    @property
    def defect(self) -> str | None:
        """Why the State has no entry although its topic is not empty; None if it has one, or removed it."""
        return self.stall or self._defect

    def read_record(self, message: Message, framing: Framing) -> None:
        """Store a record without verification."""
        self.pass_record(message)
        key = message.key()
        if key is not None and (key == KEYS_KEY.encode() or key.startswith(ROOT_KEY.encode())):
            return  # for readers that have pins
        if key != self.state.encode():
            self.ignore(message, "its key is not the State")
            return
        self._newest, self._defect = None, None
        value = message.value()
        if value is None:
            return
        try:
            self._newest = _decode_entry(value, self.state, framing)
        except (DecodeError, InputError, TrustError) as error:
            self._defect = INVALID_RECORD
            self.ignore(message, str(error))

    def pass_record(self, message: Message) -> None:
        """Note that a record was read."""
        self.position = (message.offset() or 0) + 1
        self.last_error = None

    def reach_offset(self, offset: int) -> None:
        """Note that every record before this offset has been read."""
        self.position = max(self.position, offset)

    def skip_batch(self, message: Message, end: int) -> int:
        """Note a batch that cannot be read, and return the offset at which to continue.

        Only the newest record counts, so reading continues at the last one. If that is also in an unreadable batch,
        reading continues at the end.

        Args:
            message: The message with the error.
            end: The end of the topic now.
        """
        error = message.error()
        self._newest, self._defect = None, error.name() if error is not None else INVALID_RECORD
        self.ignore(message, self._defect)
        self._sought = end - 1 if end - 1 > max(self._sought, self.position) else end
        self.position = self._sought
        return self.position

    def mark_end(self, checked_at: float) -> None:
        """Note that the end found by a check at this time was reached."""
        self.current = self._newest
        self.caught_up_at = checked_at
        self.stall = None

    def give_up(self, retry_at: float) -> None:
        """Stop reading the topic until a later time. The State has no entry until then."""
        self.stall = self.last_error or NOT_AT_END
        self.is_read, self.current = False, None
        self.retry_at = retry_at
        log.error("%s cannot be read to its end (%s)", self.topic, self.stall)

    def read_again(self, now: float) -> None:
        """Start at the beginning again. The State has no entry until the end is reached."""
        self.is_read, self.opened_at, self.position, self.end, self._sought = True, now, OFFSET_BEGINNING, None, -1
        self.current, self._newest, self._defect, self.caught_up_at = None, None, None, None
        self.ignored_count = 0

    def ignore(self, message: Message, reason: str) -> None:
        """Count a record or batch that is refused."""
        self.ignored_count += 1
        log.warning("%s: record at partition 0, offset %s ignored: %s", self.topic, message.offset(), reason)


def _decode_entry(value: bytes, state: str, framing: Framing) -> DirectoryEntry | None:
    """Return the entry in a record: the record itself, or the one in a statement, whose signature is not verified.

    Raises:
        DecodeError: The record cannot be decoded.
        InputError: It is too large, is not valid, or is the entry of another State.
        TrustError: It is a malformed statement.
    """
    single_object = framing.to_single_object(value) or b""
    if single_object.startswith(get_codec(SCHEMA).header):
        statement = decode_statement(single_object)
        signed = read_entry(statement)
        entry = None if signed is None else limit_validity(signed, statement)
    elif len(value) > ENTRY_BYTES_MAX:
        raise InputError(f"it has {len(value)} bytes; the limit is {ENTRY_BYTES_MAX}")
    else:
        entry = DirectoryEntry.parse(get_codec("directory_entry").decode(single_object))
    if entry is not None and entry.state != state:
        raise InputError("the entry's State is not the State in its key", field="state")
    return entry
