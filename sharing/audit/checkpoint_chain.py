"""The checkpoints of one log, read in order and verified: signatures, cosignatures, and the order of growth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.x509 import Certificate

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint, verify_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, EarlierCheckpoint, read_checkpoint_record
from sharing.audit.compact_range import CompactRange
from sharing.audit.cosignature import WITNESSES_DEFAULT, find_witnessed_at, verify_cosignatures
from sharing.audit.findings import AuditFault, AuditFinding
from sharing.audit.origins import format_witness
from sharing.audit.proofs import extract_range
from sharing.audit.signed_note import SignedNote
from sharing.audit.time_stamp import verify_checkpoint_stamp
from sharing.errors import DecodeError
from sharing.model.times import DAY_MS
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import KEEP_ENDED_GATE_DAYS, TrustedKeys

_NAME_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """Whose signatures count.

    Attributes:
        keys: Online keys of the State whose log it is.
        witnesses: Online keys of the other States whose cosignatures count.
        required: How many of these must have cosigned.
        now: The reader's clock, in UTC milliseconds.
        stamp_roots: The roots of the time-stamping services that are believed; without any, no time stamp is looked at.
    """

    keys: TrustedKeys
    witnesses: Mapping[str, TrustedKeys]
    now: int
    required: int = WITNESSES_DEFAULT
    stamp_roots: Sequence[Certificate] = ()


@dataclass(frozen=True, slots=True)
class KnownCheckpoint:
    """A checkpoint that the State has signed.

    Attributes:
        checkpoint: The checkpoint, with all its cosignatures.
        offset: Offset of its record; None if it came from elsewhere.
        cosigned_by: The States that have cosigned it, with the time in UTC milliseconds.
        witnessed_at: When enough of them had, in UTC milliseconds; None if they have not.
        before: The leaves that it covers, if the next checkpoint's proof contains them.
        time_stamps: Time stamps of services on its text; once it is verified, those that count.
        stamped_at: The earliest time in them, in UTC milliseconds; None if none counts.
        is_trusted: False if its key was revoked, or has ended so long ago that it is not listed any more. Then it is no
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


class CheckpointChain:
    """The checkpoints of one log. Feed it the records in their order, then call `finish`."""

    def __init__(self, place: LogPlace, policy: CheckpointPolicy) -> None:
        """Begin with no checkpoint.

        Args:
            place: The log.
            policy: Whose signatures count.
        """
        self.findings: list[AuditFinding] = []
        self._place = place
        self._policy = policy
        self._records: list[tuple[int, CheckpointRecord]] = []
        self._repeated: list[tuple[int, CheckpointRecord]] = []
        self._texts: set[bytes] = set()
        self._elsewhere: list[Checkpoint] = []

    def receive(self, offset: int, value: bytes | None) -> None:
        """Receive a record of `checkpoints.<st>` about this log, in single-object encoding.

        The same checkpoint may come again, with what others have cosigned since.
        """
        try:
            record = read_checkpoint_record(value)
        except DecodeError as error:
            self._report(AuditFault.CHECKPOINT_MALFORMED, offset, None, str(error))
            return
        if record.checkpoint.place != self._place:
            sentence = f"a checkpoint of {record.checkpoint.origin} stands among those of another log"
            self._report(AuditFault.CHECKPOINT_MALFORMED, offset, None, sentence)
            return
        text = record.checkpoint.note.text
        if text in self._texts:
            self._repeated.append((offset, record))
            return
        self._texts.add(text)
        self._check_order(offset, record)
        self._records.append((offset, record))

    def add_seen(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Add checkpoints of this log that were seen elsewhere, such as by a witness, with all their signatures."""
        self._elsewhere += [each for each in checkpoints if each.place == self._place]

    def finish(self) -> list[KnownCheckpoint]:
        """Return the checkpoints that the State has signed, the smallest first, of all sizes and roots.

        Those whose signature does not count any more are among them, and marked.
        """
        known = list(self._collect().values())
        trusted = [verified for each in known if (verified := self._verify(each)) is not None]
        trusted.sort(key=lambda each: (each.checkpoint.size, each.checkpoint.signed_at))
        self._find_forks(trusted)
        return trusted

    def find_covering(self, block: int) -> KnownCheckpoint | None:
        """Return the smallest checkpoint of a block that is witnessed; if there is none, the largest that is signed.

        One that is time-stamped as well is preferred. Only as many signatures are verified as that needs.

        Args:
            block: Number of the block.
        """
        covering = [each for each in self._collect().values() if each.checkpoint.size > block]
        covering.sort(key=lambda each: (each.checkpoint.size, each.checkpoint.signed_at))
        if self._policy.stamp_roots:
            for verified in self._list_trusted(each for each in covering if each.time_stamps):
                if verified.witnessed_at is not None and verified.stamped_at is not None:
                    return verified
        largest: KnownCheckpoint | None = None
        for verified in self._list_trusted(covering):
            if verified.witnessed_at is not None:
                return verified
            largest = verified
        return largest

    def _list_trusted(self, known: Iterable[KnownCheckpoint]) -> Iterator[KnownCheckpoint]:
        for each in known:
            verified = self._verify(each)
            if verified is not None and verified.is_trusted:
                yield verified

    def _check_order(self, offset: int, record: CheckpointRecord) -> None:
        checkpoint = record.checkpoint
        if not self._records:
            if record.previous_size:
                sentence = f"checkpoints of less than {record.previous_size} blocks are missing"
                self._report(AuditFault.CHECKPOINT_GAP, offset, 0, sentence)
            return
        last = self._records[-1][1].checkpoint
        if checkpoint.size < last.size:
            sentence = f"a checkpoint of {checkpoint.size} blocks comes after one of {last.size}"
            self._report(AuditFault.CHECKPOINT_ROLLED_BACK, offset, checkpoint.size, sentence)
        elif record.previous_size != last.size:
            sentence = (
                f"a checkpoint continues one of {record.previous_size} blocks, but before it is one of {last.size}"
            )
            self._report(AuditFault.CHECKPOINT_GAP, offset, last.size, sentence)
        elif not record.follows(last.size, last.root):
            sentence = (
                f"a checkpoint does not prove that its {checkpoint.size} blocks begin with those {last.size} before"
            )
            self._report(AuditFault.CHECKPOINT_INCONSISTENT, offset, last.size, sentence)

    def _collect(self) -> dict[bytes, KnownCheckpoint]:
        """Return every checkpoint once, by its text, with the signatures of all its copies."""
        known: dict[bytes, KnownCheckpoint] = {}
        for offset, record in (*self._records, *self._repeated):
            _merge(known, KnownCheckpoint(record.checkpoint, offset))
            for earlier in record.earlier:
                _merge(known, KnownCheckpoint(earlier.checkpoint, offset, time_stamps=_list_stamps(earlier)))
        for checkpoint in self._elsewhere:
            _merge(known, KnownCheckpoint(checkpoint, None))
        for (_, record), (_, following) in zip(self._records, self._records[1:], strict=False):
            checkpoint = record.checkpoint
            if following.previous_size == checkpoint.size and following.follows(checkpoint.size, checkpoint.root):
                text = checkpoint.note.text
                larger, proof = following.checkpoint.size, following.consistency
                before = extract_range(checkpoint.size, checkpoint.root, larger, proof)
                known[text] = replace(known[text], before=before)
        return known

    def _verify(self, each: KnownCheckpoint) -> KnownCheckpoint | None:
        policy, checkpoint = self._policy, each.checkpoint
        found, faults = verify_cosignatures(checkpoint, policy.witnesses, now=policy.now)
        for fault in faults:
            if not self._is_past(fault, checkpoint):
                self._report(AuditFault.COSIGNATURE_INVALID, each.offset, checkpoint.size, str(fault))
        witnessed_at = find_witnessed_at(found.values(), policy.required)
        if witnessed_at is None:
            self._report_strangers(each)
        is_trusted = self._verify_own(each, witnessed_at)
        if is_trusted is None:
            return None
        if not is_trusted:
            return replace(each, is_trusted=False)
        times = {state: verified.cosigned_at for state, verified in sorted(found.items())}
        return self._verify_stamps(replace(each, cosigned_by=times, witnessed_at=witnessed_at))

    def _verify_stamps(self, each: KnownCheckpoint) -> KnownCheckpoint:
        """Return a checkpoint with the time stamps that count, the earliest first."""
        policy, found = self._policy, []
        for stamp in each.time_stamps if policy.stamp_roots else ():
            try:
                found.append((verify_checkpoint_stamp(stamp, each.checkpoint, policy.stamp_roots, policy.now), stamp))
            except TrustError as error:
                self._report(AuditFault.TIME_STAMP_INVALID, each.offset, each.checkpoint.size, str(error))
        found.sort()
        stamps = tuple(stamp for _, stamp in found)
        return replace(each, time_stamps=stamps, stamped_at=found[0][0] if found else None)

    def _verify_own(self, each: KnownCheckpoint, witnessed_at: int | None) -> bool | None:
        """Return whether the State's signatures count; None if one of them is wrong or missing.

        A key that has ended long ago is not listed any more, and one that was revoked counts only for what others saw
        before. Neither is a fault of the log: later checkpoints cover what these would.
        """
        policy, checkpoint = self._policy, each.checkpoint
        own = [signature for signature in checkpoint.note.signatures if signature.name == checkpoint.origin]
        is_trusted, is_wrong = False, not own
        for signature in own:
            alone = replace(checkpoint, note=SignedNote(checkpoint.note.text, (signature,)))
            try:
                verify_checkpoint(alone, policy.keys, now=policy.now, arrived_at=witnessed_at)
                is_trusted = True
            except TrustError as error:
                if not self._is_past(error, checkpoint):
                    is_wrong = True
                    self._report(AuditFault.CHECKPOINT_UNTRUSTED, each.offset, checkpoint.size, str(error))
        if not own:
            sentence = f"a checkpoint of {checkpoint.size} blocks has no signature of {self._place.state}"
            self._report(AuditFault.CHECKPOINT_UNTRUSTED, each.offset, checkpoint.size, sentence)
        return None if is_wrong and not is_trusted else is_trusted

    def _is_past(self, fault: TrustError, checkpoint: Checkpoint) -> bool:
        """Return whether a signature does not count only because its key was revoked, or is not listed any more."""
        is_old = checkpoint.signed_at < self._policy.now - KEEP_ENDED_GATE_DAYS * DAY_MS
        return fault.fault is TrustFault.REVOKED or (fault.fault is TrustFault.UNKNOWN_KEY and is_old)

    def _report_strangers(self, each: KnownCheckpoint) -> None:
        """Report signatures by unknown names on a checkpoint that would otherwise perhaps be witnessed."""
        known = {format_witness(state) for state in self._policy.witnesses} | {each.checkpoint.origin}
        for signature in each.checkpoint.note.signatures:
            if signature.name not in known:
                sentence = f"{to_name(signature.name)} has signed a checkpoint, and no root of such a State is pinned"
                self._report(AuditFault.COSIGNATURE_INVALID, each.offset, each.checkpoint.size, sentence)

    def _find_forks(self, trusted: list[KnownCheckpoint]) -> None:
        first: dict[int, KnownCheckpoint] = {}
        for each in trusted:
            if not each.is_trusted:
                continue
            checkpoint = each.checkpoint
            other = first.setdefault(checkpoint.size, each)
            if other.checkpoint.root != checkpoint.root:
                sentence = f"{self._place.state} has signed two checkpoints of {checkpoint.size} blocks that contradict"
                self._report(AuditFault.FORK, each.offset, checkpoint.size, f"{sentence} each other")

    def _report(self, fault: AuditFault, offset: int | None, block: int | None, sentence: str) -> None:
        self.findings.append(
            AuditFinding(fault, self._place, in_checkpoints=True, offset=offset, block=block, sentence=sentence)
        )


def _merge(known: dict[bytes, KnownCheckpoint], each: KnownCheckpoint) -> None:
    """Add a checkpoint to those that are known. Every signature is kept, also two different ones by one key."""
    text = each.checkpoint.note.text
    present = known.get(text)
    if present is None:
        known[text] = each
        return
    signatures = dict.fromkeys((*present.checkpoint.note.signatures, *each.checkpoint.note.signatures))
    checkpoint = replace(present.checkpoint, note=SignedNote(text, tuple(signatures)))
    known[text] = replace(
        present, checkpoint=checkpoint, time_stamps=tuple(dict.fromkeys((*present.time_stamps, *each.time_stamps)))
    )


def _list_stamps(earlier: EarlierCheckpoint) -> tuple[bytes, ...]:
    return () if earlier.time_stamp is None else (earlier.time_stamp,)


def to_name(text: str) -> str:
    """Return the name of a key, which anybody may have chosen, for messages."""
    return text if len(text) <= _NAME_MAX and text.isprintable() else "?"
