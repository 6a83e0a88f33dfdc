"""An invitation is a registrar's, for one officer, one desk and a few days; a request rests on one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.officers.invitation import (
    INVITATION_BYTES_MAX,
    Invitation,
    make_invitation,
    sign_invitation,
    verify_invitation,
)
from sharing.officers.passkey_request import PasskeyRequest, make_request, read_request, verify_request
from sharing.passkeys.faults import PasskeyError, PasskeyFault
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import CLOCK_TOLERANCE_MS, SignedDocument, add_signature, sign_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.signatures import ObjectKind
from tests.officers.invitation_fixtures import make_test_invitation, sign_test_invitation
from tests.officers.register_fixtures import KEYS, REGISTRARS, make_registrars, revoke_registrars
from tests.support.soft_authenticator import ORIGIN, SoftAuthenticator
from tests.trust.trust_fixtures import DAY, NOW, make_signer

PHONE = SoftAuthenticator()


def expect_fault(fault: TrustFault, act: Callable[[], object]) -> None:
    with pytest.raises(TrustError) as caught:
        act()
    assert caught.value.fault is fault, caught.value


def make(**fields: Any) -> Invitation:
    arguments: dict[str, Any] = {"nonce": bytes(32), "days": 7, "now": NOW}
    return make_invitation("CH", "o1", ORIGIN, **(arguments | fields))


def test_an_invitation_names_officer_desk_and_end() -> None:
    verified = verify_invitation(KEYS, sign_test_invitation() + b"\n", NOW)
    invitation = verified.invitation
    assert (invitation.state, invitation.officer, invitation.origin) == ("CH", "o1", ORIGIN)
    assert (invitation.rp_id, invitation.expires_at) == ("desk.example", NOW + 7 * DAY)
    assert len(verified.challenge) == 32


def test_each_invitation_has_a_challenge_of_its_own() -> None:
    documents = {
        sign_test_invitation(),
        sign_test_invitation("o2"),
        sign_test_invitation(days=6),
        sign_test_invitation(origin="https://desk.example:8443"),
        sign_invitation(make(), REGISTRARS[2]).to_bytes(),
    }
    assert len({verify_invitation(KEYS, each, NOW).challenge for each in documents}) == 5
    by_another = sign_invitation(make(), REGISTRARS[1]).to_bytes()
    assert verify_invitation(KEYS, by_another, NOW).challenge in {
        verify_invitation(KEYS, each, NOW).challenge for each in documents
    }, "the challenge is that of the content: it does not matter which registrar has signed"


def test_an_invitation_ends() -> None:
    data = sign_test_invitation(days=1)
    assert verify_invitation(KEYS, data, NOW + DAY).invitation.expires_at == NOW + DAY
    expect_fault(TrustFault.EXPIRED, lambda: verify_invitation(KEYS, data, NOW + DAY + CLOCK_TOLERANCE_MS + 1))
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify_invitation(KEYS, data, NOW - CLOCK_TOLERANCE_MS - 1))
    for days in (0, 8, -1):
        with pytest.raises(InputError, match="at most 7 days"):
            make(days=days)


def test_only_a_registrar_of_the_state_invites() -> None:
    invitation = make()
    expect_fault(
        TrustFault.UNKNOWN_KEY,
        lambda: verify_invitation(KEYS, sign_invitation(invitation, make_signer("somebody")).to_bytes(), NOW),
    )
    expect_fault(
        TrustFault.WRONG_PURPOSE,
        lambda: verify_invitation(KEYS, sign_invitation(invitation, make_signer("gate 1")).to_bytes(), NOW),
    )
    for kind in (ObjectKind.OFFICER, ObjectKind.RULING, ObjectKind.SIGN_IN):
        data = sign_document(kind, "CH", invitation, [REGISTRARS[2]]).to_bytes()
        expect_fault(TrustFault.BAD_SIGNATURE, partial(verify_invitation, KEYS, data, NOW))
    expect_fault(TrustFault.WRONG_STATE, lambda: verify_invitation(make_registrars("DE"), sign_test_invitation(), NOW))
    revoked = revoke_registrars(KEYS, 3, at=NOW)
    expect_fault(TrustFault.REVOKED, lambda: verify_invitation(revoked, sign_test_invitation(), NOW + 1))


def test_an_invitation_has_one_signature_and_one_form() -> None:
    document = sign_invitation(make(), REGISTRARS[2])
    twice = add_signature(document, "CH", REGISTRARS[1])
    unsigned = SignedDocument(ObjectKind.INVITATION, document.payload, ())
    for each in (twice, unsigned):
        expect_fault(TrustFault.UNSIGNED, partial(verify_invitation, KEYS, each.to_bytes(), NOW))
    data = document.to_bytes()
    for spoilt in (b"", b"{", data[:-1], data.replace(b":", b": "), data + b" " * INVITATION_BYTES_MAX):
        expect_fault(TrustFault.MALFORMED, partial(verify_invitation, KEYS, spoilt, NOW))


@pytest.mark.parametrize(
    "change",
    [
        {"rp_id": "example"}, {"origin": "https://192.0.2.1", "rp_id": "192.0.2.1"}, {"officer": "O 1"},
        {"nonce": "00"}, {"state": "XX"}, {"format": 2}, {"more": 1},
    ],
)  # fmt: skip
def test_what_no_invitation_may_say_is_refused(change: dict[str, Any]) -> None:
    content = {**make().model_dump(mode="json"), **change}
    document = sign_invitation(make(), REGISTRARS[2])
    altered = replace(document, payload=encode_canonical(content))
    with pytest.raises(TrustError) as caught:
        verify_invitation(KEYS, altered.to_bytes(), NOW)
    assert caught.value.fault is TrustFault.MALFORMED


def make_file(device: SoftAuthenticator = PHONE, invitation: bytes | None = None, **changes: Any) -> bytes:
    document = sign_test_invitation() if invitation is None else invitation
    challenge = changes.pop("challenge", None) or verify_invitation(KEYS, document, NOW).challenge
    return make_request(document, device.register(challenge, **changes)).to_bytes()


def test_a_request_gives_the_passkey_and_whom_the_registrar_invited() -> None:
    verified, passkey = verify_request(KEYS, read_request(make_file()), NOW)
    assert (verified, passkey) == (make_test_invitation(), PHONE.passkey)


def test_a_passkey_that_was_made_for_another_invitation_is_refused() -> None:
    other = make_test_invitation(officer_id="o2").challenge
    with pytest.raises(PasskeyError) as caught:
        verify_request(KEYS, read_request(make_file(challenge=other)), NOW)
    assert caught.value.fault is PasskeyFault.WRONG_CHALLENGE


def test_a_passkey_that_was_made_at_another_desk_is_refused() -> None:
    with pytest.raises(PasskeyError) as caught:
        verify_request(KEYS, read_request(make_file(SoftAuthenticator(origin="https://evil.example"))), NOW)
    assert caught.value.fault is PasskeyFault.WRONG_ORIGIN


def test_a_request_ends_with_its_invitation() -> None:
    request = read_request(make_file())
    expect_fault(TrustFault.EXPIRED, lambda: verify_request(KEYS, request, NOW + 8 * DAY))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b"{" * 2_000, b"x" * 100_000, PHONE.passkey.model_dump_json().encode()]
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not the file that a desk gives"):
        read_request(data)


def test_a_request_with_odd_fields_is_refused() -> None:
    fields = json.loads(make_file())
    for change in ({"credential_id": "0"}, {"client_data": ""}, {"kind": "officer-key"}, {"more": 1}):
        with pytest.raises(InputError):
            read_request(json.dumps({**fields, **change}).encode())
    assert isinstance(read_request(json.dumps(fields).encode()), PasskeyRequest)
