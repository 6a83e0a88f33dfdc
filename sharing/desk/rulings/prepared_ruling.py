"""Rulings that an officer has not signed yet, and those that were signed and did not reach the broker."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sharing.passkeys.browser_json import encode_base64url
from sharing.rulings.ruling import Ruling


class FollowingAsks(NamedTuple):
    """Alike Asks for which there is no room under one signature: the next one takes them.

    Attributes:
        ask: Id of the first of them.
        nonce: Its nonce.
        left: How many they are.
    """

    ask: str
    nonce: str
    left: int


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
        following: The alike Asks that need a further signature; None if there are none.
    """

    id: str
    ruling: Ruling
    items: Mapping[int, str]
    summary: tuple[str, ...]
    challenge: bytes
    rp_id: str
    credentials: tuple[bytes, ...]
    following: FollowingAsks | None = None

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
            "next": None if self.following is None else self.following._asdict(),
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
        writing: Held while it is written: pressed twice, it is written by one after the other.
    """

    officer: str
    digest: str
    record: bytes = field(repr=False)
    asks: Mapping[str, int]
    items: Mapping[int, str]
    expires_at: int
    is_written: bool = False
    writing: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
