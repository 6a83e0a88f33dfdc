"""Why a root, a key statement or a signature is refused."""

from __future__ import annotations

from enum import StrEnum

from sharing.errors import SharingError


class TrustFault(StrEnum):
    """Why something that claims to be signed is refused."""

    MALFORMED = "MALFORMED"
    WRONG_KIND = "WRONG_KIND"
    WRONG_STATE = "WRONG_STATE"
    NOT_PINNED = "NOT_PINNED"
    THRESHOLD_NOT_MET = "THRESHOLD_NOT_MET"
    VERSION_MISSING = "VERSION_MISSING"
    ROLLED_BACK = "ROLLED_BACK"
    CONFLICT = "CONFLICT"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    VALID_TOO_LONG = "VALID_TOO_LONG"
    KEY_CHANGED = "KEY_CHANGED"
    NOT_THE_SUCCESSOR = "NOT_THE_SUCCESSOR"
    REVOCATION_DROPPED = "REVOCATION_DROPPED"
    REVOKED = "REVOKED"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    UNKNOWN_ROLE = "UNKNOWN_ROLE"
    UNKNOWN_ALGORITHM = "UNKNOWN_ALGORITHM"
    WRONG_PURPOSE = "WRONG_PURPOSE"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNSIGNED = "UNSIGNED"


class TrustError(SharingError):
    """A root, a key statement or a signature is refused. Nothing that depends on it may be used.

    Attributes:
        fault: Why.
    """

    exit_code = 1  # a negative result: it does not verify

    def __init__(self, fault: TrustFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
