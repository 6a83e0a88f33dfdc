"""Why a record is refused by the conversation: a short code, and a sentence that contains nothing of its content."""

from __future__ import annotations

from typing import Final

from processors.exactly_once.batch import ConsumedRecord
from processors.inbox.inbox_result import RefusedRecord
from processors.inbox.refusals import RefusalError
from sharing.errors import DecodeError, InputError
from sharing.model.record_times import CREATE_TIME, LOG_APPEND_TIME
from sharing.rulings.vocabulary import RulingError, RulingFault
from sharing.seal.faults import SealError

_UNDECODED: Final = frozenset({RulingFault.OVERSIZED, RulingFault.MALFORMED})


def read_broker_time(record: ConsumedRecord, *, trusts_writers: bool = False) -> int:
    """Return the broker's time of a record, in UTC milliseconds.

    Args:
        record: The record.
        trusts_writers: Whether the writer's timestamp is used if the broker has not stamped the record.

    Raises:
        RefusalError: The record has a different kind of timestamp, or none: any writer could choose it.
    """
    kind, at_ms = record.timestamp()
    if kind != LOG_APPEND_TIME and not (trusts_writers and kind == CREATE_TIME):
        raise RefusalError(
            "NO_BROKER_TIME",
            "the record has no broker timestamp; set message.timestamp.type of its topic to LogAppendTime",
        )
    return at_ms


def describe_refusal(record: ConsumedRecord, error: Exception) -> RefusedRecord:
    """Return the refusal of a record.

    Args:
        record: The record.
        error: Why it is refused.
    """
    stage, message = "CHECK", str(error)
    match error:
        case RulingError():
            cause = str(error.fault)
            stage = "DECODE" if error.fault in _UNDECODED else "CHECK"
        case RefusalError():
            cause = error.cause
        case SealError():
            cause = str(error.trust_fault or error.fault)
        case DecodeError():
            cause, stage = f"CONTENT_{error.cause}", "DECODE"
        case InputError():
            cause = "NOT_KEPT"
        case _:
            # The text of an unexpected error may contain content, so only its type is recorded.
            cause, message = "UNEXPECTED", f"the conversation failed on this record ({type(error).__name__})"
    return RefusedRecord(record.topic(), record.partition(), record.offset(), cause, "", message, stage)
