"""What an authenticator says of itself: for which host name, and what it has checked about its user.

Layout: SHA-256 of the rpId, flags, signature counter (Web Authentication, section 6.1).
"""

from __future__ import annotations

import hashlib
from typing import Final

from sharing.passkeys.faults import PasskeyError, PasskeyFault

HEAD_BYTES: Final = 37
"""Length of authenticator data with neither a new credential nor extensions, which no desk asks for."""

_FLAGS_AT: Final = 32
_PRESENT, _VERIFIED, _CREDENTIAL, _EXTENSIONS = 0x01, 0x04, 0x40, 0x80


def read_counter(data: bytes, rp_id: str) -> int:
    """Return the signature counter of an assertion's data.

    Raises:
        PasskeyError: It is for another host name, its user was not present or not verified, or it has more than its
            head: a credential or extensions.
    """
    if len(data) != HEAD_BYTES or data[_FLAGS_AT] & (_CREDENTIAL | _EXTENSIONS):
        raise PasskeyError(PasskeyFault.MALFORMED)
    flags = data[_FLAGS_AT]
    check_user(data[:_FLAGS_AT], rp_id, is_present=bool(flags & _PRESENT), is_verified=bool(flags & _VERIFIED))
    return int.from_bytes(data[_FLAGS_AT + 1 :], "big")


def check_user(rp_id_hash: bytes, rp_id: str, *, is_present: bool, is_verified: bool) -> None:
    """Refuse an answer for another host name, or whose user was not present and verified.

    Raises:
        PasskeyError: It is refused.
    """
    if rp_id_hash != hashlib.sha256(rp_id.encode()).digest():
        raise PasskeyError(PasskeyFault.WRONG_RP)
    if not is_present:
        raise PasskeyError(PasskeyFault.NOT_PRESENT)
    if not is_verified:
        raise PasskeyError(PasskeyFault.NOT_VERIFIED)
