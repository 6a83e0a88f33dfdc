"""Roots: what is refused, and the chain from a pinned root."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.trust.canonical import encode_canonical
from sharing.trust.ceremonies import make_next_root
from sharing.trust.faults import TrustFault
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.root import (
    Pin,
    accept_next_root,
    follow_chain,
    format_fingerprint,
    normalise_fingerprint,
    require_current_root,
)
from tests.trust.trust_fixtures import (
    DAY,
    NOW,
    ROOT_KEYS,
    TOLERANCE,
    expect_fault,
    find_fault,
    make_keys,
    make_public,
    make_root,
    make_signer,
    resign,
    sign_root,
)

ROOT, DOCUMENT = make_root()
PIN = ROOT.to_pin()
NEW = make_signer("new root key")
SEAL_KEY = make_public("seal key", KeyAlgorithm.X25519).model_dump(mode="json")


def make_next(version: int = 2, *, signers: tuple[Any, ...] = ROOT_KEYS, **changes: Any) -> bytes:
    metadata = make_next_root(ROOT, days=365, now=NOW, **changes).model_copy(update={"version": version})
    return sign_root(metadata, signers)


def test_a_pinned_root_is_accepted() -> None:
    assert follow_chain(PIN, [DOCUMENT], now=NOW) == ROOT
    assert follow_chain(PIN, [DOCUMENT + b"\n"], now=NOW) == ROOT


def test_a_root_is_replaced_by_one_that_old_and_new_keys_have_signed() -> None:
    data = make_next(added=[NEW.public_key], removed=[ROOT_KEYS[0].public_key.key_id], signers=(*ROOT_KEYS[1:], NEW))
    newest = follow_chain(PIN, [DOCUMENT, data], now=NOW)
    assert (newest.metadata.version, newest.metadata.keys[-1]) == (2, NEW.public_key)
    assert follow_chain(newest.to_pin(), [DOCUMENT, data], now=NOW, newest_seen=2) == newest
    assert accept_next_root(newest, data) == newest  # read again


def test_a_root_of_another_state_is_refused() -> None:
    _, foreign = make_root(state="DE")
    expect_fault(TrustFault.WRONG_STATE, lambda: follow_chain(PIN, [foreign], now=NOW))
    expect_fault(TrustFault.WRONG_STATE, lambda: accept_next_root(ROOT, foreign))


def test_a_signature_for_another_state_does_not_count() -> None:
    """A root of CH signed with the same keys, but as if they spoke for DE."""
    data = resign(DOCUMENT, lambda signed: None, state="DE")
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: follow_chain(PIN, [data], now=NOW))


def test_another_root_than_the_pinned_one_is_refused() -> None:
    other, data = make_root(days=400)
    assert other.fingerprint != PIN.fingerprint
    assert "telephone" in expect_fault(TrustFault.NOT_PINNED, lambda: follow_chain(PIN, [data], now=NOW))


def test_an_expired_root_is_refused_by_the_readers_clock_with_tolerance() -> None:
    end = NOW + 365 * DAY
    assert follow_chain(PIN, [DOCUMENT], now=end + TOLERANCE) == ROOT
    expect_fault(TrustFault.EXPIRED, lambda: follow_chain(PIN, [DOCUMENT], now=end + TOLERANCE + 1))
    expect_fault(TrustFault.NOT_YET_VALID, lambda: require_current_root(ROOT, NOW - TOLERANCE - 1))
    require_current_root(ROOT, NOW - TOLERANCE)


def test_a_chain_may_pass_through_expired_roots() -> None:
    late = NOW + 500 * DAY
    renewed = sign_root(make_next_root(ROOT, days=365, now=late), ROOT_KEYS)
    assert follow_chain(PIN, [DOCUMENT, renewed], now=late).metadata.version == 2


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        ([], TrustFault.VERSION_MISSING),
        ([make_next()], TrustFault.VERSION_MISSING),
        ([DOCUMENT, make_next(3)], TrustFault.VERSION_MISSING),
        ([DOCUMENT, make_next(), make_next(1)], TrustFault.ROLLED_BACK),
        ([DOCUMENT, make_next(), make_next(threshold=3)], TrustFault.CONFLICT),
        ([DOCUMENT, make_next(signers=ROOT_KEYS[:1])], TrustFault.THRESHOLD_NOT_MET),
        ([DOCUMENT, make_next(signers=ROOT_KEYS[:2], threshold=3)], TrustFault.THRESHOLD_NOT_MET),
    ],
)
def test_a_broken_chain_is_refused(chain: list[bytes], fault: TrustFault) -> None:
    expect_fault(fault, lambda: follow_chain(PIN, chain, now=NOW))


def test_a_root_older_than_the_pinned_or_the_newest_seen_one_is_refused() -> None:
    second = follow_chain(PIN, [DOCUMENT, make_next()], now=NOW)
    expect_fault(TrustFault.ROLLED_BACK, lambda: follow_chain(second.to_pin(), [DOCUMENT], now=NOW))
    expect_fault(TrustFault.ROLLED_BACK, lambda: follow_chain(PIN, [DOCUMENT], now=NOW, newest_seen=2))
    expect_fault(TrustFault.ROLLED_BACK, lambda: accept_next_root(second, DOCUMENT))


def test_the_old_keys_alone_and_the_new_keys_alone_replace_nothing() -> None:
    others = [make_signer(f"other {number}") for number in range(3)]
    change: dict[str, Any] = {
        "added": [key.public_key for key in others],
        "removed": [key.public_key.key_id for key in ROOT_KEYS],
    }
    for signers in (ROOT_KEYS, tuple(others), (*ROOT_KEYS[:1], *others), (*ROOT_KEYS, *others[:1])):
        data = make_next(signers=signers, **change)
        expect_fault(TrustFault.THRESHOLD_NOT_MET, partial(accept_next_root, ROOT, data))
    assert accept_next_root(ROOT, make_next(signers=(*ROOT_KEYS[:2], *others[1:]), **change)).metadata.version == 2


def test_one_key_that_signs_twice_counts_once() -> None:
    document = json.loads(make_next(signers=ROOT_KEYS[:1]))
    document["signatures"] *= 2
    expect_fault(TrustFault.MALFORMED, lambda: accept_next_root(ROOT, encode_canonical(document)))


def test_a_wrong_signature_does_not_count() -> None:
    document = json.loads(make_next(signers=ROOT_KEYS[:2]))
    first, second = document["signatures"]
    first["signature"], second["signature"] = second["signature"], first["signature"]
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept_next_root(ROOT, encode_canonical(document)))


def test_a_key_statement_is_not_a_root() -> None:
    _, statement = make_keys(ROOT)
    expect_fault(TrustFault.WRONG_KIND, lambda: accept_next_root(ROOT, statement))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda root: root["keys"][0].update(algorithm="rsa"), TrustFault.UNKNOWN_ALGORITHM),
        (lambda root: root["keys"][0].pop("algorithm"), TrustFault.MALFORMED),
        (lambda root: root["keys"][0].update(SEAL_KEY), TrustFault.MALFORMED),
        (lambda root: root["keys"].append(root["keys"][0]), TrustFault.MALFORMED),
        (lambda root: root["keys"][0].update(public="00"), TrustFault.MALFORMED),
        (lambda root: root["keys"][0].update(public=root["keys"][0]["public"].upper()), TrustFault.MALFORMED),
        (lambda root: root.update(keys=[]), TrustFault.MALFORMED),
        (lambda root: root.update(threshold=0), TrustFault.MALFORMED),
        (lambda root: root.update(threshold=4), TrustFault.MALFORMED),
        (lambda root: root.update(threshold="2"), TrustFault.MALFORMED),
        (lambda root: root.update(threshold=True), TrustFault.MALFORMED),
        (lambda root: root.update(version=0), TrustFault.MALFORMED),
        (lambda root: root.update(format=2), TrustFault.MALFORMED),
        (lambda root: root.update(state="ch"), TrustFault.MALFORMED),
        (lambda root: root.update(state="UK"), TrustFault.MALFORMED),
        (lambda root: root.update(note="x"), TrustFault.MALFORMED),
        (lambda root: root.pop("online_days_max"), TrustFault.MALFORMED),
        (lambda root: root.update(expires_at=root["issued_at"]), TrustFault.MALFORMED),
        (lambda root: root.update(expires_at=NOW), TrustFault.MALFORMED),
        (lambda root: root.update(expires_at="2027-02-30T00:00:00.000Z"), TrustFault.MALFORMED),
        (lambda root: root.update(expires_at="2028-01-01T00:00:00Z"), TrustFault.MALFORMED),
        (lambda root: root.update(kind="keys"), TrustFault.WRONG_KIND),
        (lambda root: root.pop("kind"), TrustFault.WRONG_KIND),
    ],
)
def test_a_malformed_root_is_refused_although_all_keys_have_signed(
    change: Callable[[dict[str, Any]], object], fault: TrustFault
) -> None:
    expect_fault(fault, lambda: follow_chain(PIN, [resign(DOCUMENT, change)], now=NOW))


@pytest.mark.parametrize("value", [None, [], {}, {"signed": {}}, {"signatures": [], "signed": []}, {"signatures": {}}])
def test_what_is_no_document_is_refused(value: Any) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        accept_next_root(ROOT, encode_canonical(value))
    assert type(caught.value).__name__ == "TrustError"


def test_every_changed_byte_is_noticed() -> None:
    signed = DOCUMENT.index(b'"signed"')
    for position in range(len(DOCUMENT)):
        changed = bytearray(DOCUMENT)
        changed[position] ^= 1
        fault = find_fault(partial(follow_chain, PIN, [bytes(changed)], now=NOW))
        assert fault is not None or position < signed, position  # two of three signatures suffice


def test_fingerprints_are_read_from_paper() -> None:
    text = format_fingerprint(PIN.fingerprint)
    assert len(text.split(" ")) == 16
    assert normalise_fingerprint(text) == normalise_fingerprint(text.upper().replace(" ", " - ")) == PIN.fingerprint
    for wrong in ("", text[:-1], text + "0", "g" + text[1:], text.replace(text[0], "O", 1)):
        expect_fault(TrustFault.MALFORMED, partial(normalise_fingerprint, wrong))


def test_impossible_roots_are_not_made() -> None:
    changes: list[dict[str, Any]] = [{"threshold": 4}, {"threshold": 0}, {"days": 0}]
    for change in changes:
        with pytest.raises(InputError):
            make_root(**change)
    with pytest.raises(InputError, match="is not a root key"):
        make_next(removed=["0" * 64])
    with pytest.raises(InputError, match="listed twice"):
        make_next(added=[ROOT_KEYS[0].public_key])
    with pytest.raises(InputError, match="threshold is higher"):
        make_next(removed=[key.public_key.key_id for key in ROOT_KEYS[:2]])


def test_values_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PIN.version = 2  # type: ignore[misc]
    assert Pin("CH", 1, PIN.fingerprint) == PIN
