"""A passkey, as the register of officers keeps it. Registrars sign it as part of the officer's entry."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from sharing.model.strict_model import StrictModel
from sharing.passkeys.cose_key import PasskeyAlgorithm, check_cose_key
from sharing.passkeys.origin import HOST_MAX, ORIGIN_MAX, get_host
from sharing.trust.canonical import encode_canonical

CREDENTIAL_BYTES_MAX: Final = 1023
"""Longest id of a credential (Web Authentication, section 4)."""

_FINGERPRINT_DIGITS: Final = 20
_GROUP: Final = 4


class Passkey(StrictModel):
    """A passkey of an officer.

    Attributes:
        credential_id: Id of the credential, in hexadecimal digits: the authenticator has chosen it.
        algorithm: How it signs. No other algorithm is accepted from it.
        public_key: Its public key: COSE, in hexadecimal digits.
        rp_id: The host name to which the authenticator has bound it: that of the origin.
        origin: The desk on which it is used.
    """

    credential_id: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})+$", max_length=2 * CREDENTIAL_BYTES_MAX)]
    algorithm: PasskeyAlgorithm
    public_key: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})+$", max_length=256)]
    rp_id: Annotated[str, Field(max_length=HOST_MAX)]
    origin: Annotated[str, Field(max_length=ORIGIN_MAX)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_cose_key(self.algorithm, bytes.fromhex(self.public_key))
        if get_host(self.origin) != self.rp_id:
            raise ValueError("rp_id: must be the host name of the origin")
        return self

    @property
    def fingerprint(self) -> str:
        """What officer and registrar compare by telephone: 80 bits of the SHA-256 of all fields, in groups of four."""
        digits = hashlib.sha256(encode_canonical(self.model_dump(mode="json"))).hexdigest()[:_FINGERPRINT_DIGITS]
        return " ".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))
