"""Why the gate rejects a record: stage, cause and a message without content."""

from __future__ import annotations

from dataclasses import dataclass

from sharing.errors import DecodeError, InputError, SharingError


class OversizedOutputError(SharingError):
    """An output for an indicator is too large for the broker."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record cannot be processed.

    Attributes:
        stage: Where the gate rejected it: DECODE, CHECK or DECIDE.
        cause: A short code.
        message: A sentence without content.
        indicator_id: Id of the indicator, where it is known.
    """

    stage: str
    cause: str
    message: str
    indicator_id: str | None = None


def describe_rejection(error: Exception) -> Rejection:
    """Return the rejection for an error."""
    match error:
        case DecodeError():
            return Rejection("DECODE", error.cause, str(error))
        case OversizedOutputError():
            return Rejection("DECIDE", "OUTPUT_OVERSIZED", str(error))
        case InputError():
            return Rejection("CHECK", f"FIELD_{error.field.upper().replace('.', '_')}", str(error))
        case _:
            # The text of an unexpected error may hold content, so only its type is recorded.
            return Rejection("DECIDE", "UNEXPECTED", f"the gate failed on this record ({type(error).__name__})")
