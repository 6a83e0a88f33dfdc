"""The file with which an officer asks a registrar to enter a passkey: the invitation, and what the authenticator said.

The desk makes it; the registrar verifies all of it again. It has no secret. Somebody who replaces it on its way, with
an invitation of the same officer, would have another passkey entered: so officer and registrar compare the fingerprint
by telephone.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from sharing.errors import InputError
from sharing.model.strict_model import StrictModel
from sharing.officers.invitation import INVITATION_BYTES_MAX, VerifiedInvitation, verify_invitation
from sharing.passkeys.passkey import Passkey
from sharing.passkeys.registration import Registration, verify_registration
from sharing.trust.canonical import encode_canonical
from sharing.trust.key_statement import TrustedKeys

REQUEST_BYTES_MAX: Final = 40_000

_Hex = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})+$", max_length=REQUEST_BYTES_MAX)]


class PasskeyRequest(StrictModel):
    """What the file has.

    Attributes:
        kind: Always `passkey-request`.
        format: Version of this format.
        invitation: The signed invitation, in canonical form.
        credential_id: Id of the credential, in hexadecimal digits.
        client_data: What the browser said, in hexadecimal digits.
        attestation_object: What the authenticator said, in hexadecimal digits.
    """

    kind: Literal["passkey-request"] = "passkey-request"
    format: Literal[1] = 1
    invitation: Annotated[str, Field(max_length=INVITATION_BYTES_MAX)]
    credential_id: _Hex
    client_data: _Hex
    attestation_object: _Hex

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        return encode_canonical(self.model_dump(mode="json")) + b"\n"


def make_request(invitation: bytes, registration: Registration) -> PasskeyRequest:
    """Return the request for a passkey that was made for an invitation."""
    return PasskeyRequest(
        invitation=invitation.decode().removesuffix("\n"),
        credential_id=registration.credential_id.hex(),
        client_data=registration.client_data.hex(),
        attestation_object=registration.attestation_object.hex(),
    )


def read_request(data: bytes) -> PasskeyRequest:
    """Return the request in a file. Nothing of it is verified.

    Raises:
        InputError: It is none.
    """
    try:
        if len(data) > REQUEST_BYTES_MAX:
            raise ValueError
        return PasskeyRequest.model_validate_json(data)
    except (ValidationError, ValueError):
        raise InputError(
            "this is not the file that a desk gives to an officer who has made a passkey; ask the officer for it"
        ) from None


def verify_request(keys: TrustedKeys, request: PasskeyRequest, now: int) -> tuple[VerifiedInvitation, Passkey]:
    """Return the invitation of a request, and the passkey that an authenticator has made for it.

    Args:
        keys: The State's own online keys.
        request: The request.
        now: The reader's clock, in UTC milliseconds.

    Raises:
        TrustError: The invitation is refused.
        PasskeyError: What the authenticator said is refused.
    """
    verified = verify_invitation(keys, request.invitation.encode(), now)
    registration = Registration(
        bytes.fromhex(request.credential_id),
        bytes.fromhex(request.client_data),
        bytes.fromhex(request.attestation_object),
    )
    return verified, verify_registration(registration, verified.challenge, verified.invitation.origin)
