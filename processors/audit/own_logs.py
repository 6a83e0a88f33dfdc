"""Collects the cosignatures and time stamps of the State's own checkpoints, and publishes them.

A cosignature comes with a reply of the witness, a moment after the checkpoint. It joins the checkpoint here, and the
newest record of the log is written once more, with the checkpoints that were cosigned: so everyone knows within seconds
what is witnessed, even for a log that no longer grows.

A time stamp comes from `TimeStampSource`, at any time or never, and is published in the same way. From time to time the
newest checkpoint of a log must be stamped: its time stamp covers all blocks before it. What is already stamped is in
the state store, so a worker that was killed asks again for what its last transaction has not written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from processors.audit.witness_state import OwnCheckpoints
from processors.exactly_once.batch import OutputRecord
from processors.inbox.refusals import RefusalError
from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint, read_checkpoint, read_tree_head, verify_checkpoint
from sharing.audit.checkpoint_record import (
    EARLIER_MAX,
    SCHEMA,
    CheckpointRecord,
    EarlierCheckpoint,
    read_checkpoint_record,
)
from sharing.audit.cosignature import verify_cosignature
from sharing.audit.origins import format_origin, format_witness
from sharing.audit.witnessing import Sighting
from sharing.serialization.codec import HEADER_LENGTH
from sharing.topology.topics import CHECKPOINTS

if TYPE_CHECKING:
    from processors.audit.time_stamp_source import TimeStampSource
    from processors.audit.witness_result import WitnessResult
    from processors.audit.witness_state import WitnessStore
    from sharing.audit.signed_note import SignedNote
    from sharing.model.vocabulary import AuditLogName
    from sharing.serialization.framing import Framing
    from sharing.trust.key_statement import TrustedKeys


class OwnLogs:
    """The checkpoints of the State's own logs, while a batch is processed.

    Args:
        state: The State.
        store: The entries of the state store.
        framing: How records are framed.
        now_ms: The time, in UTC milliseconds.
        result: Receives the counts.
        stamps: Where time stamps come from; None if no service is configured.
    """

    def __init__(
        self,
        state: str,
        store: WitnessStore,
        framing: Framing,
        now_ms: int,
        result: WitnessResult,
        stamps: TimeStampSource | None = None,
    ) -> None:
        self._stamps = stamps
        self._state = state
        self._topic = CHECKPOINTS.topic(state)
        self._store = store
        self._header = framing.get_header(SCHEMA)
        self._now_ms = now_ms
        self._result = result
        self._gained: dict[tuple[int, str], dict[bytes, bytes | None]] = {}
        """The texts of the checkpoints of each log that got cosignatures or a time stamp, with the time stamp."""

    def note_checkpoint(self, partition: int, read: CheckpointRecord) -> None:
        """Keep a new checkpoint of an own log; cosignatures will follow.

        Args:
            partition: Its partition.
            read: The record, which was compared with what was seen before.
        """
        log, note = read.checkpoint.place.log, read.checkpoint.note
        own = self._store.find_own(partition, log) or OwnCheckpoints()
        if own.find(note.text) is not None:  # written again by this worker
            return
        if own.notes and read.checkpoint.size < read_checkpoint_record(own.record).checkpoint.size:
            return
        self._store.keep_own(partition, log, own.add_checkpoint(read.encode(), note, self._now_ms))

    def collect(self, cosigned: Checkpoint, witness: TrustedKeys, own_keys: TrustedKeys | None) -> None:
        """Join the cosignature of another State to an own checkpoint.

        Args:
            cosigned: The checkpoint with the cosignature.
            witness: Online keys of the State that cosigns.
            own_keys: The State's own online keys, as everyone reads them; None if its own root is not pinned.

        Raises:
            RefusalError: It has no cosignature of that State, or proves a different history of the log.
            TrustError: A signature does not count.
        """
        partition, log, text = cosigned.place.partition, cosigned.place.log, cosigned.note.text
        own = self._store.find_own(partition, log)
        if own is None or own.find(text) is None:
            self._require_same_history(cosigned, witness.state, own_keys)
            return
        name = format_witness(witness.state)
        signatures = [each for each in cosigned.note.signatures if each.name == name]
        if not signatures:
            raise RefusalError("MALFORMED", f"{witness.state}: the cosignature is not one of that State")
        for signature in signatures:
            verify_cosignature(text, signature, witness, now=self._now_ms)
        after = own.add_signatures(text, signatures)
        if after != own:
            self._result.received[witness.state] += 1
            self._store.keep_own(partition, log, after)
            self._gained.setdefault((partition, log), {}).setdefault(text)

    def collect_time_stamps(self) -> None:
        """Join the time stamps that have arrived to the own checkpoints."""
        if self._stamps is None:
            return
        for partition, log, own in self._store.list_own_logs():
            arrived = self._stamps.take(self._get_origin(partition, log))
            if arrived is None or own.find(arrived.text) is None:
                continue
            if read_tree_head(arrived.text).size > own.stamped_size:
                self._store.keep_own(partition, log, own.add_time_stamp(arrived.text, self._now_ms))
                self._gained.setdefault((partition, log), {})[arrived.text] = arrived.response
                self._result.stamped += 1

    def ask_for_time_stamps(self) -> None:
        """Ask for a time stamp of the newest checkpoint of each own log, and note in the result what is awaited."""
        if self._stamps is None:
            return
        wanted: dict[str, SignedNote] = {}
        for partition, log, own in self._store.list_own_logs():
            due = own.find_stamp_due(self._stamps.interval_ms)
            if 0 < due <= self._now_ms:
                wanted[self._get_origin(partition, log)] = own.notes[-1]
                self._result.unstamped_since = min(self._result.unstamped_since or due, due)
        self._stamps.ask(wanted)

    def _get_origin(self, partition: int, log: AuditLogName) -> str:
        """Return the origin of an own log."""
        return format_origin(LogPlace(self._state, log, partition))

    def write_gained(self) -> Iterator[OutputRecord]:
        """Yield, once, the newest record of each own log whose checkpoints got something, with these checkpoints."""
        gained, self._gained = self._gained, {}
        for (partition, log), texts in gained.items():
            own = self._store.find_own(partition, log)
            if own is None:
                continue
            newest = read_checkpoint_record(own.record)
            notes = [note for text in list(texts)[-EARLIER_MAX:] if (note := own.find(text)) is not None]
            earlier = tuple(EarlierCheckpoint(read_checkpoint(note.to_bytes()), texts[note.text]) for note in notes)
            value = self._header + replace(newest, earlier=earlier).encode()[HEADER_LENGTH:]
            yield OutputRecord(self._topic, newest.checkpoint.origin.encode(), value, None, partition)

    def _require_same_history(self, cosigned: Checkpoint, witness: str, own_keys: TrustedKeys | None) -> None:
        """Find out whether a checkpoint that this worker does not know belongs to a different history.

        Raises:
            RefusalError: It has the signature of the State's own key, and contradicts what the State has signed.
            TrustError: It contradicts that, and the State has not signed it.
        """
        partition, origin = cosigned.place.partition, cosigned.origin
        log = self._store.find_seen(partition, origin)
        if log is None or own_keys is None:
            return
        for note in log.seen:
            seen = read_checkpoint(note)
            if seen.size == cosigned.size and seen.root != cosigned.root:
                verify_checkpoint(cosigned, own_keys, now=self._now_ms)
                evidence = (note, cosigned.note.to_bytes())
                self._store.keep_seen(partition, origin, replace(log, evidence=evidence))
                self._result.sightings[self._state, Sighting.FORK.value] += 1
                raise RefusalError(
                    "AUDIT_FORK",
                    f"{witness} has cosigned another history of {origin}, signed by a gate key of this State: somebody "
                    "else has that key, or an old copy of the state store was restored",
                )
