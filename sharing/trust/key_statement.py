"""The key statement of a State: its online keys, signed by a threshold of its root keys.

Each statement replaces the previous one. What a statement may change is restricted, so that no rotation is hidden:

- a key is never altered; revocation ends it early;
- a key is listed until 30 days after it has ended, so that a reader that missed statements still sees its successor;
  a `gate` key for a year, because it signs the inbox of its own State, which keeps items for that long; and a
  `registrar` key, because what two registrars have granted to an officer is valid for that long;
- the key that follows a key is the one that it named as its successor, unless the revocation of one of the two was in
  effect when the following key became valid;
- a revocation is never dropped, and never moved to a later time.

No key becomes valid, and no revocation takes effect, more than 30 days after the statement was issued: anything further
ahead would block the succession and revoke nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS
from sharing.trust.documents import Instant, StateCode, check_period, compute_digest, read_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.online_key import OnlineKey, Revocation, count_kept_days
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import TrustedRoot, require_current_root, require_root_signatures
from sharing.trust.signatures import ObjectKind

KEYS_MAX, REVOCATIONS_MAX = 256, 1000
AHEAD_DAYS_MAX = 30
"""How many days ahead a statement may plan a key or a revocation."""

_ONLINE_DAYS_LIMIT = 366

RootVersion = Annotated[int, Field(ge=1, le=1_000_000)]
StatementVersion = Annotated[int, Field(ge=1, le=1_000_000_000)]


class KeyStatement(StrictModel):
    """What a State states about its online keys.

    Attributes:
        kind: Always `keys`.
        format: Version of this format.
        state: The State.
        root_version: Version of the root under which it was issued.
        version: One more than in the previous statement.
        issued_at: When it was made.
        expires_at: None of its keys is accepted from then on.
        keys: The online keys.
        revocations: All keys that were ever revoked.
    """

    kind: Literal["keys"] = "keys"
    format: Literal[1] = 1
    state: StateCode
    root_version: RootVersion
    version: StatementVersion
    issued_at: Instant
    expires_at: Instant
    keys: Annotated[tuple[OnlineKey, ...], Field(max_length=KEYS_MAX)]
    revocations: Annotated[tuple[Revocation, ...], Field(max_length=REVOCATIONS_MAX)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({key.key_id for key in self.keys}) < len(self.keys):
            raise ValueError("a key is listed twice, or for two roles")
        if len({key.successor for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same successor")
        if len({item.key for item in self.revocations}) < len(self.revocations):
            raise ValueError("a revocation is listed twice")
        if self.expires_at <= self.issued_at:
            raise ValueError("a statement must expire after it was issued")
        return self

    def list_keys(self, role: KeyRole) -> list[OnlineKey]:
        """Return the keys of a role, the oldest first."""
        return sorted((key for key in self.keys if key.role is role), key=lambda key: (key.valid_from, key.key_id))

    def list_usable_keys(self, role: KeyRole, now: int) -> list[OnlineKey]:
        """Return the keys of a role that are valid and not revoked at this instant, the oldest first."""
        return [
            key
            for key in self.list_keys(role)
            if key.valid_from <= now <= key.valid_until and not self.is_revoked(key.key_id, now)
        ]

    def find_usable_key(self, role: KeyRole, now: int) -> OnlineKey | None:
        """Return the newest key of a role that is valid and not revoked at this instant, or None."""
        usable = self.list_usable_keys(role, now)
        return usable[-1] if usable else None

    def is_revoked(self, key_id: str, now: int) -> bool:
        """Return whether the revocation of a key is in effect at an instant."""
        revocation = self.find_revocation(key_id)
        return revocation is not None and now >= revocation.effective_at

    def find_revocation(self, key_id: str) -> Revocation | None:
        """Return the revocation of a key, or None."""
        return next((item for item in self.revocations if item.key == key_id), None)


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The online keys of a State, from a statement that was verified. Only the functions of this module make it.

    A reader that accepts a newer root verifies its key statement again, under that root.

    Attributes:
        statement: What was stated.
        digest: Digest of the statement.
        root: The root whose keys signed it.
    """

    statement: KeyStatement
    digest: str
    root: TrustedRoot

    @property
    def state(self) -> str:
        """The State."""
        return self.statement.state


def accept_key_statement(
    root: TrustedRoot, data: bytes, *, now: int, previous: TrustedKeys | None = None
) -> TrustedKeys:
    """Return the online keys that a statement names, after verifying it.

    Args:
        root: The newest root of the State.
        data: The document.
        now: The reader's clock, in UTC milliseconds.
        previous: What the reader accepted before.

    Raises:
        TrustError: The root has expired; or the document is malformed, belongs to another State, is not signed by a
            threshold of the root keys, is older than what was accepted, has expired, or changes what it must not
            change.
    """
    require_current_root(root, now)
    keys = verify_key_statement(root, data, previous=previous)
    require_current_statement(keys, now)
    return keys


def verify_key_statement(root: TrustedRoot, data: bytes, *, previous: TrustedKeys | None = None) -> TrustedKeys:
    """Return the online keys that a statement names, whether or not it is valid now: a State renews an expired one.

    Raises:
        TrustError: As `accept_key_statement`, except for expiry.
    """
    document, statement = read_document(data, ObjectKind.KEYS, KeyStatement)
    name = f"{statement.state}: key statement {statement.version}"
    if statement.state != root.state:
        raise TrustError(TrustFault.WRONG_STATE, f"is a key statement of {statement.state}, not of {root.state}")
    if statement.root_version > root.metadata.version:
        raise TrustError(
            TrustFault.VERSION_MISSING,
            f"{name} was issued under version {statement.root_version} of the root; get that root first",
        )
    require_root_signatures(document, root.metadata, name)
    keys = TrustedKeys(statement, compute_digest(ObjectKind.KEYS, statement.state, document.payload), root)
    check_validity(keys, name)
    _check_succession(statement, name)
    if previous is not None:
        require_permitted_change(previous, keys)
    return keys


def require_current_statement(keys: TrustedKeys, now: int) -> None:
    """Refuse a statement that is not valid at this instant.

    Raises:
        TrustError: It is not valid yet, or has expired.
    """
    statement = keys.statement
    name = f"{statement.state}: key statement {statement.version}"
    check_period(name, statement.issued_at, statement.expires_at, now)


def check_validity(keys: TrustedKeys, name: str) -> None:
    """Refuse a statement or a key that is valid for too long or becomes valid too far ahead.

    Raises:
        TrustError: One is.
    """
    longest = keys.root.metadata.online_days_max * DAY_MS
    statement = keys.statement
    root_ids = {key.key_id for key in keys.root.metadata.keys}
    latest = statement.issued_at + AHEAD_DAYS_MAX * DAY_MS
    if statement.expires_at - statement.issued_at > longest:
        raise TrustError(TrustFault.VALID_TOO_LONG, f"{name} is valid for longer than the root allows")
    if any(item.effective_at > latest for item in statement.revocations):
        raise TrustError(TrustFault.NOT_YET_VALID, f"{name}: a revocation takes effect too far in the future")
    for key in statement.keys:
        is_new = key.valid_from >= keys.root.metadata.issued_at  # older ones were made under a root that allowed more
        if key.valid_until - key.valid_from > (longest if is_new else _ONLINE_DAYS_LIMIT * DAY_MS):
            raise TrustError(TrustFault.VALID_TOO_LONG, f"{name}: the {key.role} key is valid for longer than allowed")
        if key.valid_from > latest:
            raise TrustError(
                TrustFault.NOT_YET_VALID, f"{name}: the {key.role} key becomes valid too far in the future"
            )
        if key.key_id in root_ids:
            raise TrustError(TrustFault.WRONG_PURPOSE, f"{name}: a root key is listed as the {key.role} key")


def _check_succession(statement: KeyStatement, name: str) -> None:
    """Check that within the statement each key is the one that the previous key named."""
    for role in KeyRole:
        keys = statement.list_keys(role)
        for key, following in pairwise(keys):
            _require_successor(statement, key, following, name)


def _require_successor(statement: KeyStatement, key: OnlineKey, following: OnlineKey, name: str) -> None:
    since = following.valid_from
    if following.key_id != key.successor and not any(
        statement.is_revoked(key_id, since) for key_id in (key.key_id, key.successor)
    ):
        raise TrustError(
            TrustFault.NOT_THE_SUCCESSOR, f"{name}: the new {key.role} key is not the one that was named before"
        )


def require_permitted_change(previous: TrustedKeys, keys: TrustedKeys) -> None:
    """Refuse a statement that changes what it must not change, against one that was accepted before.

    Raises:
        TrustError: It is older; or it alters a key, drops or defers a revocation, or names another key than the
            successor.
    """
    old, new = previous.statement, keys.statement
    name = f"{new.state}: key statement {new.version}"
    if new.version == old.version and keys.digest != previous.digest:
        raise TrustError(TrustFault.CONFLICT, f"{name} exists in two different forms; ask that State")
    if new.version < old.version or new.root_version < old.root_version:
        raise TrustError(TrustFault.ROLLED_BACK, f"{name} is older than {old.version}, which was accepted before")
    for revocation in old.revocations:
        kept = new.find_revocation(revocation.key)
        if kept is None or kept.effective_at > revocation.effective_at:
            raise TrustError(TrustFault.REVOCATION_DROPPED, f"{name} drops or defers a revocation")
    by_id = {key.key_id: key for key in new.keys}
    for key in old.keys:
        kept_key = by_id.get(key.key_id)
        if kept_key is None and key.valid_until + count_kept_days(key.role) * DAY_MS > new.issued_at:
            raise TrustError(
                TrustFault.KEY_CHANGED, f"{name} no longer lists the {key.role} key, which is still needed"
            )
        if kept_key is not None and kept_key != key:
            raise TrustError(TrustFault.KEY_CHANGED, f"{name} alters the {key.role} key")
    for role in KeyRole:
        _check_next_key(old, new, role, name)


def _check_next_key(old: KeyStatement, new: KeyStatement, role: KeyRole, name: str) -> None:
    """Check that the first new key of a role is the successor of the last old one.

    If so many statements were missed that the last old key is no longer listed, the root's signatures must suffice.
    """
    known = {key.key_id for key in old.keys}
    old_keys, added = old.list_keys(role), [key for key in new.list_keys(role) if key.key_id not in known]
    if not old_keys or not added:
        return
    last = old_keys[-1]
    if added[0].valid_from <= last.valid_from:
        raise TrustError(TrustFault.NOT_THE_SUCCESSOR, f"{name}: a {role} key was inserted before a known one")
    is_listed = any(key.key_id == last.key_id for key in new.keys)
    if new.version > old.version + 1 and not is_listed:
        return
    _require_successor(new, last, added[0], name)
