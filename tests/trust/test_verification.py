"""Objects signed by online keys: who may sign what, and when."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from functools import partial

import pytest

from sharing.trust.ceremonies import issue_keys, renew_statement, revoke_keys
from sharing.trust.faults import TrustFault
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.signatures import ObjectKind, build_message, is_signature_by
from sharing.trust.verification import (
    SIGNING_ROLES,
    ObjectSignature,
    VerifiedSigner,
    find_latest_signing,
    find_online_key,
    get_current_key,
    sign_object,
    verify_object,
)
from tests.trust.trust_fixtures import (
    DAY,
    NOW,
    ROOT_KEYS,
    TOLERANCE,
    expect_fault,
    make_keys,
    make_online,
    make_root,
    make_seed,
    make_signer,
    sign_statement,
)

ROOT, _ = make_root()
KEYS, _ = make_keys(ROOT)
PAYLOAD = b"notices"
GATE = make_signer("gate 1")
SIGNATURE = sign_object(ObjectKind.NOTICES, "CH", PAYLOAD, GATE)
LATER = NOW + DAY


def verify(
    keys: TrustedKeys = KEYS,
    kind: ObjectKind = ObjectKind.NOTICES,
    payload: bytes = PAYLOAD,
    signature: ObjectSignature = SIGNATURE,
    *,
    signed_at: int = LATER,
    now: int = LATER,
    stamped_at: int | None = None,
) -> VerifiedSigner:
    return verify_object(keys, kind, payload, signature, signed_at=signed_at, now=now, stamped_at=stamped_at)


def test_an_object_is_verified() -> None:
    assert verify() == VerifiedSigner("CH", KEYS.statement.list_keys(KeyRole.GATE)[0])


def test_every_online_role_that_signs_has_a_kind_of_its_own() -> None:
    assert set(SIGNING_ROLES.values()) == set(KeyRole) - {KeyRole.SEAL}
    messages = {build_message(kind, state, PAYLOAD) for kind in ObjectKind for state in ("CH", "DE")}
    assert len(messages) == 2 * len(ObjectKind)


@pytest.mark.parametrize("kind", [kind for kind in ObjectKind if SIGNING_ROLES.get(kind) is not KeyRole.GATE])
def test_a_key_for_another_purpose_is_refused(kind: ObjectKind) -> None:
    signature = sign_object(kind, "CH", PAYLOAD, GATE)
    expect_fault(TrustFault.WRONG_PURPOSE, lambda: verify(kind=kind, signature=signature))


@pytest.mark.parametrize("role", [role for role in KeyRole if role is not KeyRole.SEAL])
def test_no_online_key_signs_a_ruling(role: KeyRole) -> None:
    """An officer rules, by a key of the register of officers: the desk's key would let the machine rule."""
    signature = sign_object(ObjectKind.RULING, "CH", PAYLOAD, make_signer(f"{role} 1"))
    expect_fault(TrustFault.WRONG_PURPOSE, lambda: verify(kind=ObjectKind.RULING, signature=signature))


def test_a_root_key_signs_no_object() -> None:
    signature = sign_object(ObjectKind.NOTICES, "CH", PAYLOAD, ROOT_KEYS[0])
    expect_fault(TrustFault.UNKNOWN_KEY, lambda: verify(signature=signature))


def test_a_signature_on_another_kind_or_for_another_state_is_not_valid() -> None:
    for other in (
        sign_object(ObjectKind.REPLY, "CH", PAYLOAD, GATE),
        sign_object(ObjectKind.COUNTS, "CH", PAYLOAD, GATE),
        sign_object(ObjectKind.NOTICES, "DE", PAYLOAD, GATE),
        sign_object(ObjectKind.NOTICES, "CH", PAYLOAD + b"x", GATE),
        replace(SIGNATURE, value=b""),
        replace(SIGNATURE, value=bytes(64)),
        replace(SIGNATURE, value=SIGNATURE.value + b"\0"),
    ):
        expect_fault(TrustFault.BAD_SIGNATURE, partial(verify, signature=other))
    expect_fault(TrustFault.BAD_SIGNATURE, lambda: verify(payload=b"other"))


def test_another_state_cannot_claim_the_same_key() -> None:
    """DE lists CH's key as its own, and shows an object of CH as one of DE."""
    root, _ = make_root(state="DE")
    keys, _ = make_keys(root)
    expect_fault(TrustFault.BAD_SIGNATURE, lambda: verify(keys))


def test_an_unknown_key_or_algorithm_is_refused() -> None:
    stranger = sign_object(ObjectKind.NOTICES, "CH", PAYLOAD, make_signer("gate 2"))  # the successor, not yet in force
    expect_fault(TrustFault.UNKNOWN_KEY, lambda: verify(signature=stranger))
    for algorithm, fault in (
        ("", TrustFault.UNKNOWN_ALGORITHM),
        ("none", TrustFault.UNKNOWN_ALGORITHM),
        ("Ed25519", TrustFault.UNKNOWN_ALGORITHM),
        ("x25519", TrustFault.WRONG_PURPOSE),
    ):
        changed = replace(SIGNATURE, algorithm=algorithm)
        expect_fault(fault, partial(verify, signature=changed))
    message = expect_fault(TrustFault.UNKNOWN_KEY, lambda: verify(signature=replace(SIGNATURE, key="\x1b[31m")))
    assert "\x1b" not in message


def test_a_seal_key_signs_nothing() -> None:
    seal = KEYS.statement.list_keys(KeyRole.SEAL)[0]
    for algorithm in ("x25519", "ed25519"):
        signature = ObjectSignature(algorithm, seal.key_id, SIGNATURE.value)
        expect_fault(TrustFault.WRONG_PURPOSE, partial(verify, signature=signature))


def test_a_key_that_does_not_sign_verifies_nothing() -> None:
    """The bytes of an Ed25519 key, published as a key that content is sealed to."""
    message = build_message(ObjectKind.NOTICES, "CH", PAYLOAD)
    assert is_signature_by(GATE.public_key, SIGNATURE.value, message)
    seal = GATE.public_key.model_copy(update={"algorithm": KeyAlgorithm.X25519})
    assert not is_signature_by(seal, SIGNATURE.value, message)


def test_a_key_must_have_been_valid_when_it_signed() -> None:
    end = NOW + 30 * DAY
    verify(signed_at=NOW - TOLERANCE)
    verify(signed_at=end + TOLERANCE, now=end + TOLERANCE)
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify(signed_at=NOW - TOLERANCE - 1))
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify(signed_at=LATER + TOLERANCE + 1))  # by the reader's clock
    short, _ = make_keys(ROOT, days=10)
    renewed = sign_statement(short.statement.model_copy(update={"version": 2, "expires_at": NOW + 20 * DAY}))
    keys = accept_key_statement(ROOT, renewed, now=LATER, previous=short)
    ended = NOW + 10 * DAY + TOLERANCE
    verify(keys, signed_at=ended, now=ended + DAY)
    expect_fault(TrustFault.EXPIRED, lambda: verify(keys, signed_at=ended + 1, now=ended + DAY))


def test_two_clocks_may_each_differ_from_the_brokers_by_the_tolerance() -> None:
    """The signer's is ahead, the reader's behind: the broker's time of the object shows the second."""
    ahead = LATER + 2 * TOLERANCE
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify(signed_at=ahead))
    verify(signed_at=ahead, stamped_at=LATER + TOLERANCE)
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify(signed_at=ahead, stamped_at=LATER + TOLERANCE - 1))


@pytest.mark.parametrize("stamped_at", [LATER + TOLERANCE, LATER + DAY, NOW + 300 * DAY])
def test_no_time_of_the_broker_goes_beyond_twice_the_tolerance(stamped_at: int) -> None:
    expect_fault(
        TrustFault.NOT_YET_VALID, lambda: verify(signed_at=LATER + 2 * TOLERANCE + 1, stamped_at=stamped_at)
    )  # fmt: skip
    assert find_latest_signing(LATER, stamped_at) == LATER + 2 * TOLERANCE


def test_a_time_of_the_broker_that_is_earlier_changes_nothing() -> None:
    for stamped_at in (LATER, LATER - DAY, 0):
        assert find_latest_signing(LATER, stamped_at) == find_latest_signing(LATER) == LATER + TOLERANCE
        verify(signed_at=LATER + TOLERANCE, stamped_at=stamped_at)


def test_no_time_of_the_broker_puts_a_key_into_force() -> None:
    """It is as early as without one: the object may be dated ahead of the reader, and the key ahead of the object."""
    begins = LATER + 2 * TOLERANCE
    named = {KeyRole.GATE: (make_online(KeyRole.GATE, 1), make_online(KeyRole.GATE, 2).key_id)}
    early = issue_keys(ROOT, None, named, days=10, now=begins)
    early = early.model_copy(update={"issued_at": LATER, "expires_at": LATER + 20 * DAY})
    keys = accept_key_statement(ROOT, sign_statement(early), now=LATER)
    verify(keys, signed_at=LATER + TOLERANCE)
    verify(keys, signed_at=LATER + 2 * TOLERANCE, stamped_at=LATER + TOLERANCE)
    before = LATER - 1
    for stamped_at in (before + TOLERANCE, LATER + DAY):
        for signed_at in (before + TOLERANCE, before + 2 * TOLERANCE):
            expect_fault(
                TrustFault.NOT_YET_VALID,
                partial(verify, keys, signed_at=signed_at, now=before, stamped_at=stamped_at),
            )


def test_no_time_of_the_broker_keeps_a_key_in_force_or_hides_its_revocation() -> None:
    end = NOW + 30 * DAY
    for now in (end, end + TOLERANCE):
        beyond = partial(verify, signed_at=end + TOLERANCE + 1, now=now, stamped_at=now + TOLERANCE)
        expect_fault(TrustFault.EXPIRED, beyond)
    revoking = revoke_keys(ROOT, KEYS, [GATE.public_key.key_id], effective_at=LATER, days=30, now=LATER)
    revoked = accept_key_statement(ROOT, sign_statement(revoking), now=LATER, previous=KEYS)
    for stamped_at in (NOW, LATER - 1, LATER + TOLERANCE):
        expect_fault(TrustFault.REVOKED, partial(verify, revoked, signed_at=NOW, stamped_at=stamped_at))


def test_nothing_is_verified_under_an_expired_statement_or_root() -> None:
    end = NOW + 30 * DAY + TOLERANCE
    verify(now=end)
    expect_fault(TrustFault.EXPIRED, lambda: verify(now=end + 1))
    root, _ = make_root(days=20)
    keys, _ = make_keys(root)
    expect_fault(TrustFault.EXPIRED, lambda: verify(keys, now=NOW + 20 * DAY + TOLERANCE + 1))


def test_what_arrives_after_a_revocation_is_refused_whatever_its_date() -> None:
    key = KEYS.statement.list_keys(KeyRole.GATE)[0]
    effective = LATER + DAY
    data = sign_statement(revoke_keys(ROOT, KEYS, [key.key_id], effective_at=effective, days=30, now=LATER))
    keys = accept_key_statement(ROOT, data, now=LATER, previous=KEYS)
    verify(keys, now=effective - 1)
    expect_fault(TrustFault.REVOKED, lambda: verify(keys, signed_at=NOW, now=effective))
    assert get_current_key(keys, KeyRole.GATE, effective - 1) == key
    assert get_current_key(keys, KeyRole.GATE, effective) is None


def test_a_key_that_has_ended_counts_for_what_is_dated_before_until_it_is_revoked() -> None:
    """Nobody can tell an old date from one that a thief of an ended key has written; so such a key is revoked, too."""
    key = KEYS.statement.list_keys(KeyRole.GATE)[0]
    ended = key.valid_until + 3 * DAY
    data = sign_statement(renew_statement(ROOT, KEYS, days=30, now=ended))
    keys = accept_key_statement(ROOT, data, now=ended, previous=KEYS)
    verify(keys, now=ended)
    expect_fault(TrustFault.EXPIRED, lambda: verify(keys, signed_at=ended, now=ended))
    data = sign_statement(revoke_keys(ROOT, keys, [key.key_id], effective_at=ended, days=30, now=ended))
    revoked = accept_key_statement(ROOT, data, now=ended, previous=keys)
    expect_fault(TrustFault.REVOKED, lambda: verify(revoked, now=ended))


def test_a_revoked_successor_is_refused_as_revoked() -> None:
    key = KEYS.statement.list_keys(KeyRole.GATE)[0]
    data = sign_statement(revoke_keys(ROOT, KEYS, [key.successor], effective_at=LATER, days=30, now=LATER))
    keys = accept_key_statement(ROOT, data, now=LATER, previous=KEYS)
    stranger = sign_object(ObjectKind.NOTICES, "CH", PAYLOAD, make_signer("gate 2"))
    expect_fault(TrustFault.REVOKED, lambda: verify(keys, signature=stranger))
    verify(keys)


def test_the_seal_key_is_found_by_its_role() -> None:
    seal = get_current_key(KEYS, KeyRole.SEAL, LATER)
    assert seal is not None
    assert find_online_key(KEYS, KeyRole.SEAL, seal.key_id, signed_at=LATER, now=LATER) == seal
    expect_fault(
        TrustFault.WRONG_PURPOSE,
        lambda: find_online_key(KEYS, KeyRole.SEAL, GATE.public_key.key_id, signed_at=LATER, now=LATER),
    )
    expect_fault(TrustFault.EXPIRED, lambda: get_current_key(KEYS, KeyRole.SEAL, NOW + 40 * DAY))


def test_a_private_key_shows_and_stores_nothing() -> None:
    seed = make_seed("gate 1")
    secret = seed.get_secret_value()
    shown = " ".join((repr(GATE), str(GATE), repr(seed), str(seed), f"{GATE}"))
    assert secret.hex() not in shown
    assert repr(secret) not in shown
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never copied"):
            copier(GATE)
    assert not hasattr(GATE, "__dict__")
