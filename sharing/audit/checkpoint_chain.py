"""The checkpoints of one log, read in order and verified: signatures, cosignatures, and the order of growth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, EarlierCheckpoint, read_checkpoint_record
from sharing.audit.checkpoint_verifier import CheckpointPolicy, CheckpointVerifier, KnownCheckpoint
from sharing.audit.findings import AuditFault, AuditFinding
from sharing.audit.proofs import extract_range
from sharing.audit.signed_note import SignedNote
from sharing.errors import DecodeError


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
        self._verifier = CheckpointVerifier(policy, self._report)
        self._records: list[tuple[int, CheckpointRecord]] = []
        self._repeated: list[tuple[int, CheckpointRecord]] = []
        self._texts: set[bytes] = set()
        self._elsewhere: list[Checkpoint] = []

    def receive(self, offset: int, value: bytes | None) -> None:
        """Receive a record of `checkpoints.<st>` about this log, in single-object encoding.

        The same checkpoint may come again, with the cosignatures that it has got since.
        """
        try:
            record = read_checkpoint_record(value)
        except DecodeError as error:
            self._report(AuditFault.CHECKPOINT_MALFORMED, offset, None, str(error))
            return
        if record.checkpoint.place != self._place:
            sentence = f"a checkpoint of {record.checkpoint.origin} is among those of another log"
            self._report(AuditFault.CHECKPOINT_MALFORMED, offset, None, sentence)
            return
        text = record.checkpoint.note.text
        if text in self._texts:
            self._repeated.append((offset, record))
            return
        self._texts.add(text)
        self._check_order(offset, record)
        self._records.append((offset, record))

    def report_unreadable(self, offset: int, sentence: str) -> None:
        """Report that records cannot be read: a checkpoint of this log may be in them."""
        self._report(AuditFault.UNREADABLE, offset, None, sentence)

    def add_seen(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Add checkpoints of this log that were seen elsewhere, such as by a witness, with all their signatures."""
        self._elsewhere += [each for each in checkpoints if each.place == self._place]

    def finish(self) -> list[KnownCheckpoint]:
        """Return the checkpoints that the State has signed, the smallest first, of all sizes and roots.

        Those whose signature no longer counts are included, and marked.
        """
        known = list(self._collect().values())
        trusted = [verified for each in known if (verified := self._verifier.verify(each)) is not None]
        trusted.sort(key=lambda each: (each.checkpoint.size, each.checkpoint.signed_at))
        self._find_forks(trusted)
        return self._verify_newest_stamp(trusted) if self._policy.newest_stamp_only else trusted

    def find_covering(self, block: int) -> KnownCheckpoint | None:
        """Return the smallest witnessed checkpoint that covers a block, if possible one that is also time-stamped.

        If none is witnessed, return the largest of those that most States have cosigned. No more signatures are
        verified than necessary.

        Args:
            block: Number of the block.
        """
        covering = [each for each in self._collect().values() if each.checkpoint.size > block]
        covering.sort(key=lambda each: (each.checkpoint.size, each.checkpoint.signed_at))
        if self._policy.stamp_roots:
            for verified in self._list_trusted(each for each in covering if each.time_stamps):
                if verified.witnessed_at is not None and verified.stamped_at is not None:
                    return verified
        best: KnownCheckpoint | None = None
        for verified in self._list_trusted(covering):
            if verified.witnessed_at is not None:
                return verified
            if best is None or len(verified.cosigned_by) >= len(best.cosigned_by):
                best = verified
        return best

    def _list_trusted(self, known: Iterable[KnownCheckpoint]) -> Iterator[KnownCheckpoint]:
        for each in known:
            verified = self._verifier.verify(each)
            if verified is not None and verified.is_trusted:
                yield verified

    def _check_order(self, offset: int, record: CheckpointRecord) -> None:
        checkpoint = record.checkpoint
        if not self._records:
            if record.previous_size:
                sentence = f"checkpoints of fewer than {record.previous_size} blocks are missing"
                self._report(AuditFault.CHECKPOINT_GAP, offset, 0, sentence)
            return
        last = self._records[-1][1].checkpoint
        if checkpoint.size < last.size:
            sentence = f"a checkpoint of {checkpoint.size} blocks comes after one of {last.size}"
            self._report(AuditFault.CHECKPOINT_ROLLED_BACK, offset, checkpoint.size, sentence)
        elif record.previous_size != last.size:
            sentence = (
                f"a checkpoint continues one of {record.previous_size} blocks, but the one before it has {last.size}"
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

    def _verify_newest_stamp(self, trusted: list[KnownCheckpoint]) -> list[KnownCheckpoint]:
        """Return the checkpoints; the largest one with a valid time stamp has it verified."""
        for place in reversed(range(len(trusted))):
            verified = self._verifier.verify_stamps(trusted[place]) if trusted[place].is_trusted else trusted[place]
            if verified.stamped_at is not None:
                return [*trusted[:place], verified, *trusted[place + 1 :]]
        return trusted

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
    """Add a checkpoint to those that are known. Every signature is kept, even two different ones by one key."""
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
