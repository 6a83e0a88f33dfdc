"""A new passkey, as an authenticator has made it on the page of a desk.

No device has to vouch for what it is (attestation): registrars vouch for the officer. So the answer proves nothing by
itself: officer and registrar compare the passkey's fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sharing.passkeys.authenticator_data import check_user
from sharing.passkeys.browser_json import make_credential_json, read_bytes, read_fields
from sharing.passkeys.client_data import CLIENT_DATA_BYTES_MAX, Ceremony, check_client_data
from sharing.passkeys.cose_key import PasskeyAlgorithm, encode_eddsa, encode_es256
from sharing.passkeys.faults import PasskeyError, PasskeyFault
from sharing.passkeys.origin import get_host
from sharing.passkeys.passkey import CREDENTIAL_BYTES_MAX, Passkey

if TYPE_CHECKING:
    from webauthn.helpers.structs import AttestationObject

ATTESTATION_BYTES_MAX: Final = 4_096

ALGORITHM_NUMBERS: Final = (-8, -7)
"""The algorithms that a desk asks for, as COSE numbers them, the preferred one first: EdDSA, ES256."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A new credential, as a browser sends it. It proves nothing before it was verified.

    Attributes:
        credential_id: Id of the credential.
        client_data: What the browser says, JSON.
        attestation_object: What the authenticator says: of itself, its user, and the new public key.
    """

    credential_id: bytes
    client_data: bytes
    attestation_object: bytes


def read_browser_registration(fields: Mapping[str, Any]) -> Registration:
    """Return the registration in what a browser sends: the JSON of `PublicKeyCredential.toJSON()`.

    Raises:
        PasskeyError: It is not of that form.
    """
    response = read_fields(fields, "response")
    return Registration(
        read_bytes(fields, "rawId", CREDENTIAL_BYTES_MAX),
        read_bytes(response, "clientDataJSON", CLIENT_DATA_BYTES_MAX),
        read_bytes(response, "attestationObject", ATTESTATION_BYTES_MAX),
    )


def verify_registration(registration: Registration, challenge: bytes, origin: str) -> Passkey:
    """Return the passkey that an authenticator has made, if it did so for this challenge at this desk.

    Args:
        registration: The registration.
        challenge: What the desk has asked with.
        origin: The origin of the desk.

    Raises:
        PasskeyError: It is refused.
    """
    check_client_data(registration.client_data, Ceremony.CREATE, challenge, origin)
    attestation = _parse_attestation(registration.attestation_object)
    authenticator = attestation.auth_data
    flags = authenticator.flags
    check_user(authenticator.rp_id_hash, get_host(origin), is_present=flags.up, is_verified=flags.uv)
    credential = authenticator.attested_credential_data
    if credential is None:
        raise PasskeyError(PasskeyFault.MALFORMED)
    if credential.credential_id != registration.credential_id:
        raise PasskeyError(PasskeyFault.WRONG_CREDENTIAL)
    algorithm, public_key = _read_public_key(credential.credential_public_key)
    _verify_response(registration, challenge, origin)
    try:
        return Passkey(
            credential_id=registration.credential_id.hex(),
            algorithm=algorithm,
            public_key=public_key.hex(),
            rp_id=get_host(origin),
            origin=origin,
        )
    except ValueError:  # a point that is not on the curve, or a weak key
        raise PasskeyError(PasskeyFault.MALFORMED) from None


def _parse_attestation(data: bytes) -> AttestationObject:
    """Return what an authenticator says of a new credential.

    Raises:
        PasskeyError: It is malformed, or has another attestation than none, or one by the new key itself.
    """
    from webauthn.helpers import parse_attestation_object  # noqa: PLC0415 slow to import, and seldom needed
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415
    from webauthn.helpers.structs import AttestationFormat  # noqa: PLC0415

    try:
        attestation = parse_attestation_object(data)
    except (WebAuthnException, *_PARSER_ERRORS):
        raise PasskeyError(PasskeyFault.MALFORMED) from None
    is_own = attestation.fmt == AttestationFormat.PACKED and attestation.att_stmt.x5c is None
    if attestation.fmt != AttestationFormat.NONE and not is_own:
        raise PasskeyError(PasskeyFault.ATTESTED)
    return attestation


def _read_public_key(data: bytes) -> tuple[PasskeyAlgorithm, bytes]:
    """Return the algorithm of a new public key, and the key in its one form.

    Raises:
        PasskeyError: It is malformed, or of another algorithm.
    """
    from webauthn.helpers.cose import COSECRV, COSEAlgorithmIdentifier  # noqa: PLC0415 as above
    from webauthn.helpers.decode_credential_public_key import (  # noqa: PLC0415
        DecodedEC2PublicKey,
        DecodedOKPPublicKey,
        decode_credential_public_key,
    )
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

    try:
        key = decode_credential_public_key(data)
    except (WebAuthnException, *_PARSER_ERRORS):
        raise PasskeyError(PasskeyFault.MALFORMED) from None
    match key:
        case DecodedEC2PublicKey(alg=COSEAlgorithmIdentifier.ECDSA_SHA_256, crv=COSECRV.P256, x=bytes(x), y=bytes(y)):
            return PasskeyAlgorithm.ES256, encode_es256(x, y)
        case DecodedOKPPublicKey(alg=COSEAlgorithmIdentifier.EDDSA, crv=COSECRV.ED25519, x=bytes(x)):
            return PasskeyAlgorithm.EDDSA, encode_eddsa(x)
        case _:
            raise PasskeyError(PasskeyFault.WRONG_ALGORITHM)


def _verify_response(registration: Registration, challenge: bytes, origin: str) -> None:
    """Refuse what Web Authentication refuses.

    Raises:
        PasskeyError: It is refused.
    """
    from webauthn import verify_registration_response  # noqa: PLC0415 as above
    from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

    parts = {"clientDataJSON": registration.client_data, "attestationObject": registration.attestation_object}
    try:
        verify_registration_response(
            credential=make_credential_json(registration.credential_id, parts),
            expected_challenge=challenge,
            expected_rp_id=get_host(origin),
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in ALGORITHM_NUMBERS],
        )
    except (WebAuthnException, *_PARSER_ERRORS):
        raise PasskeyError(PasskeyFault.BAD_SIGNATURE) from None


_PARSER_ERRORS: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What parsers of CBOR raise on what is none of what they expect."""
