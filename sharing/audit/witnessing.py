"""What a witness does: it sees the checkpoints of another State's log, and cosigns those that are consistent.

Pure: the caller keeps the `WitnessedLog` of each log durably, and writes it in the same transaction as the cosignature,
or before. A witness that forgets what it has seen can be shown a different history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sharing.audit.checkpoint import Checkpoint, read_checkpoint, verify_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord
from sharing.audit.cosignature import cosign_checkpoint, verify_cosignatures
from sharing.model.times import format_time
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.signatures import SigningKey

REMEMBERED_MAX: Final = 16
"""How many checkpoints of a log a witness remembers, to compare with those that others have cosigned."""


class Sighting(StrEnum):
    """What a checkpoint is to a witness.

    Attributes:
        CONSISTENT: The log only grew, or is unchanged. It is cosigned.
        REPEATED: Exactly this checkpoint was seen before.
        FORK: The State has signed two different logs, as two signed checkpoints prove.
        INCONSISTENT: The State does not prove that the log only grew.
        ROLLED_BACK: The State has signed a shorter log after a longer one.
        GAP: Checkpoints are missing between what was seen and this one.
        UNTRUSTED: The State has not signed it by a gate key that counts.
    """

    CONSISTENT = "CONSISTENT"
    REPEATED = "REPEATED"
    FORK = "FORK"
    INCONSISTENT = "INCONSISTENT"
    ROLLED_BACK = "ROLLED_BACK"
    GAP = "GAP"
    UNTRUSTED = "UNTRUSTED"

    @property
    def is_alarm(self) -> bool:
        """Whether people must look at it."""
        return self not in {Sighting.CONSISTENT, Sighting.REPEATED}


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """What a witness knows of a log.

    Attributes:
        seen: The last checkpoints that were consistent, as notes, the newest last. At least one.
        first_size: Size of the log when this witness first saw it: it has not watched the log grow to that size.
        evidence: The two checkpoints that prove a fork, once there was one; empty until then. After a fork, nothing of
            this log is cosigned.
    """

    seen: tuple[bytes, ...]
    first_size: int
    evidence: tuple[bytes, ...] = ()

    @property
    def last(self) -> Checkpoint:
        """The newest checkpoint that was consistent."""
        return read_checkpoint(self.seen[-1])

    def to_fields(self) -> dict[str, Any]:
        """Return its fields for a state store."""
        return {"seen": list(self.seen), "first_size": self.first_size, "evidence": list(self.evidence)}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> WitnessedLog:
        """Return what `to_fields` returned."""
        return cls(tuple(fields["seen"]), fields["first_size"], tuple(fields["evidence"]))


@dataclass(frozen=True, slots=True)
class Observation:
    """The result for a checkpoint.

    Attributes:
        sighting: What it is.
        log: What the witness knows from now on; None if it never saw a good checkpoint of this log.
        checkpoint: The checkpoint.
        reason: One sentence for people.
        evidence: Checkpoints that prove it to others: for a fork, the two that contradict each other.
    """

    sighting: Sighting
    log: WitnessedLog | None
    checkpoint: Checkpoint
    reason: str
    evidence: tuple[bytes, ...] = ()

    def cosign(self, state: str, key: SigningKey, now: int) -> bytes | None:
        """Return the cosignature of this witness as a note; None if it must not cosign.

        Write `log` durably before sending it.

        Args:
            state: The State of the witness.
            key: Its gate key.
            now: Its clock, in UTC milliseconds.
        """
        if self.sighting is not Sighting.CONSISTENT or state == self.checkpoint.place.state:
            return None
        return cosign_checkpoint(self.checkpoint, state, key, now).to_bytes()


def observe_checkpoint(
    log: WitnessedLog | None,
    record: CheckpointRecord,
    keys: TrustedKeys,
    now: int,
    witnesses: Mapping[str, TrustedKeys] | None = None,
) -> Observation:
    """Return what a record of another State's checkpoints is to a witness.

    Args:
        log: What the witness knows of this log; None if it sees it for the first time.
        record: The record.
        keys: Online keys of the State whose log it is.
        now: The witness's clock, in UTC milliseconds.
        witnesses: Online keys of the other witnesses, whose cosignatures are compared with what was seen.

    Raises:
        ValueError: `log` is a different log.
    """
    checkpoint = record.checkpoint
    if log is not None and log.last.place != checkpoint.place:
        raise ValueError(f"{log.last.origin} is a different log from {checkpoint.origin}")
    try:
        verify_checkpoint(checkpoint, keys, now=now)
    except TrustError as error:
        return Observation(Sighting.UNTRUSTED, log, checkpoint, str(error))
    if log is None:
        return _accept(WitnessedLog((), checkpoint.size), checkpoint, "is seen for the first time")
    if log.evidence:
        return Observation(Sighting.FORK, log, checkpoint, "belongs to a log that has forked before", log.evidence)
    fork = _find_fork(log, record, keys, now, witnesses or {})
    if fork is not None:
        ours, theirs = fork
        evidence = (ours, theirs.note.to_bytes())
        reason = (
            f"{theirs.place.state} has signed two different logs {theirs.origin}: checkpoints of {theirs.size} blocks "
            "with different roots"
        )
        return Observation(Sighting.FORK, replace(log, evidence=evidence), checkpoint, reason, evidence)
    return _compare(log, record)


def _compare(log: WitnessedLog, record: CheckpointRecord) -> Observation:
    """Return the result for a record that does not contradict any of the remembered checkpoints."""
    last, checkpoint = log.last, record.checkpoint
    evidence = (log.seen[-1], checkpoint.note.to_bytes())
    if any(read_checkpoint(note).note.text == checkpoint.note.text for note in log.seen):
        return Observation(Sighting.REPEATED, log, checkpoint, "was seen before")
    if checkpoint.size < last.size:
        if checkpoint.signed_at <= last.signed_at:
            return Observation(Sighting.REPEATED, log, checkpoint, "is older than one that was seen before")
        reason = (
            f"has {checkpoint.size} blocks and was signed at {format_time(checkpoint.signed_at)}, but one that was "
            f"signed at {format_time(last.signed_at)} has {last.size}: blocks were removed"
        )
        return Observation(Sighting.ROLLED_BACK, log, checkpoint, reason, evidence)
    if checkpoint.size > last.size and record.previous_size != last.size:
        reason = (
            f"continues a log of {record.previous_size} blocks, but the last one that was seen has {last.size}: "
            "checkpoints between them are missing"
        )
        return Observation(Sighting.GAP, log, checkpoint, reason, evidence)
    if not record.follows(last.size, last.root):
        reason = f"does not prove that its {checkpoint.size} blocks begin with the {last.size} that were seen"
        return Observation(Sighting.INCONSISTENT, log, checkpoint, reason, evidence)
    return _accept(log, checkpoint, f"has {checkpoint.size - last.size} blocks more than the one before")


def _accept(log: WitnessedLog, checkpoint: Checkpoint, reason: str) -> Observation:
    seen = (*log.seen, checkpoint.note.to_bytes())[-REMEMBERED_MAX:]
    return Observation(Sighting.CONSISTENT, replace(log, seen=seen), checkpoint, reason)


def _find_fork(
    log: WitnessedLog,
    record: CheckpointRecord,
    keys: TrustedKeys,
    now: int,
    witnesses: Mapping[str, TrustedKeys],
) -> tuple[bytes, Checkpoint] | None:
    """Return two checkpoints that the State has signed for the same size with different roots: the one in `log` first.

    What others have cosigned counts only with the State's own signature: a witness cannot accuse the State by a text
    alone.
    """
    seen = {checkpoint.size: (checkpoint, note) for note in log.seen for checkpoint in (read_checkpoint(note),)}
    for shown in (record.checkpoint, *(each.checkpoint for each in record.earlier)):
        ours, note = seen.get(shown.size, (None, b""))
        if ours is None or ours.root == shown.root:
            continue
        if shown is record.checkpoint or _is_genuine(shown, keys, now, witnesses):
            return note, shown
    return None


def _is_genuine(shown: Checkpoint, keys: TrustedKeys, now: int, witnesses: Mapping[str, TrustedKeys]) -> bool:
    cosignatures = verify_cosignatures(shown, witnesses, now=now)[0].values()
    arrived_at = min((each.cosigned_at for each in cosignatures), default=None)
    try:
        verify_checkpoint(shown, keys, now=now, arrived_at=arrived_at)
    except TrustError:
        return False
    return True
