"""Why a passkey, or what it has signed, is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sharing.errors import SharingError


class PasskeyFault(StrEnum):
    """Why an answer of an authenticator is refused, in the order of the checks."""

    MALFORMED = "MALFORMED"
    WRONG_CREDENTIAL = "WRONG_CREDENTIAL"
    WRONG_TYPE = "WRONG_TYPE"
    WRONG_CHALLENGE = "WRONG_CHALLENGE"
    WRONG_ORIGIN = "WRONG_ORIGIN"
    CROSS_ORIGIN = "CROSS_ORIGIN"
    WRONG_RP = "WRONG_RP"
    NOT_PRESENT = "NOT_PRESENT"
    NOT_VERIFIED = "NOT_VERIFIED"
    WRONG_ALGORITHM = "WRONG_ALGORITHM"
    ATTESTED = "ATTESTED"
    BAD_SIGNATURE = "BAD_SIGNATURE"


PASSKEY_SENTENCES: Final[Mapping[PasskeyFault, str]] = MappingProxyType(
    {
        PasskeyFault.MALFORMED: "the authenticator's answer is not in the form of Web Authentication; try again",
        PasskeyFault.WRONG_CREDENTIAL: "another passkey has answered than the one that was asked",
        PasskeyFault.WRONG_TYPE: "the passkey was used for something else: making one and signing with one differ",
        PasskeyFault.WRONG_CHALLENGE: "the passkey has signed something else than this",
        PasskeyFault.WRONG_ORIGIN: "the passkey was used on another page than the desk that the register names",
        PasskeyFault.CROSS_ORIGIN: "the passkey was used on a page within another site's page; open the desk by itself",
        PasskeyFault.WRONG_RP: "the authenticator has signed for another host name than the register names",
        PasskeyFault.NOT_PRESENT: "the authenticator says that nobody was present",
        PasskeyFault.NOT_VERIFIED: "the authenticator has not verified who used it; use its PIN or biometrics",
        PasskeyFault.WRONG_ALGORITHM: "the passkey's algorithm is neither ES256 nor EdDSA; make one on another device",
        PasskeyFault.ATTESTED: "the device vouches for the passkey in a form that is not read; make it without",
        PasskeyFault.BAD_SIGNATURE: "the signature is not this passkey's on this: it was altered or forged",
    }
)
"""Each fault in one sentence. It contains nothing of what was signed."""


class PasskeyError(SharingError):
    """An answer of an authenticator is refused. It proves nothing, and nothing may rest on it.

    Attributes:
        fault: Why.
    """

    exit_code = 1  # a negative result: it does not verify

    def __init__(self, fault: PasskeyFault) -> None:
        super().__init__(PASSKEY_SENTENCES[fault])
        self.fault = fault
