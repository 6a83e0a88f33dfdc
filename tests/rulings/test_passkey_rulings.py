"""A ruling by passkey counts exactly as one by key: for this ruling, by this officer, at this desk, once verified."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.passkeys.faults import PASSKEY_SENTENCES, PasskeyFault
from sharing.passkeys.sign_in import compute_sign_in_challenge
from sharing.rulings.ruling import Claiming
from sharing.rulings.signing import (
    RULING_BYTES_MAX,
    SCHEMA,
    assemble_ruling,
    compute_ruling_challenge,
    read_digest,
    read_ruling,
    verify_again,
)
from sharing.rulings.vocabulary import RulingError, RulingFault
from sharing.serialization.codec import get_codec
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import sign_document
from sharing.trust.signatures import ObjectKind, build_message
from tests.rulings.ruling_fixtures import (
    EXAMPLES,
    JUDGE,
    KEY,
    PHONE,
    RULINGS,
    STATE,
    TABLET,
    RegisteredOfficer,
    answering,
    expect_fault,
    find_officer,
    make_ruling,
    refer,
    sign,
    sign_by_passkey,
    verify,
)
from tests.support.soft_authenticator import PRESENT, SoftAuthenticator
from tests.trust.trust_fixtures import DAY, NOW


def expect_refused(passkey_fault: PasskeyFault, value: bytes) -> None:
    expect_fault(RulingFault.BAD_ASSERTION, value)
    with pytest.raises(RulingError, match=PASSKEY_SENTENCES[passkey_fault].partition(";")[0]):
        verify(value)


@settings(max_examples=EXAMPLES, deadline=None)
@given(RULINGS, st.sampled_from([PHONE, TABLET]))
def test_what_a_passkey_has_signed_is_what_counts(ruling: Any, device: SoftAuthenticator) -> None:
    value = assemble_ruling(ruling, device.sign(compute_ruling_challenge(ruling)))
    partition = (ruling.list_partitions() or (0,))[0]
    verified = verify(value, partition=partition)
    assert (verified.ruling, verified.officer, verified.digest) == (ruling, JUDGE, read_digest(value, STATE))
    assert read_ruling(value) == ruling
    assert verified.digest == compute_ruling_challenge(ruling).hex(), "what is signed is what identifies the ruling"


def test_the_same_ruling_by_key_and_by_passkey_is_one_ruling() -> None:
    assert verify(sign()).digest == verify(sign_by_passkey()).digest


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_no_byte_of_the_record_can_be_altered(data: st.DataObject) -> None:
    value = bytearray(sign_by_passkey(device=data.draw(st.sampled_from([PHONE, TABLET]))))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RulingError):
        verify(bytes(value))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (PasskeyFault.WRONG_TYPE, {"type": "webauthn.create"}),
        (PasskeyFault.WRONG_CHALLENGE, {"challenge": bytes(32)}),
        (PasskeyFault.WRONG_ORIGIN, {"origin": "https://evil.example"}),
        (PasskeyFault.CROSS_ORIGIN, {"crossOrigin": True}),
        (PasskeyFault.WRONG_RP, {"rp_id": "192.0.2.1"}),
        (PasskeyFault.NOT_VERIFIED, {"flags": PRESENT}),
        (PasskeyFault.NOT_PRESENT, {"flags": 0}),
        (PasskeyFault.MALFORMED, {"tail": b"\0"}),
    ],
)
def test_each_check_of_an_assertion_refuses_the_ruling(fault: PasskeyFault, said: dict[str, Any]) -> None:
    expect_refused(fault, sign_by_passkey(said=said))


def test_an_assertion_for_another_ruling_is_refused() -> None:
    replayed = PHONE.sign(compute_ruling_challenge(make_ruling()))
    for other in (
        make_ruling(answering(asks=(refer(nonce="1" * 32),))),
        make_ruling(text="other words"),
        make_ruling(expires_at=NOW + 1),
        make_ruling(Claiming(asks=(refer(),))),
    ):
        expect_refused(PasskeyFault.WRONG_CHALLENGE, assemble_ruling(other, replayed))


def test_a_sign_in_is_no_ruling_and_a_ruling_no_sign_in() -> None:
    challenge = compute_sign_in_challenge(STATE, bytes(32), NOW + 60_000)
    expect_refused(PasskeyFault.WRONG_CHALLENGE, assemble_ruling(make_ruling(), PHONE.sign(challenge)))
    assert challenge != compute_ruling_challenge(make_ruling())


@pytest.mark.parametrize("kind", [kind for kind in ObjectKind if kind is not ObjectKind.RULING])
def test_no_other_kind_of_object_has_a_rulings_challenge(kind: ObjectKind) -> None:
    """What a desk asks to sign begins with its kind, so the two differ even where the content is the same."""
    ruling = make_ruling()
    payload = encode_canonical(ruling.model_dump(mode="json"))
    challenge = hashlib.sha256(build_message(kind, STATE, payload)).digest()
    expect_refused(PasskeyFault.WRONG_CHALLENGE, assemble_ruling(ruling, PHONE.sign(challenge)))


def test_an_assertion_on_a_ruling_of_another_state_is_refused() -> None:
    expect_fault(RulingFault.WRONG_STATE, sign_by_passkey(), state="DE")
    german = PHONE.sign(compute_ruling_challenge(make_ruling(state="DE")))
    expect_refused(PasskeyFault.WRONG_CHALLENGE, assemble_ruling(make_ruling(), german))


def test_only_a_passkey_that_the_register_names_for_this_officer_counts() -> None:
    stranger = SoftAuthenticator("somebody's phone")
    expect_fault(RulingFault.UNKNOWN_PASSKEY, sign_by_passkey(device=stranger))
    ruling = make_ruling()
    lent = stranger.sign(compute_ruling_challenge(ruling))
    forged = assemble_ruling(ruling, type(lent)(PHONE.credential_id, *list(lent.to_record().values())[1:]))
    expect_refused(PasskeyFault.BAD_SIGNATURE, forged)
    swapped = PHONE.sign(compute_ruling_challenge(ruling))
    swapped = type(swapped)(TABLET.credential_id, *list(swapped.to_record().values())[1:])
    expect_refused(PasskeyFault.BAD_SIGNATURE, assemble_ruling(ruling, swapped))


def test_the_origin_and_the_host_name_are_those_of_the_register() -> None:
    """An authenticator that is used on another desk signs for it, however good the signature is."""
    elsewhere = SoftAuthenticator(PHONE.name, PHONE.algorithm, origin="https://desk.other")
    assert (elsewhere.credential_id, elsewhere.public_key) == (PHONE.credential_id, PHONE.public_key)
    expect_refused(PasskeyFault.WRONG_ORIGIN, sign_by_passkey(device=elsewhere))


def test_a_ruling_has_exactly_one_signature_of_either_form() -> None:
    ruling, codec = make_ruling(), get_codec(SCHEMA)
    assertion = PHONE.sign(compute_ruling_challenge(ruling)).to_record()
    signed = sign_document(ObjectKind.RULING, STATE, ruling, [KEY]).to_bytes()
    unsigned = sign_document(ObjectKind.RULING, STATE, ruling, []).to_bytes()
    expect_fault(RulingFault.BAD_SIGNATURE, codec.encode({"document": signed, "assertion": assertion}))
    expect_fault(RulingFault.BAD_SIGNATURE, codec.encode({"document": unsigned, "assertion": None}))
    assert verify(codec.encode({"document": unsigned, "assertion": assertion})).ruling == ruling


def test_time_and_officer_are_checked_as_for_a_key() -> None:
    expect_fault(RulingFault.EXPIRED, sign_by_passkey(), at_ms=NOW + 3_600_000)
    expect_fault(RulingFault.UNKNOWN_OFFICER, sign_by_passkey(officer="o-nobody"))
    expect_fault(RulingFault.WRONG_PARTITION, sign_by_passkey(), partition=1)


def test_the_counter_refuses_no_ruling() -> None:
    for counter in (5, 5, 0):
        assert verify(sign_by_passkey(said={"counter": counter})).officer == JUDGE


def test_a_kept_ruling_is_verified_again_with_the_passkeys_as_they_are() -> None:
    value = sign_by_passkey(answering(covers_until=NOW + DAY))

    def check(find: Any) -> bool:
        return verify_again(value, find, state=STATE, partition=3, at_ms=NOW, now_ms=NOW) is not None

    assert check(find_officer)
    assert not check(lambda *_: RegisteredOfficer(JUDGE, (KEY.public_key,))), "the passkey was dropped since"
    assert not check(lambda *_: RegisteredOfficer(JUDGE, (), passkeys=(TABLET.passkey,)))
    assert check(lambda *_: RegisteredOfficer(JUDGE, (), passkeys=(PHONE.passkey,)))


def test_the_largest_ruling_fits_beside_an_assertion() -> None:
    asks = tuple(refer(number, partition=number % 7) for number in range(200))
    ruling = make_ruling(answering(asks=asks), text="\N{HIRAGANA LETTER A}" * 2000)
    value = assemble_ruling(ruling, PHONE.sign(compute_ruling_challenge(ruling), filler="x" * 3_500))
    assert len(value) < RULING_BYTES_MAX
    assert verify(value).ruling == ruling


def test_a_record_that_is_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.rulings.signing.RULING_BYTES_MAX", 1_500)
    with pytest.raises(InputError, match="answer fewer questions"):
        sign_by_passkey(said={"filler": "x" * 2_000})
    expect_fault(RulingFault.OVERSIZED, b"x" * 1_501)


def test_a_refusal_names_the_officer_and_nothing_of_what_was_signed() -> None:
    with pytest.raises(RulingError) as caught:
        verify(sign_by_passkey(said={"origin": "https://evil.example"}))
    said = str(caught.value)
    assert "officer o-judge" in said
    assert "evil" not in said
    assert said.isprintable()
