"""Standing acceptances: conditions of another State that a State has accepted before anything is offered to it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from sharing.model.field_validators import CountryCode, make_enum_validator, make_pattern_validator
from sharing.model.indicator import Coerced, Instant, RecordModel, ShortText
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import OffenceCode, Urgency

ACCEPTANCE_DAYS_MAX: Final = 366
"""For how long an acceptance is valid at most. An officer then accepts again, having read the texts."""

ACCEPTED_MAX: Final = 100
"""How many conditions one acceptance names at most."""

ACCEPTANCES_MAX: Final = 100
"""How many acceptances an entry contains at most."""

_Hash = Annotated[str, make_pattern_validator(r"[0-9a-f]{64}", "must be a SHA-256 in 64 hexadecimal digits")]


def hash_condition_text(text: str) -> str:
    """Return the SHA-256 of the text of a condition, in hexadecimal digits. Another text is not accepted."""
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_unknown(urgency: Urgency) -> Urgency:
    if urgency is Urgency.UNKNOWN:
        raise ValueError("must be a known urgency: an unknown one is never accepted beforehand")
    return urgency


def _require_order(values: tuple[str, ...]) -> tuple[str, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must be sorted, and name each once: this is what the officer has signed")
    return values


class AcceptedCondition(RecordModel):
    """A condition that is accepted: its code, and the SHA-256 of its text. Another text is another condition."""

    code: ShortText
    text_hash: _Hash


class StandingAcceptance(RecordModel):
    """What an officer of a State accepts beforehand from one providing State. Empty lists are refused: none means all.

    Other States trust only the directory statement that contains it; the State itself also checks
    the officer's signature (`sharing.officers.standing_acceptance`).

    Attributes:
        from_state: The providing State.
        conditions: The conditions.
        offences: The offence codes of items for which it holds. An item with any other code is not covered.
        urgency: The urgency of items for which it holds.
        valid_from: From then on.
        valid_until: Until then.
        officer: Opaque id of the officer who has signed it.
        signed_at: When.
        key: Id of the officer's key.
        signature: The signature, in hexadecimal digits.
    """

    from_state: CountryCode
    conditions: Annotated[tuple[AcceptedCondition, ...], Coerced, Field(min_length=1, max_length=ACCEPTED_MAX)]
    offences: Annotated[
        tuple[Annotated[OffenceCode, make_enum_validator(OffenceCode)], ...],
        Coerced,
        Field(min_length=1),
        AfterValidator(_require_order),
    ]
    urgency: Annotated[
        tuple[Annotated[Urgency, make_enum_validator(Urgency), AfterValidator(_refuse_unknown)], ...],
        Coerced,
        Field(min_length=1),
        AfterValidator(_require_order),
    ]
    valid_from: Instant
    valid_until: Instant
    officer: ShortText
    signed_at: Instant
    key: _Hash
    signature: Annotated[str, make_pattern_validator(r"[0-9a-f]{128}", "must be a signature in 128 hexadecimal digits")]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.valid_from < self.valid_until <= self.valid_from + timedelta(days=ACCEPTANCE_DAYS_MAX):
            raise ValueError(f"valid_until: must be later than valid_from, and at most {ACCEPTANCE_DAYS_MAX} days")
        codes = [condition.code for condition in self.conditions]
        if codes != sorted(set(codes)):
            raise ValueError("conditions: must be sorted by code, and name each code once")
        return self

    @property
    def id(self) -> str:
        """What decisions and notices cite: the first 32 digits of the SHA-256 of the signature."""
        return hashlib.sha256(self.signature.encode()).hexdigest()[:32]

    def is_in_force(self, now_ms: int) -> bool:
        """Return whether it holds at an instant in UTC milliseconds."""
        return to_milliseconds(self.valid_from) <= now_ms < to_milliseconds(self.valid_until)
