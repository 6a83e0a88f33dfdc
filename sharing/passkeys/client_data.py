"""What the browser adds to an authenticator's answer: for what it was asked, with which challenge, on which page.

The authenticator signs the hash of it. So it counts once the signature is verified, and not before.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final

from sharing.passkeys.browser_json import encode_base64url
from sharing.passkeys.faults import PasskeyError, PasskeyFault

CLIENT_DATA_BYTES_MAX: Final = 4_096


class Ceremony(StrEnum):
    """What a passkey was used for: the `type` of client data (Web Authentication, section 5.8.1)."""

    CREATE = "webauthn.create"
    GET = "webauthn.get"


def check_client_data(data: bytes, ceremony: Ceremony, challenge: bytes, origin: str) -> None:
    """Refuse client data that is about anything else, or was made on another page or within one.

    Args:
        data: The client data: JSON.
        ceremony: What the passkey must have been used for.
        challenge: What it must have been asked to sign.
        origin: The desk on which.

    Raises:
        PasskeyError: It is refused.
    """
    try:
        fields = json.loads(data.decode("utf-8")) if len(data) <= CLIENT_DATA_BYTES_MAX else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), str) for name in _TEXTS):
        raise PasskeyError(PasskeyFault.MALFORMED)
    if fields["type"] != ceremony:
        raise PasskeyError(PasskeyFault.WRONG_TYPE)
    if fields["challenge"] != encode_base64url(challenge):
        raise PasskeyError(PasskeyFault.WRONG_CHALLENGE)
    if fields["origin"] != origin:
        raise PasskeyError(PasskeyFault.WRONG_ORIGIN)
    if fields.get("crossOrigin", False) is not False or "topOrigin" in fields:
        raise PasskeyError(PasskeyFault.CROSS_ORIGIN)


_TEXTS: Final = ("type", "challenge", "origin")
