"""What registrars make: a new entry of an officer, a changed or longer one, a revocation; and their signatures.

A change becomes an entry that rests on what two registrars have granted, if that permits it; then one signature
suffices. Otherwise two registrars sign it, one after the other, each on a machine of his or her own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sharing.errors import InputError
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.officers.entry import GRANT_DAYS_MAX, OFFICER_DAYS_MAX, OfficerEntry
from sharing.officers.record import OfficerRecord
from sharing.officers.verification import (
    SIGNATURES_FOR_ROLES,
    SignedEntry,
    VerifiedEntry,
    count_needed,
    name_entry,
)
from sharing.passkeys.passkey import Passkey
from sharing.trust.documents import SignedDocument, add_signature, make_content, sign_document
from sharing.trust.public_keys import PublishedKey
from sharing.trust.signatures import ObjectKind, SigningKey

_CLOCK_UNIT_MS = 1000


@dataclass(frozen=True, slots=True)
class OfficerChange:
    """An entry that registrars are asked to sign.

    Attributes:
        entry: The entry.
        grant: The document that it rests on, or None.
    """

    entry: OfficerEntry
    grant: bytes | None

    @property
    def needed(self) -> int:
        """How many registrars must sign it."""
        return count_needed(self.entry)


@dataclass(frozen=True, slots=True)
class OfficerFields:
    """What a registrar says about an officer; None leaves it as it is.

    Attributes:
        name: Name of the officer.
        agency: The agency.
        authority: Kind of that authority.
        roles: All roles of the officer.
        keys: All public keys of the officer.
        passkeys: All passkeys of the officer.
    """

    name: str | None = None
    agency: str | None = None
    authority: Authority | None = None
    roles: Collection[str] | None = None
    keys: Collection[PublishedKey] | None = None
    passkeys: Collection[Passkey] | None = None

    def list_given(self) -> dict[str, Any]:
        """Return what is given, as an entry has it."""
        given = {
            "name": self.name,
            "agency": self.agency,
            "authority": self.authority,
            "roles": None if self.roles is None else tuple(sorted(set(self.roles))),
            "keys": None if self.keys is None else tuple(self.keys),
            "passkeys": None if self.passkeys is None else tuple(self.passkeys),
        }
        return {name: value for name, value in given.items() if value is not None}


def change_officer(
    state: str,
    officer_id: str,
    newest: VerifiedEntry | None,
    given: OfficerFields,
    *,
    days: int,
    now: int,
    rests_on_grant: bool = True,
    after: int = 0,
) -> OfficerChange:
    """Return the entry that adds an officer, changes one, or extends the validity.

    Args:
        state: The State.
        officer_id: Id of the officer.
        newest: The newest entry of this officer, if there is one.
        given: What changes; all of it for a new officer.
        days: For how many days the entry is valid. If it rests on a grant, at most until that ends.
        now: The time, in UTC milliseconds.
        rests_on_grant: Whether it rests on what two registrars have granted, if that permits it. Otherwise two sign,
            and grant it for another year.
        after: The last sequence that was used for this officer (`Register.find_last_sequence`).

    Raises:
        InputError: Something is missing for a new officer, or cannot be.
    """
    fields = ({"keys": (), "passkeys": ()} if newest is None else _copy_fields(newest.entry)) | given.list_given()
    missing = [field.name for field in dataclasses.fields(OfficerFields) if field.name not in fields]
    if newest is None and not fields["keys"] and not fields["passkeys"]:
        missing.append("keys or passkeys")
    if missing:
        raise InputError(f"{officer_id} is a new officer of {state}: give {', '.join(missing)}, too")
    entry = make_content(
        OfficerEntry,
        {
            **fields,
            "state": state,
            "id": officer_id,
            "sequence": _find_next_sequence(newest, after, now),
            "issued_at": now,
            "valid_from": now,
            "valid_until": now + days * DAY_MS,
        },
    )
    return _rest_on_grant(entry, newest) if rests_on_grant else OfficerChange(entry, None)


def revoke_officer(newest: VerifiedEntry, *, effective_at: int, now: int, after: int = 0) -> OfficerChange:
    """Return the entry that revokes an officer. It stays, so that nobody brings an older entry back.

    Args:
        newest: The newest entry of the officer.
        effective_at: From then on the officer may answer nothing, in UTC milliseconds. An earlier revocation stays.
        now: The time, in UTC milliseconds.
        after: As in `change_officer`.

    Raises:
        InputError: The time is too far in the future, or lies where the officer's entry has expired anyway.
    """
    present = newest.entry
    at = effective_at if present.revoked_at is None else min(effective_at, present.revoked_at)
    longest = now + OFFICER_DAYS_MAX * DAY_MS
    until = min(present.valid_until, longest) if at > now else longest
    if until <= now:
        raise InputError(f"officer {present.id} has no valid entry any more; revoke at once, without a later time")
    entry = make_content(
        OfficerEntry,
        {
            **_copy_fields(present),
            "state": present.state,
            "id": present.id,
            "sequence": _find_next_sequence(newest, after, now),
            "issued_at": now,
            "valid_from": now,
            "valid_until": until,
            "revoked_at": at,
        },
    )
    return _rest_on_grant(entry, newest)


def sign_change(change: OfficerChange, key: SigningKey) -> SignedDocument:
    """Return the entry with the signature of one registrar."""
    return sign_document(ObjectKind.OFFICER, change.entry.state, change.entry, [key])


def countersign(document: SignedDocument, entry: OfficerEntry, key: SigningKey) -> SignedDocument:
    """Return an entry with the signature of one more registrar.

    Raises:
        InputError: This key has signed it already.
    """
    if any(each.key == key.public_key.key_id for each in document.signatures):
        raise InputError(f"{name_entry(entry)}: this registrar key has signed it already; another registrar must sign")
    return add_signature(document, entry.state, key)


def find_grant(newest: VerifiedEntry) -> tuple[SignedEntry, bytes] | None:
    """Return the entry that two registrars have signed and on which others may rest, with its document; or None."""
    if newest.grant is not None and newest.record.grant is not None:
        return newest.grant, newest.record.grant
    is_grant = len(newest.signed.signers) >= SIGNATURES_FOR_ROLES
    return (newest.signed, newest.record.document) if is_grant else None


def make_record(document: SignedDocument, grant: bytes | None) -> OfficerRecord:
    """Return the record of a signed entry."""
    return OfficerRecord(document.to_bytes(), grant)


def _copy_fields(entry: OfficerEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in ("name", "agency", "authority", "roles", "keys", "passkeys")}


def _find_next_sequence(newest: VerifiedEntry | None, after: int, now: int) -> int:
    """Return the next sequence: above all that a reader may remember, also where the topic was created again."""
    return max(now // _CLOCK_UNIT_MS, after + 1, 1 if newest is None else newest.entry.sequence + 1)


def _rest_on_grant(entry: OfficerEntry, newest: VerifiedEntry | None) -> OfficerChange:
    """Return the change as one that rests on a grant, if it needs one and a grant permits it."""
    found = None if newest is None else find_grant(newest)
    if newest is None or found is None or count_needed(entry) == 1 or entry.list_gains(newest.entry):
        return OfficerChange(entry, None)
    grant, document = found
    until = min(entry.valid_until, grant.entry.issued_at + GRANT_DAYS_MAX * DAY_MS)
    if entry.list_gains(grant.entry) or until <= entry.valid_from:
        return OfficerChange(entry, None)
    fields = {name: getattr(entry, name) for name in OfficerEntry.model_fields}
    return OfficerChange(make_content(OfficerEntry, {**fields, "grant": grant.digest, "valid_until": until}), document)
