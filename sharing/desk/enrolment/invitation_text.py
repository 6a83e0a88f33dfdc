"""What an officer pastes: the invitation's file, the link, or the part of the link after the #."""

from __future__ import annotations

from typing import Final

from sharing.desk.web.catalogue import _
from sharing.desk.web.errors import PageError
from sharing.officers.invitation import INVITATION_BYTES_MAX, VerifiedInvitation, verify_invitation
from sharing.passkeys.browser_json import decode_base64url
from sharing.passkeys.faults import PasskeyError
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys

TEXT_MAX: Final = 2 * INVITATION_BYTES_MAX


def decode_invitation(text: str) -> bytes:
    """Return the signed invitation in a text. Nothing of it is verified.

    Raises:
        PageError: There is none.
    """
    text = text.strip()
    if not text.startswith("{"):
        text = "".join(text.split())  # mail breaks long lines
    if not text:
        raise PageError(
            400, _("Paste the invitation that the registrar has sent you."), _("You can also paste the whole link.")
        )
    if len(text) > TEXT_MAX:
        raise _refuse()
    if text.startswith("{"):
        return text.encode()
    try:
        return decode_base64url(text.rpartition("#")[2])
    except PasskeyError:
        raise _refuse() from None


def check_invitation(keys: TrustedKeys, data: bytes, origin: str, now: int) -> VerifiedInvitation:
    """Return an invitation that is valid now, and at this desk.

    Args:
        keys: The State's own online keys.
        data: The signed invitation.
        origin: The origin of this desk.
        now: The time, in UTC milliseconds.

    Raises:
        PageError: It is not.
    """
    try:
        verified = verify_invitation(keys, data, now)
    except TrustError as error:
        raise _explain(error.fault) from None
    if verified.invitation.origin != origin:
        raise PageError(
            400,
            _("The invitation is for another desk: %(origin)s.", origin=verified.invitation.origin),
            _("Open the link there."),
        )
    return verified


def _explain(fault: TrustFault) -> PageError:
    match fault:
        case TrustFault.EXPIRED:
            return PageError(400, _("The invitation has expired."), _("Ask the registrar for another."))
        case TrustFault.WRONG_STATE:
            return PageError(
                400, _("The invitation is from another State."), _("Open its link on the desk of that State.")
            )
        case TrustFault.REVOKED | TrustFault.UNKNOWN_KEY | TrustFault.WRONG_PURPOSE | TrustFault.BAD_SIGNATURE:
            return PageError(
                400,
                _("The invitation is not signed with a registrar key of this State that is in force."),
                _("Ask the registrar."),
            )
        case TrustFault.NOT_YET_VALID:
            return PageError(
                400, _("The invitation is not valid yet."), _("Ask the operator to check the clock of this desk.")
            )
        case _:
            return _refuse()


def _refuse() -> PageError:
    return PageError(
        400,
        _("This is not an invitation, or a part of it is missing."),
        _("Paste the whole link, or all of the file that the registrar has sent you."),
    )
