"""Which signatures on a checkpoint count: those of the log's State, of its witnesses, and of time-stamping services.

One checkpoint at a time; `checkpoint_chain` compares them with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.x509 import Certificate

from sharing.audit.checkpoint import Checkpoint, verify_checkpoint
from sharing.audit.compact_range import CompactRange
from sharing.audit.cosignature import WITNESSES_DEFAULT, find_witnessed_at, verify_cosignatures
from sharing.audit.findings import AuditFault
from sharing.audit.origins import format_witness
from sharing.audit.signed_note import NoteSignature, SignedNote
from sharing.audit.time_stamp import verify_checkpoint_stamp
from sharing.model.times import DAY_MS
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import KEEP_ENDED_GATE_DAYS

Report = Callable[[AuditFault, int | None, int | None, str], None]
"""Called with what is wrong, the offset of the record, the number of blocks in the checkpoint, and a sentence."""

_NAME_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """Whose signatures count.

    Attributes:
        keys: Online keys of the State whose log it is.
        witnesses: Online keys of the other States whose cosignatures count.
        required: How many of these must have cosigned.
        now: The reader's clock, in UTC milliseconds.
        stamp_roots: The roots of the trusted time-stamping services; without any, no time stamp is checked.
        newest_stamp_only: Whether `CheckpointChain.finish` verifies only the newest valid time stamp of the log.
    """

    keys: TrustedKeys
    witnesses: Mapping[str, TrustedKeys]
    now: int
    required: int = WITNESSES_DEFAULT
    stamp_roots: Sequence[Certificate] = ()
    newest_stamp_only: bool = False


@dataclass(frozen=True, slots=True)
class KnownCheckpoint:
    """A checkpoint that the State has signed.

    Attributes:
        checkpoint: The checkpoint, with all its signatures; once they are verified, with those that count.
        offset: Offset of its record; None if it came from elsewhere.
        cosigned_by: The States that have cosigned it, with the time in UTC milliseconds.
        witnessed_at: When enough of them had cosigned it, in UTC milliseconds; None if they have not.
        before: The leaves that it covers, if the next checkpoint's proof contains them.
        time_stamps: Time stamps of services on its text; once they are verified, those that count.
        stamped_at: The earliest time in them, in UTC milliseconds; None if none counts, or none is verified.
        is_trusted: False if its key was revoked, or ended so long ago that it is no longer listed. Then it is not
            evidence, but what contradicts it is suspicious.
    """

    checkpoint: Checkpoint
    offset: int | None
    cosigned_by: Mapping[str, int] = field(default_factory=dict)
    witnessed_at: int | None = None
    before: CompactRange | None = None
    time_stamps: tuple[bytes, ...] = ()
    stamped_at: int | None = None
    is_trusted: bool = True


class CheckpointVerifier:
    """Verifies the signatures of checkpoints.

    Args:
        policy: Whose signatures count.
        report: Called for each that is wrong.
    """

    def __init__(self, policy: CheckpointPolicy, report: Report) -> None:
        self._policy = policy
        self._report = report

    def verify(self, each: KnownCheckpoint) -> KnownCheckpoint | None:
        """Return a checkpoint with those of its signatures that count; None if its State has not signed it."""
        policy, checkpoint = self._policy, each.checkpoint
        found, faults = verify_cosignatures(checkpoint, policy.witnesses, now=policy.now)
        for fault in faults:
            if not self._is_past(fault, checkpoint):
                self._report(AuditFault.COSIGNATURE_INVALID, each.offset, checkpoint.size, str(fault))
        witnessed_at = find_witnessed_at(found.values(), policy.required)
        if witnessed_at is None:
            self._report_strangers(each)
        own = self._verify_own(each, witnessed_at)
        if own is None:
            return None
        if not own:
            return replace(each, is_trusted=False)
        cosigned = dict(sorted(found.items()))
        note = SignedNote(checkpoint.note.text, (own[0], *(verified.signature for verified in cosigned.values())))
        counted = replace(
            each,
            checkpoint=replace(checkpoint, note=note),
            cosigned_by={state: verified.cosigned_at for state, verified in cosigned.items()},
            witnessed_at=witnessed_at,
        )
        return counted if policy.newest_stamp_only else self.verify_stamps(counted)

    def verify_stamps(self, each: KnownCheckpoint) -> KnownCheckpoint:
        """Return a checkpoint with the time stamps that count, the earliest first."""
        policy, found = self._policy, []
        if not policy.stamp_roots:
            return each
        for stamp in each.time_stamps:
            try:
                found.append((verify_checkpoint_stamp(stamp, each.checkpoint, policy.stamp_roots, policy.now), stamp))
            except TrustError as error:
                self._report(AuditFault.TIME_STAMP_INVALID, each.offset, each.checkpoint.size, str(error))
        found.sort()
        stamps = tuple(stamp for _, stamp in found)
        return replace(each, time_stamps=stamps, stamped_at=found[0][0] if found else None)

    def _verify_own(self, each: KnownCheckpoint, witnessed_at: int | None) -> list[NoteSignature] | None:
        """Return the State's signatures that count; None if there are none because one is wrong or all are missing.

        A key that ended long ago is no longer listed, and a revoked one counts only for what others saw before. Neither
        is a fault of the log: later checkpoints cover what these would.
        """
        policy, checkpoint = self._policy, each.checkpoint
        own = [signature for signature in checkpoint.note.signatures if signature.name == checkpoint.origin]
        counted, is_wrong = [], not own
        for signature in own:
            alone = replace(checkpoint, note=SignedNote(checkpoint.note.text, (signature,)))
            try:
                verify_checkpoint(alone, policy.keys, now=policy.now, arrived_at=witnessed_at)
                counted.append(signature)
            except TrustError as error:
                if not self._is_past(error, checkpoint):
                    is_wrong = True
                    self._report(AuditFault.CHECKPOINT_UNTRUSTED, each.offset, checkpoint.size, str(error))
        if not own:
            sentence = f"a checkpoint of {checkpoint.size} blocks has no signature of {checkpoint.place.state}"
            self._report(AuditFault.CHECKPOINT_UNTRUSTED, each.offset, checkpoint.size, sentence)
        return None if is_wrong and not counted else counted

    def _is_past(self, fault: TrustError, checkpoint: Checkpoint) -> bool:
        """Return whether a signature does not count only because its key was revoked or is no longer listed."""
        is_old = checkpoint.signed_at < self._policy.now - KEEP_ENDED_GATE_DAYS * DAY_MS
        return fault.fault is TrustFault.REVOKED or (fault.fault is TrustFault.UNKNOWN_KEY and is_old)

    def _report_strangers(self, each: KnownCheckpoint) -> None:
        """Report signatures by unknown names on a checkpoint that might otherwise be witnessed."""
        known = {format_witness(state) for state in self._policy.witnesses} | {each.checkpoint.origin}
        for signature in each.checkpoint.note.signatures:
            if signature.name not in known:
                sentence = f"{_to_name(signature.name)} has signed a checkpoint, but no root of such a State is pinned"
                self._report(AuditFault.COSIGNATURE_INVALID, each.offset, each.checkpoint.size, sentence)


def _to_name(text: str) -> str:
    """Return the name of a key for messages: anybody may have chosen it."""
    return text if len(text) <= _NAME_MAX and text.isprintable() else "?"
