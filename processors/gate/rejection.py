"""Why the gate rejects a record: stage, cause and a message without content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sharing.errors import DecodeError, InputError, SharingError
from sharing.seal.faults import SealError

if TYPE_CHECKING:
    from processors.exactly_once.batch import ConsumedRecord
    from sharing.model.bad_batch import BadBatch


class OversizedOutputError(SharingError):
    """An output for an indicator is too large for the broker."""


class MisplacedRecordError(SharingError):
    """A record is not on the partition of its key."""


class ContentConflictError(SharingError):
    """A record has the id and version of another one, but different content."""


class AmendmentError(SharingError):
    """An amendment does not agree with itself or with what is known about its item.

    Attributes:
        cause: A short code.
    """

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record cannot be processed.

    Attributes:
        stage: Where it was rejected: READ, OPEN, DECODE, CHECK or DECIDE.
        cause: A short code.
        message: A sentence without content.
        indicator_id: Id of the indicator, if it is known.
    """

    stage: str
    cause: str
    message: str
    indicator_id: str | None = None


class RejectedRecord(NamedTuple):
    """A record of a batch that is quarantined, by reference.

    Attributes:
        topic: Name of its topic.
        partition: Number of its partition.
        offset: Its offset.
        cause: Why, as a short code.
        indicator_id: Id of the indicator, if it is known.
    """

    topic: str
    partition: int
    offset: int
    cause: str
    indicator_id: str | None

    @classmethod
    def refer(cls, message: ConsumedRecord, rejection: Rejection) -> RejectedRecord:
        """Return the reference to a record that was consumed."""
        return cls(message.topic(), message.partition(), message.offset(), rejection.cause, rejection.indicator_id)


def describe_unreadable(batch: BadBatch) -> Rejection:
    """Return the rejection of a record batch, or of a record, that the consumer could not read."""
    message = (
        f"{batch} could not be read ({batch.cause}): it cannot be decompressed, or is much larger than an indicator; "
        "its records must be published again"
    )
    return Rejection("READ", batch.cause.removeprefix("_"), message)


def describe_rejection(error: Exception) -> Rejection:
    """Return the rejection for an error."""
    match error:
        case SealError():
            stage, cause = "OPEN", str(error.fault)
        case DecodeError():
            stage, cause = "DECODE", error.cause
        case OversizedOutputError():
            stage, cause = "DECIDE", "OUTPUT_OVERSIZED"
        case MisplacedRecordError():
            stage, cause = "CHECK", "WRONG_PARTITION"
        case ContentConflictError():
            stage, cause = "CHECK", "CONTENT_CONFLICT"
        case AmendmentError():
            stage, cause = "CHECK", f"AMENDMENT_{error.cause}"
        case InputError():
            stage, cause = "CHECK", f"FIELD_{error.field.upper().replace('.', '_')}"
        case _:
            # The text of an unexpected error may contain content, so only its type is recorded.
            return Rejection("DECIDE", "UNEXPECTED", f"the gate failed on this record ({type(error).__name__})")
    return Rejection(stage, cause, str(error))
