"""Why a message is not sealed, or a sealed one is refused."""

from __future__ import annotations

from enum import StrEnum

from sharing.errors import SharingError
from sharing.model.countries import STATES
from sharing.trust.faults import TrustError, TrustFault


class SealFault(StrEnum):
    """Why a message is refused; in the order in which a receiver checks, except for the last three."""

    UNSEALED = "UNSEALED"
    OVERSIZED = "OVERSIZED"
    MALFORMED = "MALFORMED"
    WRONG_RECIPIENT = "WRONG_RECIPIENT"
    NOT_PINNED = "NOT_PINNED"
    WRONG_TOPIC = "WRONG_TOPIC"
    UNKNOWN_SUITE = "UNKNOWN_SUITE"
    UNTRUSTED_SIGNER = "UNTRUSTED_SIGNER"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNKNOWN_SEAL_KEY = "UNKNOWN_SEAL_KEY"
    NOT_OPENED = "NOT_OPENED"
    WRONG_COMMITMENT = "WRONG_COMMITMENT"
    BAD_PADDING = "BAD_PADDING"
    CONTENT_MISMATCH = "CONTENT_MISMATCH"
    NO_RECIPIENT_KEY = "NO_RECIPIENT_KEY"
    UNUSABLE_RECIPIENT_KEY = "UNUSABLE_RECIPIENT_KEY"
    NOT_SEALABLE = "NOT_SEALABLE"


class SealError(SharingError):
    """A message is refused, or cannot be sealed. The error contains nothing of its content.

    Attributes:
        fault: Why.
        trust_fault: For UNTRUSTED_SIGNER and BAD_SIGNATURE, what is wrong with the signer's key or with the signature.
    """

    exit_code = 1  # a negative result: it does not verify

    def __init__(self, fault: SealFault, message: str, *, trust_fault: TrustFault | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.trust_fault = trust_fault


def refuse_signer(error: TrustError) -> SealError:
    """Return the refusal of a message whose signer or signature is not trusted."""
    is_bad = error.fault is TrustFault.BAD_SIGNATURE
    fault = SealFault.BAD_SIGNATURE if is_bad else SealFault.UNTRUSTED_SIGNER
    return SealError(fault, str(error), trust_fault=error.fault)


def show_state(code: str) -> str:
    """Return a State's code for a message, or "an unknown State": unverified input may be any text."""
    return code if code in STATES else "an unknown State"
