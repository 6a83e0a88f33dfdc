"""Whether a log is complete, in order and unchanged, and up to which block other States have witnessed it.

A verifier reads the blocks of one partition once, in order, and keeps only a compact range of them. It compares

- each block with its head: the root over its entries, and its canonical form;
- each head with the previous block: numbers, and the hash of that block's head;
- the tree over all heads with every checkpoint that the State has signed.

Where blocks are missing, it continues from the next checkpoint: the proof that comes with the one after it contains the
tree up to there. A block whose hash is named by a block that a checkpoint covers is covered as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sharing.audit.block import AuditBlock, LogPlace, read_block
from sharing.audit.checkpoint_coverage import CheckpointCoverage
from sharing.audit.checkpoint_verifier import KnownCheckpoint
from sharing.audit.compact_range import CompactRange
from sharing.audit.findings import AuditFault, AuditFinding
from sharing.audit.log_head import NO_BLOCK
from sharing.audit.stamp_coverage import LateStamp, StampCoverage
from sharing.errors import DecodeError
from sharing.model.times import HOUR_MS
from sharing.serialization.codec import HEADER_LENGTH
from sharing.sign.merkle_tree import compute_root

TIME_TOLERANCE_MS: Final = HOUR_MS
"""How much earlier the timestamp of a record may be than the time in its block: an old timestamp lets retention delete
it."""


@dataclass(frozen=True, slots=True)
class LogReport:
    """What is known of a log.

    Attributes:
        place: The log.
        blocks: Number of blocks that were read.
        records: Number of entries in them: decisions or acts.
        witnessed: How many of these are covered by a checkpoint with enough cosignatures and unchanged.
        witnessed_blocks: Size of the log in the last checkpoint with enough cosignatures that agrees with the blocks.
        witnessed_at: When that checkpoint had enough cosignatures, in UTC milliseconds.
        sure_blocks: The same as `witnessed_blocks`, but for the last such checkpoint before anything is wrong.
        sure_at: Instant of that checkpoint, in UTC milliseconds.
        findings: What is wrong.
        stamped_blocks: Size of the log in the last checkpoint with a time stamp that agrees with the blocks.
        stamped_at: The time in that time stamp, in UTC milliseconds; None if there is none, or none is checked.
        stamped_since: The time in the first one.
    """

    place: LogPlace
    blocks: int
    records: int
    witnessed: int
    witnessed_blocks: int
    witnessed_at: int | None
    sure_blocks: int
    sure_at: int | None
    findings: tuple[AuditFinding, ...]
    stamped_blocks: int = 0
    stamped_at: int | None = None
    stamped_since: int | None = None

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class LogVerifier:
    """Verifies the blocks of one partition of a log."""

    def __init__(
        self,
        place: LogPlace,
        checkpoints: Sequence[KnownCheckpoint] | None,
        *,
        from_beginning: bool = True,
        to_end: bool = True,
        required: int = 0,
        observe: Callable[[int, AuditBlock], None] | None = None,
    ) -> None:
        """Begin before the first block.

        Args:
            place: The log.
            checkpoints: What `CheckpointChain.finish` returned; None if the State has no keys, and signs none.
            from_beginning: Whether the first block that comes should be the first of the log.
            to_end: Whether the last block that comes should be the last of the log.
            required: How many witnesses are required; 0 if no cosignature is required.
            observe: Called with offset and block of each intact block.
        """
        self.findings: list[AuditFinding] = []
        self._place = place
        self._signs = checkpoints is not None
        self._by_size: dict[int, list[KnownCheckpoint]] = {}
        for each in checkpoints or ():
            self._by_size.setdefault(each.checkpoint.size, []).append(each)
        self._from_beginning, self._to_end, self._required = from_beginning, to_end, required
        self._observe = observe
        self._tree: CompactRange | None = CompactRange() if from_beginning else None
        self._next_number: int | None = 0 if from_beginning else None
        self._next_first: int | None = 0 if from_beginning else None
        self._previous: bytes | None = NO_BLOCK if from_beginning else None
        self._blocks = self._records = 0
        self._coverage, self._stamps = CheckpointCoverage(), StampCoverage()
        self._is_forked = False

    def receive(self, offset: int, value: bytes | None, time: int | None = None) -> None:
        """Receive the next record of the partition.

        Args:
            offset: Its offset.
            value: The record in single-object encoding.
            time: Its broker timestamp, in UTC milliseconds; None if it is not compared.
        """
        try:
            block = read_block(value)
        except (DecodeError, ValueError) as error:
            self._report(AuditFault.MALFORMED, offset, self._next_number, str(error))
            self._forget()
            return
        if LogPlace(block.state, block.log, block.partition) != self._place:
            sentence = (
                f"a block of the log {block.log} of {block.state}, partition {block.partition}, is in another log"
            )
            self._report(AuditFault.WRONG_LOG, offset, self._next_number, sentence)
            return
        if not self._check_place(offset, block):
            return
        is_whole = self._check_content(offset, block, value or b"")
        if time is not None and time < block.written_at - TIME_TOLERANCE_MS:
            sentence = f"block {block.number} has a broker timestamp earlier than the block's own time"
            self._report(AuditFault.TIME_DIFFERS, offset, block.number, sentence)
        self._add(block, is_whole=is_whole)
        self._compare(offset, block.number + 1)
        if is_whole and self._observe is not None:
            self._observe(offset, block)

    def report_unreadable(self, offset: int, sentence: str) -> None:
        """Report records that the broker has but that cannot be read."""
        self._report(AuditFault.UNREADABLE, offset, self._next_number, sentence)
        self._forget()

    def finish(self, now: int) -> LogReport:
        """Return what is known of the log, after its last record.

        Args:
            now: The reader's clock, in UTC milliseconds.
        """
        if self._to_end and self._next_number is not None:
            self._check_end(self._next_number)
        coverage, stamps = self._coverage, self._stamps
        block = coverage.find_uncovered(now) if self._signs else None
        if block is not None and not self._goes_on(block, is_witnessed=False):
            sentence = f"no checkpoint covers the blocks from {block} on"
            self._report(AuditFault.CHECKPOINT_MISSING, None, block, sentence)
        block = coverage.find_unwitnessed(now) if self._signs and self._required else None
        if block is not None and not self._goes_on(block, is_witnessed=True):
            sentence = f"fewer than {self._required} States have cosigned a checkpoint of the blocks from {block} on"
            self._report(AuditFault.NOT_WITNESSED, None, block, sentence)
        if self._to_end:
            self._report_late(stamps.finish(now))
        return LogReport(
            self._place, self._blocks, self._records, coverage.witnessed, coverage.witnessed_blocks,
            coverage.witnessed_at, coverage.sure_blocks, coverage.sure_at, tuple(self.findings),
            stamps.blocks, stamps.last_at, stamps.first_at,
        )  # fmt: skip

    def _goes_on(self, block: int, *, is_witnessed: bool) -> bool:
        """Return whether only a part of the log is verified, and a checkpoint after its end covers a block."""
        return not self._to_end and any(
            size > block and any(each.is_trusted and (each.witnessed_at or not is_witnessed) for each in known)
            for size, known in self._by_size.items()
        )

    def _check_place(self, offset: int, block: AuditBlock) -> bool:
        """Compare numbers and hash with the previous block; return whether the block comes next or later."""
        number = block.number
        if self._next_number is not None and number < self._next_number:
            sentence = f"block {number} is repeated or out of order: block {self._next_number} was expected"
            self._report(AuditFault.REPEATED, offset, number, sentence)
            return False
        if self._next_number is not None and number > self._next_number:
            begins = self._blocks == 0 and self._from_beginning and not self.findings
            fault = AuditFault.BEGINNING_CUT if begins else AuditFault.GAP
            self._report(fault, offset, self._next_number, f"blocks {self._next_number} to {number - 1} are missing")
            self._forget()
        elif self._previous is not None and block.previous != self._previous:
            sentence = f"block {number} does not name the block before it: one of the two was changed"
            self._report(AuditFault.CHAIN_BROKEN, offset, max(number - 1, 0), sentence)
            self._coverage.drop_pending()
        elif self._next_first is not None and block.first != self._next_first:
            sentence = f"block {number} says that {block.first} entries are before it, but there are {self._next_first}"
            self._report(AuditFault.COUNT_WRONG, offset, number, sentence)
        return True

    def _check_content(self, offset: int, block: AuditBlock, value: bytes) -> bool:
        """Compare a block with its head; return whether it is intact."""
        if compute_root(block.hash_entries()) != block.root:
            sentence = f"the entries or commitments of block {block.number} are not those that its head names"
            self._report(AuditFault.CHANGED, offset, block.number, sentence)
            return False
        if value[HEADER_LENGTH:] != block.encode_unframed():
            sentence = f"block {block.number} is not in canonical form"
            self._report(AuditFault.MALFORMED, offset, block.number, sentence)
            return False
        return True

    def _add(self, block: AuditBlock, *, is_whole: bool) -> None:
        leaf = block.leaf
        if self._tree is None or self._tree.end != block.number:
            self._tree = self._find_tree(block.number)
        if self._tree is not None:
            self._tree = self._tree.append(leaf)
        self._next_number, self._next_first, self._previous = block.number + 1, block.first + len(block.entries), leaf
        self._blocks += 1
        self._records += len(block.entries)
        self._coverage.add_block(block.number, block.written_at, len(block.entries) if is_whole else 0)
        self._stamps.add_block(block.number, block.written_at)

    def _find_tree(self, size: int) -> CompactRange | None:
        """Return the tree of a size, from a checkpoint; a witnessed one if there is one."""
        trusted = [each for each in self._by_size.get(size, ()) if each.is_trusted]
        known = sorted(trusted, key=lambda each: each.witnessed_at is None)
        return next((each.before for each in known if each.before is not None), None)

    def _compare(self, offset: int, size: int) -> None:
        """Compare the tree with the checkpoints of its size."""
        known = self._by_size.get(size)
        if known is None or self._tree is None:
            return
        root = self._tree.compute_root()
        if any(not each.is_trusted and each.checkpoint.root != root for each in known):
            sentence = (
                f"a checkpoint of {size} blocks, signed by a key that no longer counts, states a different history"
            )
            self._report(AuditFault.CHECKPOINT_UNTRUSTED, offset, size - 1, sentence)
        known = [each for each in known if each.is_trusted]
        agreed = [each for each in known if each.checkpoint.root == root]
        if not known:
            return
        if len(agreed) < len(known) and not self._is_forked:
            sentence = f"a checkpoint of {size} blocks states a different history from the blocks that are there"
            self._report(AuditFault.FORK, offset, size - 1, sentence)
            self._is_forked = not agreed
        if not agreed:
            self._tree = self._find_tree(size)
            self._coverage.drop_pending()
            return
        self._is_forked = False
        witnessed = min((each.witnessed_at for each in agreed if each.witnessed_at is not None), default=None)
        self._coverage.add_checkpoint(size, witnessed, is_sure=not self.findings)
        stamped = min((each.stamped_at for each in agreed if each.stamped_at is not None), default=None)
        if stamped is not None:
            self._report_late(self._stamps.add_stamp(size, stamped))

    def _check_end(self, blocks: int) -> None:
        """Compare the number of blocks with the largest checkpoint."""
        size = max((size for size, known in self._by_size.items() if any(each.is_trusted for each in known)), default=0)
        if size > blocks:
            largest = next(each for each in self._by_size[size] if each.is_trusted)
            sentence = f"blocks {blocks} to {size - 1} are missing at the end: a checkpoint covers them"
            self._report(AuditFault.TAIL_CUT, largest.offset if blocks == 0 else None, blocks, sentence)

    def _forget(self) -> None:
        """Forget what came before: it cannot be compared with what follows."""
        self._coverage.drop_pending()
        self._tree = self._next_first = self._previous = None

    def _report_late(self, late: LateStamp | None) -> None:
        if late is not None:
            self._report(AuditFault.TIME_STAMP_LATE, None, late.block, late.sentence)

    def _report(self, fault: AuditFault, offset: int | None, block: int | None, sentence: str) -> None:
        self.findings.append(
            AuditFinding(fault, self._place, in_checkpoints=False, offset=offset, block=block, sentence=sentence)
        )
