"""Rulings that an officer has not signed yet, and those that were signed and did not reach the broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sharing.passkeys.browser_json import encode_base64url
from sharing.rulings.ruling import Ruling


@dataclass(frozen=True, slots=True)
class PreparedRuling:
    """A ruling that waits for the officer's signature. It can be signed once.

    Attributes:
        id: Under which it is kept in the session.
        ruling: What is signed.
        items: The partitions to which it is written, each with an item that it is about.
        summary: What it will do, in sentences.
        challenge: What the passkey signs.
        rp_id: The host name that the passkeys are bound to.
        credentials: Ids of the officer's passkeys of this desk.
    """

    id: str
    ruling: Ruling
    items: Mapping[int, str]
    summary: tuple[str, ...]
    challenge: bytes
    rp_id: str
    credentials: tuple[bytes, ...]

    @property
    def payload(self) -> dict[str, Any]:
        """What is signed, all of it, as JSON."""
        return self.ruling.model_dump(mode="json")

    def to_json(self) -> dict[str, Any]:
        """Return what the page needs to ask for the signature."""
        return {
            "id": self.id,
            "summary": list(self.summary),
            "challenge": encode_base64url(self.challenge),
            "rp_id": self.rp_id,
            "credentials": [encode_base64url(credential) for credential in self.credentials],
            "payload": self.payload,
        }


@dataclass(slots=True)
class SubmittedRuling:
    """A ruling that the officer has signed.

    Attributes:
        officer: Id of the officer.
        digest: What identifies it in the acts.
        record: The signed record.
        asks: The Asks that it answers, with their partitions.
        items: The partitions to which it is written, each with an item.
        expires_at: Until when it may be written, in UTC milliseconds.
        is_written: Whether the broker has confirmed all copies.
    """

    officer: str
    digest: str
    record: bytes = field(repr=False)
    asks: Mapping[str, int]
    items: Mapping[int, str]
    expires_at: int
    is_written: bool = False
