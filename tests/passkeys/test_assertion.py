"""What a passkey has signed counts for exactly this, on exactly this desk, by somebody whom the device has verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.passkeys.assertion import Assertion, read_browser_assertion, verify_assertion
from sharing.passkeys.faults import PASSKEY_SENTENCES, PasskeyError, PasskeyFault
from tests.passkeys.passkey_fixtures import CHALLENGE, DEVICES, EXAMPLES, PHONE, expect_fault
from tests.support.soft_authenticator import (
    ATTESTED,
    EXTENDED,
    PRESENT,
    VERIFIED,
    SoftAuthenticator,
    make_rsa_key,
    sign_rs256,
    to_browser_json,
)

BACKED_UP_ALONE = 0x10  # a copy of the key is kept, of a key that cannot be copied: no authenticator says so


def refuse(fault: PasskeyFault, assertion: Assertion, device: SoftAuthenticator = PHONE) -> None:
    expect_fault(fault, lambda: verify_assertion(device.passkey, assertion, CHALLENGE))


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: str(device.algorithm))
def test_what_the_passkey_has_signed_counts(device: SoftAuthenticator) -> None:
    sent = json.loads(json.dumps(to_browser_json(device.sign(CHALLENGE))))
    assert verify_assertion(device.passkey, read_browser_assertion(sent), CHALLENGE) == 0


def test_the_counter_is_told_and_refuses_nothing() -> None:
    counters = [7, 7, 3, 0, 2**32 - 1]
    told = [verify_assertion(PHONE.passkey, PHONE.sign(CHALLENGE, counter=each), CHALLENGE) for each in counters]
    assert told == counters, "an authenticator that was copied is for the State to look into"


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: str(device.algorithm))
@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        (PasskeyFault.WRONG_TYPE, {"type": "webauthn.create"}),
        (PasskeyFault.WRONG_TYPE, {"type": "payment.get"}),
        (PasskeyFault.WRONG_TYPE, {"type": "Webauthn.get"}),
        (PasskeyFault.WRONG_CHALLENGE, {"challenge": bytes(32)}),
        (PasskeyFault.WRONG_CHALLENGE, {"challenge": CHALLENGE[:-1]}),
        (PasskeyFault.WRONG_CHALLENGE, {"challenge": CHALLENGE + b"\0"}),
        (PasskeyFault.WRONG_CHALLENGE, {"challenge": ""}),
        (PasskeyFault.WRONG_ORIGIN, {"origin": "https://desk.example.evil.example"}),
        (PasskeyFault.WRONG_ORIGIN, {"origin": "https://desk.example:8443"}),
        (PasskeyFault.WRONG_ORIGIN, {"origin": "http://desk.example"}),
        (PasskeyFault.WRONG_ORIGIN, {"origin": "https://desk.example/"}),
        (PasskeyFault.CROSS_ORIGIN, {"crossOrigin": True}),
        (PasskeyFault.CROSS_ORIGIN, {"crossOrigin": "false"}),
        (PasskeyFault.CROSS_ORIGIN, {"crossOrigin": 0}),
        (PasskeyFault.CROSS_ORIGIN, {"topOrigin": "https://portal.example"}),
        (PasskeyFault.WRONG_RP, {"rp_id": "example"}),
        (PasskeyFault.WRONG_RP, {"rp_id": "192.0.2.1"}),
        (PasskeyFault.NOT_PRESENT, {"flags": VERIFIED}),
        (PasskeyFault.NOT_VERIFIED, {"flags": PRESENT}),
        (PasskeyFault.MALFORMED, {"type": None}),
        (PasskeyFault.MALFORMED, {"challenge": None}),
        (PasskeyFault.MALFORMED, {"origin": None}),
        (PasskeyFault.MALFORMED, {"origin": 1}),
        (PasskeyFault.MALFORMED, {"flags": PRESENT | VERIFIED | EXTENDED}),
        (PasskeyFault.MALFORMED, {"flags": PRESENT | VERIFIED | ATTESTED}),
        (PasskeyFault.MALFORMED, {"tail": b"\0"}),
        (PasskeyFault.MALFORMED, {"flags": PRESENT | VERIFIED | EXTENDED, "tail": b"\xa0"}),
        (PasskeyFault.MALFORMED, {"padding": "x" * 4_096}),
        (PasskeyFault.BAD_SIGNATURE, {"flags": PRESENT | VERIFIED | BACKED_UP_ALONE}),
    ],
)  # fmt: skip
def test_each_check_refuses_by_itself(device: SoftAuthenticator, fault: PasskeyFault, changes: dict[str, Any]) -> None:
    """The device signs what it says, so nothing but this check stands against it."""
    refuse(fault, device.sign(CHALLENGE, **changes), device)


def test_what_browsers_add_is_no_fault() -> None:
    for changes in ({"crossOrigin": None}, {"other_keys_can_be_added_here": "do not compare with a template"}):
        assert verify_assertion(PHONE.passkey, PHONE.sign(CHALLENGE, **changes), CHALLENGE) == 0


def test_the_signature_must_be_this_passkeys() -> None:
    other = SoftAuthenticator("somebody's phone")
    signed = PHONE.sign(CHALLENGE)
    refuse(PasskeyFault.WRONG_CREDENTIAL, other.sign(CHALLENGE))
    forged = replace(other.sign(CHALLENGE), credential_id=PHONE.credential_id)
    refuse(PasskeyFault.BAD_SIGNATURE, forged)
    for device in DEVICES:  # the same client data and host, signed by the other algorithm's key
        for each in DEVICES:
            if each is not device:
                borrowed = replace(each.sign(CHALLENGE), credential_id=device.credential_id)
                refuse(PasskeyFault.BAD_SIGNATURE, borrowed, device)
    refuse(PasskeyFault.BAD_SIGNATURE, replace(signed, signature=signed.signature + b"\0"))
    refuse(PasskeyFault.BAD_SIGNATURE, replace(signed, signature=signed.signature[:-1]))


def test_rs256_does_not_count() -> None:
    """No register has an RSA key (`test_passkey`), and a signature by one is no other's."""
    rsa_key, _ = make_rsa_key()
    signed = sign_rs256(rsa_key, PHONE.sign(CHALLENGE))
    refuse(PasskeyFault.MALFORMED, signed)  # it is longer than any that counts
    refuse(PasskeyFault.BAD_SIGNATURE, replace(signed, signature=signed.signature[:70]))


@pytest.mark.parametrize("part", ["credential_id", "authenticator_data", "client_data", "signature"])
def test_nothing_is_cut_off_or_added(part: str) -> None:
    signed = PHONE.sign(CHALLENGE)
    data = getattr(signed, part)
    for spoilt in (b"", data[:-1], data[1:], data + b"\0", b"\0" + data, data * 2, data * 200):
        with pytest.raises(PasskeyError):
            verify_assertion(PHONE.passkey, replace(signed, **{part: spoilt}), CHALLENGE)


@pytest.mark.parametrize("client_data", [b"{", b"[]", b"null", b"\xff\xfe", b"[" * 4_000, b'"webauthn.get"', b"{}"])
def test_client_data_of_another_form_is_refused(client_data: bytes) -> None:
    refuse(PasskeyFault.MALFORMED, replace(PHONE.sign(CHALLENGE), client_data=client_data))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(DEVICES), st.sampled_from(["authenticator_data", "client_data", "signature"]), st.data())
def test_no_byte_can_be_altered(device: SoftAuthenticator, part: str, data: st.DataObject) -> None:
    signed = device.sign(CHALLENGE)
    spoilt = bytearray(getattr(signed, part))
    index = data.draw(st.integers(0, len(spoilt) - 1))
    spoilt[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PasskeyError):
        verify_assertion(device.passkey, replace(signed, **{part: bytes(spoilt)}), CHALLENGE)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.builds(Assertion, st.binary(), st.binary(min_size=30, max_size=40), st.binary(), st.binary()))
def test_garbage_is_refused_in_one_sentence(garbage: Assertion) -> None:
    for assertion in (garbage, replace(garbage, credential_id=PHONE.credential_id)):
        with pytest.raises(PasskeyError) as caught:
            verify_assertion(PHONE.passkey, assertion, CHALLENGE)
        assert str(caught.value) in PASSKEY_SENTENCES.values()


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def remove(sent: dict[str, Any]) -> None:
        place = sent
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]

    return remove


def _with(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    def replace_value(sent: dict[str, Any]) -> None:
        place = sent
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return replace_value


@pytest.mark.parametrize(
    "change",
    [
        _without("rawId"),
        _without("response"),
        _without("response", "signature"),
        _with(None, "response"),
        _with([], "response"),
        _with(1, "rawId"),
        _with("", "rawId"),
        _with("=", "rawId"),
        _with("AA==", "rawId"),
        _with("A", "rawId"),
        _with("AB", "rawId"),  # bits that belong to no byte
        _with("ä", "rawId"),
        _with("A" * 5_000, "rawId"),
        _with("AA\n", "response", "signature"),
        _with("A" * 400, "response", "signature"),
        _with("A" * 100_000, "response", "clientDataJSON"),
    ],
)
def test_what_no_browser_sends_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    sent = to_browser_json(PHONE.sign(CHALLENGE))
    change(sent)
    expect_fault(PasskeyFault.MALFORMED, lambda: read_browser_assertion(sent))


def test_each_fault_has_a_sentence() -> None:
    assert PASSKEY_SENTENCES.keys() == set(PasskeyFault)
