"""Why a record of another State is refused: a short code, and a sentence that contains nothing of its content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from processors.inbox.inbox_result import RefusedRecord
from sharing.errors import DecodeError, SharingError
from sharing.ids import make_quarantine_id
from sharing.model.countries import STATES
from sharing.seal.faults import SealError, SealFault
from sharing.seal.sealed_record import decode_record
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import QUARANTINE

if TYPE_CHECKING:
    from sharing.model.bad_batch import BadBatch

_DECODING: Final = frozenset({SealFault.UNSEALED, SealFault.OVERSIZED, SealFault.MALFORMED})


class RefusalError(SharingError):
    """A record is refused for a reason other than its seal or its signature.

    Attributes:
        cause: Why, as a short code.
    """

    exit_code = 1

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def describe_refusal(record: ConsumedRecord, error: Exception, claimed_state: str) -> RefusedRecord:
    """Return the refusal of a record.

    Args:
        record: The record.
        error: Why it is refused.
        claimed_state: The State that it claims to be from.
    """
    stage, message = "CHECK", str(error)
    match error:
        case SealError():
            cause = str(error.trust_fault or error.fault)
            stage = "DECODE" if error.fault in _DECODING else "CHECK"
        case DecodeError():
            cause, stage = f"CONTENT_{error.cause}", "DECODE"
        case RefusalError():
            cause = error.cause
        case _:
            # The text of an unexpected error may contain content, so only its type is recorded.
            cause, message = "UNEXPECTED", f"the inbox failed on this record ({type(error).__name__})"
    return RefusedRecord(record.topic(), record.partition(), record.offset(), cause, claimed_state, message, stage)


def describe_unreadable(batch: BadBatch) -> RefusedRecord:
    """Return the refusal of a record batch, or of a record, that the consumer could not read."""
    message = (
        f"{batch} could not be read ({batch.cause}): it cannot be decompressed, or is too large; the State that wrote "
        "it must send it again"
    )
    cause = batch.cause.removeprefix("_")
    return RefusedRecord(batch.topic, batch.partition, batch.first_offset, cause, "", message, "READ")


def build_quarantine_record(refused: RefusedRecord, state: str, now_ms: int, framing: Framing) -> OutputRecord:
    """Return the record that names a refused one by reference: none of its content is copied.

    Args:
        refused: The refused record.
        state: The State.
        now_ms: The time, in UTC milliseconds.
        framing: How records are framed.
    """
    record_id = make_quarantine_id(refused.topic, refused.partition, refused.offset)
    fields = {
        "id": record_id,
        "state": state,
        "topic": refused.topic,
        "partition": refused.partition,
        "offset": refused.offset,
        "quarantined_at": now_ms,
        "stage": refused.stage,
        "cause": refused.cause,
        "message": refused.message,
        "indicator_id": None,
        "pack": None,
        "record": None,
    }
    value = framing.frame("quarantine", get_codec("quarantine").encode_unframed(fields))
    return OutputRecord(QUARANTINE.topic(state), record_id.encode(), value, partition=refused.partition)


def find_claimed_state(value: bytes | None) -> str:
    """Return the State that a record claims to be from, or "" if it names none. The claim is not verified."""
    try:
        claimed = decode_record(value or b"").envelope.from_state
    except SealError:
        return ""
    return claimed if claimed in STATES else ""
