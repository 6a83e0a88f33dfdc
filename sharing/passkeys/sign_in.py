"""What an officer's passkey signs to sign in at the desk.

It begins with a kind of object of its own. So an honest desk's sign-in is never a ruling: nobody finds a ruling with
the same hash. That a desk asks to sign in with such a challenge, and not with that of a ruling, rests on the desk.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import Instant, StateCode
from sharing.trust.signatures import ObjectKind, build_message


class SignIn(StrictModel):
    """What is signed to sign in.

    Attributes:
        kind: Always `sign-in`.
        format: Version of this format.
        state: The State of the desk.
        nonce: 32 random bytes of the desk, in hexadecimal digits.
        expires_at: Until when the desk accepts it, in UTC milliseconds.
    """

    kind: Literal["sign-in"] = "sign-in"
    format: Literal[1] = 1
    state: StateCode
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires_at: Instant


def compute_sign_in_challenge(state: str, nonce: bytes, expires_at: int) -> bytes:
    """Return the challenge of a sign-in: a SHA-256.

    Args:
        state: The State of the desk.
        nonce: 32 random bytes, used once.
        expires_at: Until when the desk accepts it, in UTC milliseconds.
    """
    content = SignIn(state=state, nonce=nonce.hex(), expires_at=expires_at)
    payload = encode_canonical(content.model_dump(mode="json"))
    return hashlib.sha256(build_message(ObjectKind.SIGN_IN, state, payload)).digest()
