"""Why a record cannot be processed, in words that hold nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

from sharing.errors import DecodeError, InputError


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record cannot be processed: the stage, a short code, and a sentence without content."""

    stage: str
    cause: str
    message: str
    indicator_id: str | None = None


def describe_rejection(error: Exception) -> Rejection:
    """Return what the quarantine says of an error."""
    match error:
        case DecodeError():
            return Rejection("DECODE", error.cause, str(error))
        case InputError():
            return Rejection("CHECK", f"FIELD_{error.field.upper().replace('.', '_')}", str(error))
        case _:
            # Nothing of an unexpected error's text is known to be free of content.
            return Rejection("DECIDE", "UNEXPECTED", f"the gate failed on this record ({type(error).__name__})")
