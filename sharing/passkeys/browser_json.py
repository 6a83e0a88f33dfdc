"""The parts of what a browser sends of an authenticator's answer: JSON, with bytes as base64url without padding."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sharing.passkeys.faults import PasskeyError, PasskeyFault


def encode_base64url(data: bytes) -> str:
    """Return bytes in base64url without padding (RFC 4648, section 5), as browsers and client data have them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def make_credential_json(credential_id: bytes, response: Mapping[str, bytes]) -> dict[str, Any]:
    """Return an authenticator's answer as `PublicKeyCredential.toJSON()` has it.

    Args:
        credential_id: Id of the credential.
        response: The parts of the answer, by the names that browsers give them.
    """
    name = encode_base64url(credential_id)
    parts = {part: encode_base64url(data) for part, data in response.items()}
    return {"id": name, "rawId": name, "type": "public-key", "response": parts}


def decode_base64url(text: str) -> bytes:
    """Return the bytes of a text in base64url without padding, in its one form.

    Raises:
        PasskeyError: It is none.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise PasskeyError(PasskeyFault.MALFORMED) from None
    if encode_base64url(data) != text:
        raise PasskeyError(PasskeyFault.MALFORMED)
    return data


def read_bytes(fields: Mapping[str, Any], name: str, bytes_max: int) -> bytes:
    """Return the bytes of a field.

    Args:
        fields: The fields.
        name: Name of the field.
        bytes_max: How long it may be.

    Raises:
        PasskeyError: It is missing, no text in base64url, empty or too long.
    """
    text = fields.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= 2 * bytes_max:
        raise PasskeyError(PasskeyFault.MALFORMED)
    data = decode_base64url(text)
    if len(data) > bytes_max:
        raise PasskeyError(PasskeyFault.MALFORMED)
    return data


def read_fields(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the fields of an object in a field.

    Raises:
        PasskeyError: It is missing, or no object.
    """
    found = fields.get(name)
    if not isinstance(found, Mapping):
        raise PasskeyError(PasskeyFault.MALFORMED)
    return found
