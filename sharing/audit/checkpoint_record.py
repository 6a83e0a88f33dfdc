"""The records of `checkpoints.<st>`: a checkpoint, the proof that the log only grew, earlier ones with cosignatures.

A checkpoint is signed before others can have seen it, so its cosignatures come with a later record of the same log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from sharing.audit.compact_range import EMPTY_ROOT, CompactRange, compute_consistency_proof
from sharing.audit.origins import parse_witness
from sharing.audit.proofs import CONSISTENCY_HASHES_MAX, is_consistent
from sharing.errors import DecodeError
from sharing.serialization.codec import get_codec
from sharing.sign.merkle_tree import HASH_BYTES
from sharing.trust.faults import TrustError
from sharing.trust.signatures import SigningKey

SCHEMA: Final = "checkpoint"
EARLIER_MAX: Final = 16
"""The maximum number of earlier checkpoints in a record."""


@dataclass(frozen=True, slots=True)
class EarlierCheckpoint:
    """An earlier checkpoint with what it has received since.

    Attributes:
        checkpoint: The checkpoint with the signature of its State and with cosignatures.
        time_stamp: Time stamp of a service on its text; None if there is none.
    """

    checkpoint: Checkpoint
    time_stamp: bytes | None = None


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """A record. No signature in it is verified.

    Attributes:
        checkpoint: The checkpoint with the signature of its State.
        previous_size: Number of blocks in the previous checkpoint; 0 in the first one.
        consistency: Proof that the log begins with these blocks.
        earlier: Earlier checkpoints of the same log that got cosignatures since the previous record.
    """

    checkpoint: Checkpoint
    previous_size: int = 0
    consistency: bytes = b""
    earlier: tuple[EarlierCheckpoint, ...] = ()

    def follows(self, size: int, root: bytes) -> bool:
        """Return whether it is proved that this log begins with one that has this size and root."""
        if size == 0:
            return root == EMPTY_ROOT
        proof = self.consistency if size == self.previous_size else b""
        return is_consistent(size, root, self.checkpoint.size, self.checkpoint.root, proof)

    def encode(self) -> bytes:
        """Return the record in single-object encoding.

        Raises:
            ValueError: It has more earlier checkpoints than a record may have.
        """
        if len(self.earlier) > EARLIER_MAX:
            raise ValueError(f"a record has at most {EARLIER_MAX} earlier checkpoints")
        earlier = [{"note": each.checkpoint.note.to_bytes(), "time_stamp": each.time_stamp} for each in self.earlier]
        return get_codec(SCHEMA).encode(
            {
                "origin": self.checkpoint.origin,
                "size": self.checkpoint.size,
                "note": self.checkpoint.note.to_bytes(),
                "previous_size": self.previous_size,
                "consistency": self.consistency,
                "earlier": earlier,
            }
        )


def read_checkpoint_record(value: bytes | None) -> CheckpointRecord:
    """Return a record of `checkpoints.<st>`, without verifying its signatures.

    Args:
        value: The record in single-object encoding.

    Raises:
        DecodeError: It is not such a record, not in canonical form, or its parts do not match.
    """
    fields = get_codec(SCHEMA).decode(value)
    try:
        record = CheckpointRecord(
            read_checkpoint(fields["note"]),
            fields["previous_size"],
            fields["consistency"],
            tuple(
                EarlierCheckpoint(read_checkpoint(each["note"]), each["time_stamp"])
                for each in fields["earlier"][: EARLIER_MAX + 1]
            ),
        )
        is_exact = record.encode() == value or value is None
    except (TrustError, ValueError) as error:
        raise DecodeError(f"a record of checkpoints {error}", cause="MALFORMED") from None
    checkpoint = record.checkpoint
    if (
        not is_exact
        or (fields["origin"], fields["size"]) != (checkpoint.origin, checkpoint.size)
        or not 0 <= record.previous_size <= checkpoint.size
        or len(record.consistency) > CONSISTENCY_HASHES_MAX * HASH_BYTES
        or len(checkpoint.note.signatures) != 1
        or not all(map(_has_known_names, (checkpoint, *(each.checkpoint for each in record.earlier))))
        or any(each.checkpoint.place != checkpoint.place for each in record.earlier)
        or any(each.checkpoint.size > checkpoint.size for each in record.earlier)
    ):
        raise DecodeError("a record of checkpoints has parts that do not match", cause="MALFORMED")
    return record


def _has_known_names(checkpoint: Checkpoint) -> bool:
    """Return whether the first signature is in the name of the log, and the others are in the names of witnesses."""
    first, *others = checkpoint.note.signatures
    states = [parse_witness(signature.name) for signature in others]
    return first.name == checkpoint.origin and None not in states and checkpoint.place.state not in states


def make_checkpoint_record(
    place: LogPlace,
    before: CompactRange,
    added: CompactRange,
    signed_at: int,
    key: SigningKey,
    *,
    earlier: Sequence[EarlierCheckpoint] = (),
) -> CheckpointRecord:
    """Return the next record of a log, signed.

    Args:
        place: The log.
        before: Its leaves in the previous checkpoint, [0, m); an empty range if there is none.
        added: Those that were committed since, [m, n).
        signed_at: The time, in UTC milliseconds.
        key: The State's gate key.
        earlier: Earlier checkpoints that got cosignatures since the previous record.

    Raises:
        ValueError: The ranges do not follow each other.
    """
    log = before.merge(added)
    checkpoint = sign_checkpoint(place, log.end, log.compute_root(), signed_at, key)
    return CheckpointRecord(checkpoint, before.end, compute_consistency_proof(before, added), tuple(earlier))
