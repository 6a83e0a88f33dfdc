"""What can be wrong with an audit log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharing.audit.block import LogPlace


class AuditFault(StrEnum):
    """What is wrong.

    Attributes:
        MALFORMED: A record of a log is not a block, or not in the canonical form of a block.
        CHANGED: The entries of a block are not those that its head names.
        WRONG_LOG: A block belongs to another State, log or partition.
        GAP: Blocks are missing between two existing ones.
        REPEATED: A block follows later ones: it is a copy, or out of order.
        CHAIN_BROKEN: A block does not name the block before it: one of the two was changed or replaced.
        COUNT_WRONG: A block does not say how many entries there are before it.
        TIME_DIFFERS: A record's broker timestamp is earlier than the time in its block, so it would be deleted early.
        UNREADABLE: The broker's records cannot be read, or acts cannot, so that receipts in them are not compared.
        BEGINNING_CUT: The first blocks are missing.
        TAIL_CUT: Blocks that a checkpoint covers are missing at the end.
        FORK: A checkpoint states a different history from the blocks that are there, or from another checkpoint.
        RECEIPT_CONTRADICTS: Another State names a batch of messages that no block of this State names.
        CHECKPOINT_MALFORMED: A record of checkpoints is not one, or belongs to another State.
        CHECKPOINT_UNTRUSTED: A checkpoint is not signed by a gate key of the State that counts.
        CHECKPOINT_GAP: Checkpoints are missing between two existing ones.
        CHECKPOINT_ROLLED_BACK: A checkpoint states fewer blocks than an earlier one.
        CHECKPOINT_INCONSISTENT: A checkpoint does not prove that the log only grew.
        COSIGNATURE_INVALID: A cosignature in the name of a witness is not one that counts.
        TIME_STAMP_INVALID: A time stamp on a checkpoint is not from a trusted service, is of another text, or
            names an impossible time.
        TIME_STAMP_LATE: Blocks have not been covered by a time stamp in time, in a log that gets time stamps.
        CHECKPOINT_MISSING: Blocks have not been covered by a checkpoint in time.
        NOT_WITNESSED: Blocks have not been covered by a checkpoint with enough cosignatures in time.
    """

    MALFORMED = "MALFORMED"
    CHANGED = "CHANGED"
    WRONG_LOG = "WRONG_LOG"
    GAP = "GAP"
    REPEATED = "REPEATED"
    CHAIN_BROKEN = "CHAIN_BROKEN"
    COUNT_WRONG = "COUNT_WRONG"
    TIME_DIFFERS = "TIME_DIFFERS"
    UNREADABLE = "UNREADABLE"
    BEGINNING_CUT = "BEGINNING_CUT"
    TAIL_CUT = "TAIL_CUT"
    FORK = "FORK"
    RECEIPT_CONTRADICTS = "RECEIPT_CONTRADICTS"
    CHECKPOINT_MALFORMED = "CHECKPOINT_MALFORMED"
    CHECKPOINT_UNTRUSTED = "CHECKPOINT_UNTRUSTED"
    CHECKPOINT_GAP = "CHECKPOINT_GAP"
    CHECKPOINT_ROLLED_BACK = "CHECKPOINT_ROLLED_BACK"
    CHECKPOINT_INCONSISTENT = "CHECKPOINT_INCONSISTENT"
    COSIGNATURE_INVALID = "COSIGNATURE_INVALID"
    TIME_STAMP_INVALID = "TIME_STAMP_INVALID"
    TIME_STAMP_LATE = "TIME_STAMP_LATE"
    CHECKPOINT_MISSING = "CHECKPOINT_MISSING"
    NOT_WITNESSED = "NOT_WITNESSED"


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something that is wrong with a log.

    Attributes:
        fault: What.
        place: The log.
        in_checkpoints: Whether the record is one of the checkpoints; otherwise it is one of the log.
        offset: Offset of the record; None if nothing is there.
        block: Number of the first affected block of the log; None if that is not known.
        sentence: What people read.
    """

    fault: AuditFault
    place: LogPlace
    in_checkpoints: bool
    offset: int | None
    block: int | None
    sentence: str
