"""An invitation: a registrar lets one officer make a passkey at one desk, within a few days.

The desk shows nothing to make a passkey to somebody without one. The passkey is made for the invitation: the hash of
what the registrar has signed is the challenge that the authenticator gets. Whether the passkey comes into the register,
the registrars decide afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS
from sharing.officers.entry import OfficerId
from sharing.passkeys.origin import HOST_MAX, ORIGIN_MAX, get_host
from sharing.trust.documents import (
    Instant,
    SignedDocument,
    StateCode,
    check_period,
    compute_digest,
    make_content,
    read_document,
    sign_document,
)
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import ObjectSignature, verify_object

INVITATION_DAYS_MAX: Final = 7
"""For how many days an officer may make the passkey, and the registrar may enter it."""

INVITATION_BYTES_MAX: Final = 4_000
NONCE_BYTES: Final = 32

_KIND: Final = ObjectKind.INVITATION


class Invitation(StrictModel):
    """What a registrar signs. Times are in UTC milliseconds.

    Attributes:
        kind: Always `invitation`.
        format: Version of this format.
        state: The State.
        officer: Id of the officer.
        origin: The desk at which the passkey is made and used.
        rp_id: The host name to which it is bound: that of the origin.
        issued_at: From then on.
        expires_at: Until then.
        nonce: 32 random bytes, in hexadecimal digits: no two invitations are the same.
    """

    kind: Literal["invitation"] = "invitation"
    format: Literal[1] = 1
    state: StateCode
    officer: OfficerId
    origin: Annotated[str, Field(max_length=ORIGIN_MAX)]
    rp_id: Annotated[str, Field(max_length=HOST_MAX)]
    issued_at: Instant
    expires_at: Instant
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if get_host(self.origin) != self.rp_id:
            raise ValueError("rp_id: must be the host name of the origin")
        if not self.issued_at < self.expires_at <= self.issued_at + INVITATION_DAYS_MAX * DAY_MS:
            raise ValueError(f"expires_at: an invitation is for at most {INVITATION_DAYS_MAX} days")
        return self


@dataclass(frozen=True, slots=True)
class VerifiedInvitation:
    """An invitation that a registrar of the State has signed. Only `verify_invitation` makes it.

    Attributes:
        invitation: The invitation.
        challenge: What the authenticator gets as its challenge: the SHA-256 of what the registrar has signed.
    """

    invitation: Invitation
    challenge: bytes


def make_invitation(state: str, officer_id: str, origin: str, *, nonce: bytes, days: int, now: int) -> Invitation:
    """Return an invitation to sign.

    Args:
        state: The State.
        officer_id: Id of the officer.
        origin: The desk (`passkeys.origin.make_origin`).
        nonce: 32 random bytes.
        days: For how many days.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: It cannot be.
    """
    fields = {
        "state": state,
        "officer": officer_id,
        "origin": origin,
        "rp_id": get_host(origin),
        "issued_at": now,
        "expires_at": now + days * DAY_MS,
        "nonce": nonce.hex(),
    }
    return make_content(Invitation, fields)


def sign_invitation(invitation: Invitation, key: SigningKey) -> SignedDocument:
    """Return an invitation with the signature of a registrar."""
    return sign_document(_KIND, invitation.state, invitation, [key])


def verify_invitation(keys: TrustedKeys, data: bytes, now: int) -> VerifiedInvitation:
    """Return an invitation that is valid now.

    Args:
        keys: The State's own online keys.
        data: The signed invitation.
        now: The reader's clock, in UTC milliseconds.

    Raises:
        TrustError: It is malformed, another State's, not signed by one registrar key that is in force, or not valid
            now.
    """
    if len(data) > INVITATION_BYTES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"has more than {INVITATION_BYTES_MAX:,} bytes: it is not an invitation")
    document, invitation = read_document(data, _KIND, Invitation)
    if invitation.state != keys.state:
        raise TrustError(TrustFault.WRONG_STATE, f"is an invitation of {invitation.state}, not of {keys.state}")
    if len(document.signatures) != 1:
        raise TrustError(TrustFault.UNSIGNED, "an invitation has the signature of one registrar")
    made = document.signatures[0]
    signature = ObjectSignature(str(KeyAlgorithm.ED25519), made.key, bytes.fromhex(made.signature))
    verify_object(keys, _KIND, document.payload, signature, signed_at=invitation.issued_at, now=now)
    check_period(f"the invitation of officer {invitation.officer}", invitation.issued_at, invitation.expires_at, now)
    digest = compute_digest(_KIND, invitation.state, document.payload)
    return VerifiedInvitation(invitation, bytes.fromhex(digest))
