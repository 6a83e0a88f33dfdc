"""The list of readers: who may open a State's inbox."""

from __future__ import annotations

from functools import partial

import pytest
from pydantic import ValidationError

from sharing.errors import InputError
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.faults import TrustFault
from sharing.trust.key_statement import accept_key_statement
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.readers import (
    Reader,
    ReaderList,
    change_readers,
    require_current_readers,
    sign_readers,
    verify_readers,
)
from tests.trust.trust_fixtures import (
    DAY,
    NOW,
    TOLERANCE,
    expect_fault,
    make_keys,
    make_public,
    make_root,
    make_signer,
    sign_statement,
)

ROOT, _ = make_root()
KEYS, _ = make_keys(ROOT)
REGISTRAR = make_signer("registrar 1")


def make_reader(name: str) -> Reader:
    return Reader(name=name, key=make_public(f"reader {name}", KeyAlgorithm.X25519))


LIST = change_readers("CH", None, added=[make_reader("desk"), make_reader("cases")], now=NOW)
DOCUMENT = sign_readers(LIST, REGISTRAR).to_bytes()


def test_a_list_is_verified_and_followed_by_the_next() -> None:
    assert verify_readers(KEYS, DOCUMENT, now=NOW) == LIST
    assert [reader.name for reader in LIST.readers] == ["cases", "desk"]
    following = change_readers("CH", LIST, added=[make_reader("lab")], removed=["desk"], now=NOW + DAY)
    assert (following.version, [reader.name for reader in following.readers]) == (2, ["cases", "lab"])
    with pytest.raises(InputError, match="desk: is not a reader"):
        change_readers("CH", following, removed=["desk"], now=NOW)


@pytest.mark.parametrize("role", ["gate", "desk", "directory", "conversation"])
def test_only_the_registrar_key_names_readers(role: str) -> None:
    data = sign_readers(LIST, make_signer(f"{role} 1")).to_bytes()
    expect_fault(TrustFault.WRONG_PURPOSE, lambda: verify_readers(KEYS, data, now=NOW))


def test_what_is_no_signed_list_of_this_state_is_refused() -> None:
    stranger = sign_readers(LIST, make_signer("stranger")).to_bytes()
    altered = DOCUMENT.replace(b'"name":"desk"', b'"name":"spys"')
    for data, fault in (
        (stranger, TrustFault.UNKNOWN_KEY),
        (altered, TrustFault.BAD_SIGNATURE),
        (DOCUMENT.replace(b'"kind":"readers"', b'"kind":"keys"'), TrustFault.WRONG_KIND),
        (sign_readers(change_readers("DE", None, now=NOW), REGISTRAR).to_bytes(), TrustFault.WRONG_STATE),
    ):
        expect_fault(fault, partial(verify_readers, KEYS, data, now=NOW))


def test_it_ends_and_is_revoked_with_its_key() -> None:
    end = NOW + 30 * DAY
    require_current_readers(LIST, end + TOLERANCE)
    expect_fault(TrustFault.EXPIRED, lambda: require_current_readers(LIST, end + TOLERANCE + 1))
    key_id = REGISTRAR.public_key.key_id
    data = sign_statement(revoke_keys(ROOT, KEYS, [key_id], effective_at=NOW + DAY, days=30, now=NOW))
    keys = accept_key_statement(ROOT, data, now=NOW, previous=KEYS)
    verify_readers(keys, DOCUMENT, now=NOW + DAY - 1)
    expect_fault(TrustFault.REVOKED, lambda: verify_readers(keys, DOCUMENT, now=NOW + DAY))


def test_a_list_that_cannot_be_is_not_made() -> None:
    twin = make_reader("desk").model_copy(update={"name": "other"})
    with pytest.raises(InputError, match="each has a key of its own"):
        change_readers("CH", LIST, added=[twin], now=NOW)
    with pytest.raises(ValidationError, match="signing key"):
        Reader(name="desk", key=REGISTRAR.public_key)
    with pytest.raises(ValidationError, match="at most 30 days"):
        ReaderList.model_validate({**LIST.model_dump(), "expires_at": NOW + 31 * DAY})
