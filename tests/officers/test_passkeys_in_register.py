"""Passkeys in the register: they count as keys do, take two registrars, and belong to one officer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.officers.changes import OfficerFields, change_officer, revoke_officer
from sharing.officers.entry import PASSKEYS_MAX
from sharing.officers.record import OfficerRecord
from sharing.officers.register import Register
from sharing.passkeys.passkey import Passkey
from sharing.trust.faults import TrustError, TrustFault
from tests.officers.register_fixtures import KEYS, REGISTRARS, grant, make_fields, open_record, sign
from tests.support.soft_authenticator import SoftAuthenticator
from tests.trust.trust_fixtures import DAY, NOW, make_public

ONE, TWO, _THREE = REGISTRARS
PHONE, TABLET, LOST = (SoftAuthenticator(name).passkey for name in ("phone", "tablet", "lost"))


def receive(
    register: Register, officer_id: str, fields: OfficerFields, *signers: Any, now: int = NOW
) -> TrustError | None:
    newest = register.find_newest(officer_id, now)
    record = sign(change_officer("CH", officer_id, newest, fields, days=90, now=now), *signers)
    return register.receive(officer_id, record.encode(), now)


def enter(register: Register, officer_id: str = "o1", **changes: Any) -> OfficerRecord:
    """Put an officer into the register, by two registrars."""
    record = grant(register, officer_id, **changes)
    assert register.receive(officer_id, record.encode(), NOW) is None
    return record


def test_an_officer_may_have_passkeys_and_no_key() -> None:
    register = Register(KEYS)
    record = enter(register, keys=(), passkeys=(PHONE, TABLET))
    entry = register.find_officer("o1", NOW)
    assert entry is not None
    assert (entry.keys, entry.passkeys) == ((), (PHONE, TABLET))
    assert entry == open_record(record)


def test_an_officer_needs_one_or_the_other() -> None:
    with pytest.raises(InputError, match="give keys or passkeys, too"):
        change_officer("CH", "o1", None, make_fields(keys=None), days=90, now=NOW)
    register = Register(KEYS)
    enter(register)
    newest = register.find_newest("o1", NOW)
    with pytest.raises(InputError, match="signs with a key or with a passkey"):
        change_officer("CH", "o1", newest, OfficerFields(keys=()), days=90, now=NOW)


def test_another_passkey_takes_two_registrars_and_fewer_one() -> None:
    register = Register(KEYS)
    enter(register, passkeys=(PHONE,))
    newest = register.find_newest("o1", NOW)
    more = change_officer("CH", "o1", newest, OfficerFields(passkeys=(PHONE, LOST)), days=90, now=NOW + 1000)
    assert more.needed == 2
    refused = register.receive("o1", sign(more, ONE).encode(), NOW + 1000)
    assert refused is not None
    assert refused.fault is TrustFault.THRESHOLD_NOT_MET
    assert register.receive("o1", sign(more, ONE, TWO).encode(), NOW + 1000) is None
    newest = register.find_newest("o1", NOW + 1000)
    fewer = change_officer("CH", "o1", newest, OfficerFields(passkeys=(PHONE,)), days=90, now=NOW + 2000)
    assert (fewer.needed, fewer.grant is None) == (1, False), "who has lost a phone waits for nobody"
    assert register.receive("o1", sign(fewer, ONE).encode(), NOW + 2000) is None
    found = register.find_officer("o1", NOW + 2000)
    assert found is not None
    assert found.passkeys == (PHONE,)
    back = change_officer(
        "CH",
        "o1",
        register.find_newest("o1", NOW + 2000),
        OfficerFields(passkeys=(PHONE, LOST)),
        days=90,
        now=NOW + 3000,
    )
    assert back.needed == 2, "nobody alone brings back what was taken away, although two have granted it once"


def test_a_passkey_that_is_replaced_by_another_one_is_a_gain() -> None:
    register = Register(KEYS)
    enter(register, passkeys=(PHONE,))
    entry = register.find_officer("o1", NOW)
    assert entry is not None
    other_origin = Passkey(**{**PHONE.model_dump(), "origin": "https://desk.example:8443"})
    for changed in ((TABLET,), (PHONE, TABLET), (other_origin,)):
        assert entry.model_copy(update={"passkeys": changed}).list_gains(entry) == ("passkeys",)
    assert entry.model_copy(update={"passkeys": ()}).list_gains(entry) == ()


def test_no_two_officers_share_a_passkey() -> None:
    """Neither a credential nor a public key: an authenticator does not sign the id of its credential."""
    register = Register(KEYS)
    enter(register, "o1", passkeys=(PHONE,))
    renamed = PHONE.model_copy(update={"credential_id": "ab" * 16})
    same_id = TABLET.model_copy(update={"credential_id": PHONE.credential_id})
    for shared in (PHONE, renamed, same_id):
        error = receive(register, "o2", make_fields("o2", passkeys=(shared,)), ONE, TWO)
        assert error is not None
        assert error.fault is TrustFault.CONFLICT
        assert "has a passkey of officer o1" in str(error)
    assert receive(register, "o2", make_fields("o2", passkeys=(TABLET,)), ONE, TWO) is None
    assert receive(register, "o3", make_fields("o3", roles=(), passkeys=(PHONE,)), ONE) is not None
    revoked = revoke_officer(register.find_newest("o1", NOW), effective_at=NOW, now=NOW)  # type: ignore[arg-type]
    assert register.receive("o1", sign(revoked, ONE).encode(), NOW + 1) is None
    assert receive(register, "o3", make_fields("o3", passkeys=(PHONE,)), ONE, TWO, now=NOW + 2) is None


def test_a_renewal_keeps_the_passkeys() -> None:
    register = Register(KEYS)
    enter(register, passkeys=(PHONE,))
    assert receive(register, "o1", OfficerFields(), ONE, now=NOW + DAY) is None
    found = register.find_officer("o1", NOW + DAY)
    assert found is not None
    assert found.passkeys == (PHONE,)


def test_a_passkey_is_listed_once_and_there_are_not_too_many() -> None:
    for passkeys, said in (
        ((PHONE, PHONE), "listed twice"),
        ((PHONE, replace_key(PHONE)), "listed twice"),
        (tuple(SoftAuthenticator(f"{number}").passkey for number in range(PASSKEYS_MAX + 1)), "more than 8"),
    ):
        with pytest.raises(InputError, match=said):
            change_officer("CH", "o1", None, make_fields(passkeys=passkeys), days=90, now=NOW)


def replace_key(passkey: Passkey) -> Passkey:
    return passkey.model_copy(update={"public_key": TABLET.public_key})


def test_a_key_of_another_officer_is_still_called_a_key() -> None:
    register = Register(KEYS)
    enter(register, "o1", passkeys=(PHONE,))
    error = receive(register, "o2", replace(make_fields("o2"), keys=(make_public("officer o1"),)), ONE, TWO)
    assert error is not None
    assert "has a key of officer o1; each officer has keys of his or her own" in str(error)
