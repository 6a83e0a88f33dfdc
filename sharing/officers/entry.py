"""What the register says about one officer: the content that registrars sign.

An entry replaces the one before of the same officer, which has a lower sequence. A revocation is an entry that stays.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sharing.conversation.asks import Officer
from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.passkeys.passkey import Passkey
from sharing.trust.documents import Instant, StateCode
from sharing.trust.public_keys import KeyAlgorithm, KeyId, PublishedKey

OFFICER_DAYS_MAX: Final = 90
"""For how many days an entry is valid at most. An officer who left and whom nobody revoked may answer for as long; and
for as long a reader without memory can be shown an entry that was replaced."""

GRANT_DAYS_MAX: Final = 366
"""For how many days one registrar alone may extend what two have granted. A key statement lists the keys that signed
the grant for as long after their end."""

AHEAD_DAYS_MAX: Final = 30
"""For how many days ahead an entry may begin, or a revocation be planned."""

ROLES_MAX, KEYS_MAX, PASSKEYS_MAX = 32, 8, 8
SEQUENCE_MAX: Final = 2**53 - 1

ID_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,39}$"
ROLE_PATTERN: Final = r"^[A-Z][A-Z0-9_]{0,63}$"

OfficerId = Annotated[str, Field(pattern=ID_PATTERN)]
RoleName = Annotated[str, Field(pattern=ROLE_PATTERN)]


def _check_text(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise ValueError("must be printable text without spaces at its ends")
    return value


_Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_text)]


class OfficerEntry(StrictModel):
    """An officer, as registrars of the State have signed it. Times are in UTC milliseconds.

    Attributes:
        kind: Always `officer`.
        format: Version of this format.
        state: The State.
        id: Opaque id of the officer: it is the key of the record, and appears in audit logs.
        sequence: Higher than in every earlier entry of this officer.
        issued_at: When it was made. A signing key must have been valid then.
        name: Name of the officer.
        agency: The agency that the officer belongs to. Four eyes may ask for another agency.
        authority: Kind of that authority.
        roles: What the officer may decide, by the names under `approvers` in law packs; none for an officer who only
            answers what any officer may.
        keys: Public keys of the officer, any of which signs a ruling. The algorithm is part of each.
        passkeys: Passkeys of the officer, any of which signs a ruling at its desk. An officer has a key or a passkey.
        valid_from: From then on.
        valid_until: Until then.
        revoked_at: From then on the officer may answer nothing, whatever the validity; None if not revoked.
        grant: Digest of the entry that two registrars have signed, if this one has fewer signatures and rests on it.
    """

    kind: Literal["officer"] = "officer"
    format: Literal[1] = 1
    state: StateCode
    id: OfficerId
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    issued_at: Instant
    name: _Text
    agency: _Text
    authority: Authority
    roles: Annotated[tuple[RoleName, ...], Field(max_length=ROLES_MAX)]
    keys: Annotated[tuple[PublishedKey, ...], Field(max_length=KEYS_MAX)]
    passkeys: Annotated[tuple[Passkey, ...], Field(max_length=PASSKEYS_MAX)] = ()
    valid_from: Instant
    valid_until: Instant
    revoked_at: Instant | None = None
    grant: KeyId | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        ahead = self.issued_at + AHEAD_DAYS_MAX * DAY_MS
        if list(self.roles) != sorted(set(self.roles)):
            raise ValueError("roles must be sorted, and each be named once")
        if any(key.algorithm is not KeyAlgorithm.ED25519 for key in self.keys):
            raise ValueError("a key of an officer must be an Ed25519 key")
        if len({key.key_id for key in self.keys}) < len(self.keys):
            raise ValueError("a key is listed twice")
        if not self.keys and not self.passkeys:
            raise ValueError("an officer signs with a key or with a passkey; name one")
        if len({passkey.credential_id for passkey in self.passkeys}) < len(self.passkeys):
            raise ValueError("a passkey is listed twice")
        if not self.issued_at <= self.valid_from <= ahead:
            raise ValueError(f"an entry begins when it is issued, or at most {AHEAD_DAYS_MAX} days later")
        if not self.valid_from < self.valid_until <= self.issued_at + OFFICER_DAYS_MAX * DAY_MS:
            raise ValueError(f"an entry is valid for some time, at most {OFFICER_DAYS_MAX} days after it was issued")
        if self.revoked_at is not None and self.revoked_at > ahead:
            raise ValueError(f"a revocation takes effect within {AHEAD_DAYS_MAX} days: until then the officer counts")
        return self

    @property
    def is_spent(self) -> bool:
        """Whether it grants nothing at any time, because the revocation was in effect when it was made."""
        return self.revoked_at is not None and self.revoked_at <= self.issued_at

    def is_revoked(self, at_ms: int) -> bool:
        """Return whether the revocation is in effect at a time, in UTC milliseconds."""
        return self.revoked_at is not None and at_ms >= self.revoked_at

    def is_in_force(self, at_ms: int) -> bool:
        """Return whether the officer may answer at a time, in UTC milliseconds."""
        return self.valid_from <= at_ms < self.valid_until and not self.is_revoked(at_ms)

    def list_gains(self, earlier: OfficerEntry) -> tuple[str, ...]:
        """Return in which fields this entry permits more than an earlier one; validity alone is not counted."""
        gains = []
        if not set(self.roles) <= set(earlier.roles):
            gains.append("roles")
        if not {key.key_id for key in self.keys} <= {key.key_id for key in earlier.keys}:
            gains.append("keys")
        if not set(self.passkeys) <= set(earlier.passkeys):
            gains.append("passkeys")
        gains += [name for name in ("agency", "authority") if getattr(self, name) != getattr(earlier, name)]
        if earlier.revoked_at is not None and (self.revoked_at is None or self.revoked_at > earlier.revoked_at):
            gains.append("revoked_at")
        return tuple(gains)

    def to_officer(self) -> Officer:
        """Return the officer, as the conversation knows him or her."""
        return Officer(self.id, self.agency, frozenset(self.roles))
