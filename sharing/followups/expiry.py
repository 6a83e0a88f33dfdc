"""How long another State keeps data that it was asked to preserve, and when people must act.

Budapest Convention art. 29(7): a preservation lasts at least 60 days, so that a request for assistance can follow; once
the request has been received, it lasts until that is decided. National law may allow longer, or may limit renewals.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sharing.errors import InputError
from sharing.model.field_validators import CountryCode, make_enum_validator
from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS

PRESERVATION_DAYS: Final = 60
"""How long a preservation lasts at least, in days (art. 29(7))."""

PRESERVATION_DAYS_MAX: Final = 366
"""How far ahead an expiry may be, in days: a later one is a typing error."""

WARN_DAYS: Final = 14
URGENT_DAYS: Final = 3
REFERENCE_MAX: Final = 100

IS_OVER: Final = "the date has passed; name the day until which the other State keeps the data"
TOO_FAR: Final = "the date is more than a year ahead; name the day that the other State has confirmed"
NOT_LATER: Final = "the new date must be later than the previous one"
IS_CLOSED: Final = "somebody has closed this preservation; draft a new request if the data are still needed"


class ExpiryLevel(StrEnum):
    """How urgent an expiry is.

    Attributes:
        CLOSED: Nobody is waiting for it any longer.
        LATER: More than 14 days are left.
        SOON: At most 14 days are left.
        URGENT: At most 3 days are left.
        OVERDUE: The time has passed: the data may be gone.
    """

    CLOSED = "CLOSED"
    LATER = "LATER"
    SOON = "SOON"
    URGENT = "URGENT"
    OVERDUE = "OVERDUE"


class CloseReason(StrEnum):
    """Why nobody watches a preservation any longer.

    Attributes:
        REQUEST_RECEIVED: The addressee has received the request for assistance, and keeps the data until it decides.
        NOT_NEEDED: The data are not needed.
        REFUSED: The addressee has refused, or had no data.
    """

    REQUEST_RECEIVED = "REQUEST_RECEIVED"
    NOT_NEEDED = "NOT_NEEDED"
    REFUSED = "REFUSED"


def _check_reference(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("must be printable text without spaces at its ends")
    return text


_Instant = Annotated[int, Field(ge=0, lt=2**53)]
_Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


class Preservation(StrictModel):
    """A preservation that was requested. Times are in UTC milliseconds.

    Attributes:
        format: Version of this format.
        notice: Id of the notice from which it was drafted.
        from_state: The State that sent the notice.
        item: Id of the item.
        addressee: The State that keeps the data.
        reference: Reference of the addressee; "" if it has given none yet.
        requested_at: When it was requested.
        expires_at: Until when the addressee keeps the data.
        renewals: How often it was extended.
        closed_at: Since when nobody watches it; None while somebody does.
        closed_because: Why; None while somebody watches it.
    """

    format: Literal[1] = 1
    notice: _Id
    from_state: CountryCode
    item: _Id
    addressee: CountryCode
    reference: Annotated[str, Field(max_length=REFERENCE_MAX), AfterValidator(_check_reference)] = ""
    requested_at: _Instant
    expires_at: _Instant
    renewals: Annotated[int, Field(ge=0, le=1000)] = 0
    closed_at: _Instant | None = None
    closed_because: Annotated[CloseReason, make_enum_validator(CloseReason)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.expires_at <= self.requested_at:
            raise ValueError("expires_at: must be after it was asked for")
        if (self.closed_at is None) != (self.closed_because is None):
            raise ValueError("closed_because: a closed preservation has a reason, and only a closed one")
        return self

    def judge(self, now: int) -> ExpiryLevel:
        """Return how urgent it is, at a time in UTC milliseconds."""
        if self.closed_at is not None:
            return ExpiryLevel.CLOSED
        left = self.expires_at - now
        if left <= 0:
            return ExpiryLevel.OVERDUE
        if left <= URGENT_DAYS * DAY_MS:
            return ExpiryLevel.URGENT
        return ExpiryLevel.SOON if left <= WARN_DAYS * DAY_MS else ExpiryLevel.LATER

    def renew(self, expires_at: int, now: int, reference: str = "") -> Preservation:
        """Return it with a later expiry.

        Args:
            expires_at: Until when the addressee keeps the data now, in UTC milliseconds.
            now: The time in UTC milliseconds.
            reference: Its reference, if it has given a new one.

        Raises:
            InputError: It is closed, or the expiry is not later, has passed, or is too far ahead.
        """
        self._require_open()
        if expires_at <= self.expires_at:
            raise InputError(NOT_LATER, field="expires")
        require_expiry(expires_at, now)
        changes = {"expires_at": expires_at, "renewals": self.renewals + 1, "reference": reference or self.reference}
        return Preservation.model_validate({**self.model_dump(), **changes})

    def close(self, reason: CloseReason, now: int) -> Preservation:
        """Return it closed.

        Args:
            reason: Why.
            now: The time in UTC milliseconds.

        Raises:
            InputError: It is closed already.
        """
        self._require_open()
        return Preservation.model_validate({**self.model_dump(), "closed_at": now, "closed_because": reason})

    def _require_open(self) -> None:
        if self.closed_at is not None:
            raise InputError(IS_CLOSED)


def require_expiry(expires_at: int, now: int) -> None:
    """Refuse an expiry that another State cannot have given.

    Raises:
        InputError: It has passed or is too far ahead.
    """
    if expires_at <= now:
        raise InputError(IS_OVER, field="expires")
    if expires_at > now + PRESERVATION_DAYS_MAX * DAY_MS:
        raise InputError(TOO_FAR, field="expires")
