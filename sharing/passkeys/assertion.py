"""What an authenticator signs with a passkey (an assertion), and whether it counts for what was to be signed.

An assertion is evidence that somebody whom the authenticator has recognised used this passkey on the page of this
origin, which asked to sign this challenge. What the page showed, it does not prove.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sharing.passkeys.authenticator_data import HEAD_BYTES, read_counter
from sharing.passkeys.browser_json import make_credential_json, read_bytes, read_fields
from sharing.passkeys.client_data import CLIENT_DATA_BYTES_MAX, Ceremony, check_client_data
from sharing.passkeys.faults import PasskeyError, PasskeyFault
from sharing.passkeys.passkey import CREDENTIAL_BYTES_MAX, Passkey

SIGNATURE_BYTES_MAX: Final = 128
"""A signature of ES256 has at most 72 bytes, one of Ed25519 has 64."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion as it was read. It proves nothing before it was verified.

    Attributes:
        credential_id: Id of the credential.
        authenticator_data: What the authenticator says of itself and of its user.
        client_data: What the browser says, JSON.
        signature: The signature on both.
    """

    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes = field(repr=False)

    def to_record(self) -> dict[str, bytes]:
        """Return the assertion as a record has it."""
        return {
            "credential_id": self.credential_id,
            "authenticator_data": self.authenticator_data,
            "client_data": self.client_data,
            "signature": self.signature,
        }

    @property
    def is_within_limits(self) -> bool:
        """Whether each part has a length that it can have."""
        return (
            0 < len(self.credential_id) <= CREDENTIAL_BYTES_MAX
            and len(self.authenticator_data) == HEAD_BYTES
            and 0 < len(self.client_data) <= CLIENT_DATA_BYTES_MAX
            and 0 < len(self.signature) <= SIGNATURE_BYTES_MAX
        )


def read_browser_assertion(fields: Mapping[str, Any]) -> Assertion:
    """Return the assertion in what a browser sends: the JSON of `PublicKeyCredential.toJSON()`.

    Raises:
        PasskeyError: It is not of that form.
    """
    response = read_fields(fields, "response")
    return Assertion(
        read_bytes(fields, "rawId", CREDENTIAL_BYTES_MAX),
        read_bytes(response, "authenticatorData", HEAD_BYTES),
        read_bytes(response, "clientDataJSON", CLIENT_DATA_BYTES_MAX),
        read_bytes(response, "signature", SIGNATURE_BYTES_MAX),
    )


def verify_assertion(passkey: Passkey, assertion: Assertion, challenge: bytes) -> int:
    """Return the signature counter of an assertion, if this passkey has made it for this challenge.

    The counter refuses nothing: passkeys that are synchronised between devices have none, and an authenticator that was
    copied is for the State to look into.

    Args:
        passkey: The passkey, as the signed register names it.
        assertion: The assertion.
        challenge: What was to be signed.

    Raises:
        PasskeyError: It is refused.
    """
    if not assertion.is_within_limits:
        raise PasskeyError(PasskeyFault.MALFORMED)
    if assertion.credential_id.hex() != passkey.credential_id:
        raise PasskeyError(PasskeyFault.WRONG_CREDENTIAL)
    check_client_data(assertion.client_data, Ceremony.GET, challenge, passkey.origin)
    counter = read_counter(assertion.authenticator_data, passkey.rp_id)
    _verify_response(passkey, assertion, challenge)
    return counter


def _verify_response(passkey: Passkey, assertion: Assertion, challenge: bytes) -> None:
    """Refuse what Web Authentication refuses, the signature included.

    Raises:
        PasskeyError: It is refused.
    """
    from webauthn import verify_authentication_response  # noqa: PLC0415 takes as long as the rest of the command line
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

    parts = {
        "clientDataJSON": assertion.client_data,
        "authenticatorData": assertion.authenticator_data,
        "signature": assertion.signature,
    }
    try:
        verify_authentication_response(
            credential=make_credential_json(assertion.credential_id, parts),
            expected_challenge=challenge,
            expected_rp_id=passkey.rp_id,
            expected_origin=passkey.origin,
            credential_public_key=bytes.fromhex(passkey.public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except WebAuthnException:
        raise PasskeyError(PasskeyFault.BAD_SIGNATURE) from None
