"""A standing acceptance is signed by an officer, and his or her own State checks that before it states it to others.

Other States do not know the register of officers: they trust the directory statement. So the State itself states only
what an officer has signed who is in its register now, under a key that the register names: when it is announced, and at
each renewal. An officer who is revoked or expires takes the acceptances along; they are signed again by another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from sharing.errors import InputError
from sharing.model.directory import DirectoryEntry
from sharing.model.field_validators import make_enum_validator
from sharing.model.standing_acceptance import StandingAcceptance
from sharing.model.strict_model import StrictModel
from sharing.model.times import to_milliseconds
from sharing.model.validation_errors import to_input_error
from sharing.model.vocabulary import OffenceCode, Urgency
from sharing.officers.entry import OfficerEntry, OfficerId
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import (
    CLOCK_TOLERANCE_MS,
    Instant,
    Signature,
    SignedDocument,
    StateCode,
    make_content,
    sign_document,
)
from sharing.trust.signatures import ObjectKind, SigningKey

_KIND: Final = ObjectKind.STANDING_ACCEPTANCE

FindOfficer = Callable[[str, int], OfficerEntry | None]
"""The register: the officer with this id, if he or she may answer at this time, in UTC milliseconds."""


class SignedCondition(StrictModel):
    """A condition as it is signed: its code, and the SHA-256 of its text."""

    code: str
    text_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AcceptanceContent(StrictModel):
    """What the officer signs. Times are in UTC milliseconds; the lists are sorted.

    Attributes:
        kind: Always `standing-acceptance`.
        format: Version of this format.
        state: The accepting State.
        from_state: The providing State.
        conditions: Codes and hashes of texts of the conditions.
        offences: The offence codes of items for which it holds.
        urgency: The urgency of items for which it holds.
        valid_from: From then on.
        valid_until: Until then.
        officer: Id of the officer.
        signed_at: When it was signed.
    """

    kind: Literal["standing-acceptance"] = "standing-acceptance"
    format: Literal[1] = 1
    state: StateCode
    from_state: StateCode
    conditions: tuple[SignedCondition, ...]
    offences: tuple[Annotated[OffenceCode, make_enum_validator(OffenceCode)], ...]
    urgency: tuple[Annotated[Urgency, make_enum_validator(Urgency)], ...]
    valid_from: Instant
    valid_until: Instant
    officer: OfficerId
    signed_at: Instant


def sign_acceptance(content: AcceptanceContent, key: SigningKey) -> StandingAcceptance:
    """Return an acceptance as an entry contains it, signed by an officer.

    Args:
        content: What is accepted.
        key: The officer's key.

    Raises:
        InputError: It is not valid.
    """
    (signature,) = sign_document(_KIND, content.state, content, [key]).signatures
    fields = content.model_dump(mode="json", exclude={"kind", "format", "state"})
    try:
        return StandingAcceptance.model_validate({**fields, "key": signature.key, "signature": signature.signature})
    except ValidationError as error:
        raise to_input_error(error, StandingAcceptance) from None


def find_refusal(acceptance: StandingAcceptance, state: str, find_officer: FindOfficer, now_ms: int) -> str | None:
    """Return why a State must not state an acceptance, in a sentence; None if it may.

    Args:
        acceptance: The acceptance.
        state: The State.
        find_officer: The register of the State's officers.
        now_ms: The time, in UTC milliseconds.
    """
    what = f"the standing acceptance {acceptance.id} for {acceptance.from_state}"
    if to_milliseconds(acceptance.signed_at) > now_ms + CLOCK_TOLERANCE_MS:
        return f"{what} was signed later than now: check the clock on which it was signed, and sign it again"
    officer = find_officer(acceptance.officer, now_ms)
    if officer is None:
        return f"{what} is signed by {acceptance.officer}, who is not an officer in force; another officer must sign it"
    if acceptance.key not in {key.key_id for key in officer.keys}:
        return f"{what} is signed with a key that the register does not name for {acceptance.officer}; sign it again"
    signature = Signature(key=acceptance.key, signature=acceptance.signature)
    document = SignedDocument(_KIND, _encode_signed(acceptance, state), (signature,))
    if not document.find_signers(state, officer.keys):
        return f"{what} was altered after {acceptance.officer} signed it; sign it again"
    return None


def drop_refused(
    entry: DirectoryEntry, find_officer: FindOfficer, now_ms: int
) -> tuple[DirectoryEntry, tuple[str, ...]]:
    """Return an entry without the acceptances that its State must not state, and why, in sentences.

    Args:
        entry: The entry.
        find_officer: The register of the State's officers.
        now_ms: The time, in UTC milliseconds.
    """
    refusals = {
        each: reason
        for each in entry.standing_acceptances
        if (reason := find_refusal(each, entry.state, find_officer, now_ms)) is not None
    }
    if not refusals:
        return entry, ()
    kept = tuple(each for each in entry.standing_acceptances if each not in refusals)
    return entry.model_copy(update={"standing_acceptances": kept}), tuple(refusals.values())


def _encode_signed(acceptance: StandingAcceptance, state: str) -> bytes:
    """Return what the officer has signed, in canonical form; empty if it cannot be what an officer has signed."""
    fields = acceptance.model_dump(mode="python", exclude={"key", "signature"})
    instants = {name: to_milliseconds(fields[name]) for name in ("valid_from", "valid_until", "signed_at")}
    conditions = tuple(fields["conditions"])
    try:
        content = make_content(AcceptanceContent, {**fields, **instants, "conditions": conditions, "state": state})
    except InputError:
        return b""
    return encode_canonical(content.model_dump(mode="json"))
