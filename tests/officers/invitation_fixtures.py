"""An invitation of an officer, made without randomness."""

from __future__ import annotations

from typing import Any

from sharing.officers.invitation import (
    VerifiedInvitation,
    make_invitation,
    sign_invitation,
    verify_invitation,
)
from tests.officers.register_fixtures import KEYS, REGISTRARS
from tests.support.soft_authenticator import ORIGIN
from tests.trust.trust_fixtures import NOW


def sign_test_invitation(officer_id: str = "o1", origin: str = ORIGIN, *, days: int = 7, now: int = NOW) -> bytes:
    """Return an invitation as a registrar gives it to the officer."""
    invitation = make_invitation("CH", officer_id, origin, nonce=bytes(range(32)), days=days, now=now)
    return sign_invitation(invitation, REGISTRARS[2]).to_bytes()


def make_test_invitation(*, now: int = NOW, **fields: Any) -> VerifiedInvitation:
    """Return an invitation as a desk has verified it."""
    return verify_invitation(KEYS, sign_test_invitation(now=now, **fields), now)
