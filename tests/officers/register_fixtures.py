"""A State with two registrars, and what they sign about officers, for tests; made without randomness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sharing.model.vocabulary import Authority
from sharing.officers.changes import OfficerChange, OfficerFields, change_officer, countersign, make_record, sign_change
from sharing.officers.entry import OfficerEntry
from sharing.officers.record import OfficerRecord
from sharing.officers.register import Register
from sharing.officers.verification import read_entry
from sharing.trust.ceremonies import issue_keys, revoke_keys
from sharing.trust.documents import sign_document
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.public_keys import KeyRole
from sharing.trust.signatures import MemorySigningKey, ObjectKind
from tests.trust.trust_fixtures import (
    DAY,
    NOW,
    make_keys,
    make_online,
    make_public,
    make_root,
    make_signer,
    sign_statement,
)


def make_registrars(state: str = "CH", count: int = 3) -> TrustedKeys:
    """Return online keys with so many registrar keys in force at once, `registrar 1` and so on, a day apart."""
    root, _ = make_root(state=state, days=3000, online_days_max=366, now=NOW - 10 * DAY)
    keys, _ = make_keys(root, now=NOW - count * DAY, days=366)
    for number in range(2, count + 1):
        issued_at = NOW - (count - number + 1) * DAY
        named = (make_online(KeyRole.REGISTRAR, number), make_online(KeyRole.REGISTRAR, number + 1).key_id)
        statement = issue_keys(root, keys, {KeyRole.REGISTRAR: named}, days=366, now=issued_at)
        keys = accept_key_statement(root, sign_statement(statement), now=issued_at, previous=keys)
    return keys


KEYS = make_registrars()
REGISTRARS = tuple(make_signer(f"registrar {number}") for number in (1, 2, 3))


def revoke_registrars(keys: TrustedKeys, *numbers: int, at: int) -> TrustedKeys:
    """Return the online keys after the revocation of registrar keys."""
    ids = [make_online(KeyRole.REGISTRAR, number).key_id for number in numbers]
    data = sign_statement(revoke_keys(keys.root, keys, ids, effective_at=at, days=366, now=at))
    return accept_key_statement(keys.root, data, now=at, previous=keys)


def make_fields(officer_id: str = "o1", roles: Iterable[str] = ("PUBLIC_PROSECUTOR",), **changes: Any) -> OfficerFields:
    return OfficerFields(
        **{
            "name": f"Officer {officer_id}",
            "agency": "fedpol",
            "authority": Authority.POLICE,
            "roles": tuple(roles),
            "keys": (make_public(f"officer {officer_id}"),),
            **changes,
        }
    )


def sign(change: OfficerChange, *signers: MemorySigningKey) -> OfficerRecord:
    """Return the record of a change, signed by these."""
    document = sign_change(change, signers[0])
    for signer in signers[1:]:
        document = countersign(document, change.entry, signer)
    return make_record(document, change.grant)


def sign_entry(entry: OfficerEntry, *signers: MemorySigningKey, state: str = "CH") -> bytes:
    """Return the value of a record with this entry alone, whatever it says."""
    return OfficerRecord(sign_document(ObjectKind.OFFICER, state, entry, signers).to_bytes()).encode()


def grant(
    register: Register, officer_id: str = "o1", *, now: int = NOW, days: int = 90, **changes: Any
) -> OfficerRecord:
    """Return the record of an entry that two registrars sign."""
    newest = register.find_newest(officer_id, now)
    change = change_officer(register.state, officer_id, newest, make_fields(officer_id, **changes), days=days, now=now)
    return sign(change, *REGISTRARS[:2])


def open_record(record: OfficerRecord) -> OfficerEntry:
    """Return the entry in a record, unverified."""
    return read_entry(record.document)[1]
