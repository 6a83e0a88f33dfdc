"""What a worker keeps about checkpoints, in the state store of the conversation's loop.

For each log of another State: what it has seen, so that it cannot be shown a different history (`audit/seen/`). For the
State's own logs: the same, plus the last checkpoints with the cosignatures that have arrived, and how far they are
time-stamped (`audit/own/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from processors.audit.log_writer import LOG_KEY_PREFIX
from processors.exactly_once.state_entries import decode_entry, encode_entry
from sharing.audit.checkpoint import read_tree_head
from sharing.audit.origins import parse_witness
from sharing.audit.signed_note import NoteSignature, SignedNote, read_note
from sharing.audit.witnessing import WitnessedLog
from sharing.model.vocabulary import AuditLogName

if TYPE_CHECKING:
    from processors.exactly_once.overlay import Overlay

OWN_NOTES_MAX: Final = 16
"""How many own checkpoints are kept: cosignatures of older ones come too late."""

SEEN_PREFIX: Final = LOG_KEY_PREFIX + b"seen/"
_OWN_PREFIX: Final = LOG_KEY_PREFIX + b"own/"


@dataclass(frozen=True, slots=True)
class OwnCheckpoints:
    """The last checkpoints of one of the State's own logs. All methods return a new object.

    Attributes:
        record: The record of the newest one, in single-object encoding.
        notes: The notes, the newest last, with the cosignatures that have arrived.
        seen_at: When each was first read, in UTC milliseconds.
        stamped_size: Number of blocks of the largest one that has a time stamp; 0 if none has.
        stamped_at: When that time stamp was written, in UTC milliseconds; 0 if there is none.
        unstamped_since: When the first larger one was read, in UTC milliseconds; 0 if there is none.
    """

    record: bytes = b""
    notes: tuple[SignedNote, ...] = ()
    seen_at: tuple[int, ...] = ()
    stamped_size: int = 0
    stamped_at: int = 0
    unstamped_since: int = 0

    def find(self, text: bytes) -> SignedNote | None:
        """Return the note with a text, or None."""
        return next((note for note in self.notes if note.text == text), None)

    def add_checkpoint(self, record: bytes, note: SignedNote, now_ms: int) -> OwnCheckpoints:
        """Return them with a newer one."""
        notes, times = (*self.notes, note), (*self.seen_at, now_ms)
        return replace(
            self,
            record=record,
            notes=notes[-OWN_NOTES_MAX:],
            seen_at=times[-OWN_NOTES_MAX:],
            unstamped_since=self.unstamped_since or now_ms,
        )

    def add_signatures(self, text: bytes, signatures: Iterable[NoteSignature]) -> OwnCheckpoints:
        """Return them with cosignatures of the one with this text."""
        added = tuple(signatures)
        return replace(self, notes=tuple(note.add(added) if note.text == text else note for note in self.notes))

    def add_time_stamp(self, text: bytes, now_ms: int) -> OwnCheckpoints:
        """Return them with a time stamp of the one with this text, which covers those before it."""
        size = read_tree_head(text).size
        later = [at for note, at in zip(self.notes, self.seen_at, strict=True) if read_tree_head(note.text).size > size]
        return replace(self, stamped_size=size, stamped_at=now_ms, unstamped_since=later[0] if later else 0)

    def find_stamp_due(self, interval_ms: int) -> int:
        """Return since when the newest one has been due for stamping, in UTC milliseconds; 0 if it is stamped.

        Args:
            interval_ms: How long after a time stamp was written the next one is due.
        """
        if not self.unstamped_since or not self.stamped_at:
            return self.unstamped_since
        return max(self.unstamped_since, self.stamped_at + interval_ms)

    def find_waiting_since(self, witness: str) -> int | None:
        """Return since when a State's cosignature has been awaited, in UTC milliseconds; None if none is.

        A State that cosigns a checkpoint has verified that it continues those before it.
        """
        waiting: int | None = None
        for note, seen_at in zip(reversed(self.notes), reversed(self.seen_at), strict=True):
            if any(parse_witness(signature.name) == witness for signature in note.signatures):
                break
            waiting = seen_at
        return waiting

    def to_fields(self) -> dict[str, Any]:
        """Return the fields of its entry in a state store."""
        return {
            "record": self.record,
            "notes": [note.to_bytes() for note in self.notes],
            "seen_at": list(self.seen_at),
            "stamped_size": self.stamped_size,
            "stamped_at": self.stamped_at,
            "unstamped_since": self.unstamped_since,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> OwnCheckpoints:
        """Return what `to_fields` returned."""
        notes, times = tuple(map(read_note, fields["notes"])), tuple(fields["seen_at"])
        stamped = (fields["stamped_size"], fields["stamped_at"], fields["unstamped_since"])
        return cls(fields["record"], notes, times, *stamped)


class WitnessMemory:
    """Remembered between batches so that entries are not decoded again in each. It can be derived from the store."""

    def __init__(self) -> None:
        self.own: dict[bytes, tuple[bytes, OwnCheckpoints]] = {}
        self.forked: dict[int, tuple[object, frozenset[str]]] = {}


class WitnessStore:
    """Reads and writes these entries in the view of one batch.

    Args:
        view: The batch's view of the state store.
        memory: What is remembered between batches.
    """

    def __init__(self, view: Overlay, memory: WitnessMemory) -> None:
        self._view = view
        self._memory = memory

    def find_seen(self, partition: int, origin: str) -> WitnessedLog | None:
        """Return what was seen of a log; None if nothing was."""
        encoded = self._view.get(partition, _make_seen_key(origin))
        return None if encoded is None else WitnessedLog.from_fields(decode_entry(encoded, "witnessed_log"))

    def keep_seen(self, partition: int, origin: str, log: WitnessedLog) -> None:
        """Keep what was seen of a log."""
        self._view.put(partition, _make_seen_key(origin), encode_entry("witnessed_log", log.to_fields()))
        if log.evidence:
            copy = self._view.identify_copy(partition)
            self._memory.forked[partition] = (copy, self._list_forked(partition) | {log.last.place.state})

    def find_own(self, partition: int, log: str) -> OwnCheckpoints | None:
        """Return the last checkpoints of an own log; None if there are none."""
        encoded = self._view.get(partition, _make_own_key(log))
        if encoded is None:
            return None
        name = b"%d/%b" % (partition, log.encode())
        known = self._memory.own.get(name)
        if known is None or known[0] != encoded:
            own = OwnCheckpoints.from_fields(decode_entry(encoded, "own_checkpoints"))
            known = self._memory.own[name] = (encoded, own)
        return known[1]

    def keep_own(self, partition: int, log: str, own: OwnCheckpoints) -> None:
        """Keep the last checkpoints of an own log."""
        self._view.put(partition, _make_own_key(log), encode_entry("own_checkpoints", own.to_fields()))

    def list_own_logs(self) -> Iterator[tuple[int, AuditLogName, OwnCheckpoints]]:
        """Yield partition, log and last checkpoints of all own logs in the partitions of this worker."""
        for partition in sorted(self._view.partitions):
            for log in AuditLogName:
                own = self.find_own(partition, log)
                if own is not None:
                    yield partition, log, own

    def list_forked(self) -> frozenset[str]:
        """Return the States that have signed two histories, as far as this worker's partitions show."""
        return frozenset(state for partition in self._view.partitions for state in self._list_forked(partition))

    def _list_forked(self, partition: int) -> frozenset[str]:
        """Return them for one partition, whose entries are scanned once for each copy of the store."""
        copy = self._view.identify_copy(partition)
        known = self._memory.forked.get(partition)
        if known is None or known[0] is not copy:
            entries = (
                WitnessedLog.from_fields(decode_entry(encoded, "witnessed_log"))
                for _, encoded in self._view.items(partition, SEEN_PREFIX)
            )
            forked = frozenset(log.last.place.state for log in entries if log.evidence)
            known = self._memory.forked[partition] = (copy, forked)
        return known[1]


def _make_seen_key(origin: str) -> bytes:
    return SEEN_PREFIX + origin.encode()


def _make_own_key(log: str) -> bytes:
    return _OWN_PREFIX + log.lower().encode()
