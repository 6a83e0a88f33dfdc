"""A new passkey: made for this challenge, at this desk, with an algorithm that counts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.passkeys.faults import PasskeyError, PasskeyFault
from sharing.passkeys.registration import Registration, read_browser_registration, verify_registration
from tests.passkeys.passkey_fixtures import CHALLENGE, DEVICES, EXAMPLES, PHONE, expect_fault
from tests.support.soft_authenticator import (
    ATTESTED,
    EXTENDED,
    PRESENT,
    VERIFIED,
    SoftAuthenticator,
    make_rsa_key,
    to_browser_json,
)

X = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")  # of the base point of P-256


def refuse(fault: PasskeyFault, registration: Registration, device: SoftAuthenticator = PHONE) -> None:
    expect_fault(fault, lambda: verify_registration(registration, CHALLENGE, device.origin))


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: str(device.algorithm))
@pytest.mark.parametrize("fmt", ["none", "packed"])
def test_a_new_passkey_is_as_the_device_has_made_it(device: SoftAuthenticator, fmt: str) -> None:
    sent = json.loads(json.dumps(to_browser_json(device.register(CHALLENGE, fmt=fmt))))
    assert verify_registration(read_browser_registration(sent), CHALLENGE, device.origin) == device.passkey


def test_extensions_of_a_new_passkey_are_no_fault() -> None:
    """Authenticators add some that nobody has asked for."""
    registration = PHONE.register(
        CHALLENGE, flags=PRESENT | VERIFIED | ATTESTED | EXTENDED, tail=cbor2.dumps({"credProtect": 3})
    )
    assert verify_registration(registration, CHALLENGE, PHONE.origin) == PHONE.passkey


def test_a_public_key_in_another_form_is_stored_in_its_one_form() -> None:
    fields = cbor2.loads(PHONE.public_key)
    other_order = cbor2.dumps(dict(reversed(fields.items())))
    assert other_order != PHONE.public_key
    registration = PHONE.register(CHALLENGE, public_key=other_order)
    assert verify_registration(registration, CHALLENGE, PHONE.origin) == PHONE.passkey


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: str(device.algorithm))
@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        (PasskeyFault.WRONG_TYPE, {"type": "webauthn.get"}),
        (PasskeyFault.WRONG_CHALLENGE, {"challenge": bytes(32)}),
        (PasskeyFault.WRONG_ORIGIN, {"origin": "https://other.example"}),
        (PasskeyFault.CROSS_ORIGIN, {"crossOrigin": True}),
        (PasskeyFault.WRONG_RP, {"rp_id": "other.example"}),
        (PasskeyFault.NOT_PRESENT, {"flags": VERIFIED | ATTESTED}),
        (PasskeyFault.NOT_VERIFIED, {"flags": PRESENT | ATTESTED}),
        (PasskeyFault.MALFORMED, {"flags": PRESENT | VERIFIED}),
        (PasskeyFault.MALFORMED, {"tail": b"\0"}),
        (PasskeyFault.MALFORMED, {"public_key": b""}),
        (PasskeyFault.MALFORMED, {"public_key": b"\xa0"}),
        (PasskeyFault.MALFORMED, {"public_key": b"\xf6"}),
        (PasskeyFault.MALFORMED, {"public_key": cbor2.dumps({1: 2, 3: -7, -1: 1, -2: X, -3: X})}),
        (PasskeyFault.MALFORMED, {"public_key": cbor2.dumps({1: 2, 3: -7, -1: 1, -2: X[1:], -3: X})}),
        (PasskeyFault.MALFORMED, {"public_key": cbor2.dumps({1: 1, 3: -8, -1: 6, -2: b"\1" + bytes(31)})}),
        (PasskeyFault.WRONG_ALGORITHM, {"public_key": cbor2.dumps({1: 2, 3: -35, -1: 2, -2: X, -3: X})}),
        (PasskeyFault.WRONG_ALGORITHM, {"public_key": cbor2.dumps({1: 2, 3: -47, -1: 8, -2: X, -3: X})}),
        (PasskeyFault.WRONG_ALGORITHM, {"public_key": cbor2.dumps({1: 1, 3: -8, -1: 7, -2: bytes(57)})}),
        (PasskeyFault.WRONG_ALGORITHM, {"public_key": make_rsa_key()[1]}),
        (PasskeyFault.ATTESTED, {"fmt": "tpm"}),
        (PasskeyFault.ATTESTED, {"fmt": "android-key"}),
        (PasskeyFault.ATTESTED, {"fmt": "unheard-of"}),
    ],
)  # fmt: skip
def test_each_check_refuses_by_itself(device: SoftAuthenticator, fault: PasskeyFault, changes: dict[str, Any]) -> None:
    refuse(fault, device.register(CHALLENGE, **changes), device)


def test_an_attestation_by_another_key_is_refused() -> None:
    registration = PHONE.register(CHALLENGE, fmt="packed")
    parts = cbor2.loads(registration.attestation_object)
    other = cbor2.loads(SoftAuthenticator("other").register(CHALLENGE, fmt="packed").attestation_object)
    parts["attStmt"]["sig"] = other["attStmt"]["sig"]
    refuse(PasskeyFault.BAD_SIGNATURE, replace(registration, attestation_object=cbor2.dumps(parts)))
    parts["attStmt"]["x5c"] = [b"a certificate"]
    refuse(PasskeyFault.ATTESTED, replace(registration, attestation_object=cbor2.dumps(parts)))
    parts["fmt"] = "none"
    refuse(PasskeyFault.BAD_SIGNATURE, replace(registration, attestation_object=cbor2.dumps(parts)))


def test_another_credential_than_the_device_names_is_refused() -> None:
    refuse(PasskeyFault.WRONG_CREDENTIAL, replace(PHONE.register(CHALLENGE), credential_id=bytes(32)))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_whatever_is_altered_there_is_one_refusal_or_another_passkey_than_this(data: st.DataObject) -> None:
    """Without an attestation nobody has signed it: so officer and registrar compare the fingerprint."""
    registration = PHONE.register(CHALLENGE)
    part = data.draw(st.sampled_from(["client_data", "attestation_object"]))
    spoilt = bytearray(getattr(registration, part))
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    spoilt += data.draw(st.binary(max_size=4))
    altered = replace(registration, **{part: bytes(spoilt)})
    try:
        passkey = verify_registration(altered, CHALLENGE, PHONE.origin)
    except PasskeyError:
        return
    assert (passkey == PHONE.passkey) == (passkey.fingerprint == PHONE.passkey.fingerprint)
