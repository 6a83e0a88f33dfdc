"""An online key of a State as a key statement lists it, how long it stays listed after its end, and its revocation."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from sharing.model.strict_model import StrictModel
from sharing.trust.documents import Instant
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyId, KeyRole, PublishedKey

KEEP_ENDED_DAYS = 30
"""How many days a statement still lists a key that has ended: as long as exchange topics keep what it signed."""

KEEP_ENDED_GATE_DAYS = 366
"""The same for a `gate` key: the inbox of its State keeps for a year what it signed."""

KEEP_ENDED_REGISTRAR_DAYS = 366
"""The same for a `registrar` key: what two registrars have granted is extended by one of them for up to a year."""


class OnlineKey(PublishedKey):
    """A key that a State uses every day, for one role.

    Attributes:
        role: What it is for.
        valid_from: From when it may sign, or content may be sealed to it.
        valid_until: Until when.
        successor: Id of the key that will follow it, which already exists.
    """

    role: KeyRole
    valid_from: Instant
    valid_until: Instant
    successor: KeyId

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.algorithm not in ROLE_ALGORITHMS[self.role]:
            raise ValueError(f"a key for the role {self.role} is not an {self.algorithm} key")
        if self.valid_until <= self.valid_from:
            raise ValueError("a key must be valid for some time")
        if self.successor == self.key_id:
            raise ValueError("a key cannot succeed itself")
        return self

    def to_published(self) -> PublishedKey:
        """Return the public key alone."""
        return PublishedKey(algorithm=self.algorithm, public=self.public)


class Revocation(StrictModel):
    """A key that must no longer be used.

    Attributes:
        key: Its id. It may be a successor that no statement has listed yet.
        effective_at: Anything that arrives under this key from then on is refused, no matter how it is dated.
    """

    key: KeyId
    effective_at: Instant


def count_kept_days(role: KeyRole) -> int:
    """Return how many days a statement still lists a key of a role that has ended."""
    special = {KeyRole.GATE: KEEP_ENDED_GATE_DAYS, KeyRole.REGISTRAR: KEEP_ENDED_REGISTRAR_DAYS}
    return special.get(role, KEEP_ENDED_DAYS)
