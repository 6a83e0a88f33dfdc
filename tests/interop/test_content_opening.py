"""A proof shows which content a decision was about: exactly that, of that decision, and of no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.interop.content_opening import Opening, encode_content, open_commitment
from sharing.interop.entry_proof_file import EntryProof, read_entry_proof
from sharing.interop.entry_proofs import CheckedEntry, check_entry_proof
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.sign.content_commitment import SALT_BYTES, compute_commitments
from sharing.trust.faults import TrustFault
from tests.audit.audit_fixtures import (
    PLACE,
    derive_block_salts,
    make_content,
    make_id,
    make_pins_and_documents,
    make_proof,
    make_world,
)
from tests.trust.trust_fixtures import expect_fault

BLOCK, INDEX, ENTRIES = 4, 3, 7
NUMBER = BLOCK * ENTRIES + INDEX
WORLD = make_world()
PINS = make_pins_and_documents()[0]
CLOSED = make_proof(WORLD, BLOCK, INDEX)
SALTS = derive_block_salts(PLACE, ENTRIES)
SALT, CONTENT = SALTS[INDEX], make_content(NUMBER)
OPEN = replace(CLOSED, opening=Opening(SALT, CONTENT))


def check(proof: EntryProof, content: bytes | None = None) -> CheckedEntry:
    return check_entry_proof(read_entry_proof(proof.encode()), PINS, WORLD.now, required=2, content=content)


def expect_conflict(proof: EntryProof, content: bytes | None = None) -> str:
    return expect_fault(TrustFault.CONFLICT, lambda: check(proof, content))


def get_value(checked: CheckedEntry) -> Any:
    assert checked.opened is not None
    return checked.opened["value"]


def test_a_proof_shows_the_content_or_only_its_salt() -> None:
    assert get_value(check(OPEN)) == f"host{NUMBER}.example.org"
    assert get_value(check(OPEN, CONTENT)) == f"host{NUMBER}.example.org"
    only_salt = replace(CLOSED, opening=Opening(SALT))
    assert check(only_salt).opened is None
    assert get_value(check(only_salt, CONTENT)) == f"host{NUMBER}.example.org"
    assert b"example" not in only_salt.encode()
    assert check(CLOSED).opened is None


@pytest.mark.parametrize(
    "opening",
    [
        Opening(SALT, make_content(NUMBER + 1)),
        Opening(SALTS[INDEX + 1], CONTENT),
        Opening(SALTS[INDEX + 1], make_content(NUMBER + 1)),
        Opening(bytes(SALT_BYTES), CONTENT),
        Opening(SALT[:-1], SALT[-1:] + CONTENT),
        Opening(b"", SALT + CONTENT),
        Opening(SALT, CONTENT + b"\x00"),
        Opening(SALT, CONTENT[:-1]),
        Opening(SALT, b""),
    ],
)
def test_another_content_another_salt_and_another_item_are_refused(opening: Opening) -> None:
    expect_conflict(replace(CLOSED, opening=opening))


@settings(max_examples=20)
@given(st.integers(0, len(SALT + CONTENT) - 1), st.integers(1, 255))
def test_no_byte_of_salt_or_content_can_be_altered(place: int, bits: int) -> None:
    altered = bytearray(SALT + CONTENT)
    altered[place] ^= bits
    salt, content = bytes(altered[:SALT_BYTES]), bytes(altered[SALT_BYTES:])
    expect_conflict(replace(CLOSED, opening=Opening(salt, content)))


def test_a_content_that_is_given_must_be_the_one() -> None:
    for proof in (OPEN, replace(CLOSED, opening=Opening(SALT))):
        expect_conflict(proof, make_content(NUMBER + 1))
    assert "does not have the salt" in expect_conflict(CLOSED, CONTENT)


def test_a_commitment_cannot_be_exchanged_or_left_out() -> None:
    """It is in the tree of the log with its decision: to forge one is to forge the log."""
    other = make_content(NUMBER + 1)
    forged = compute_commitments([SALT], [other])[0]
    for commitment in (forged, b"", make_proof(WORLD, BLOCK, INDEX + 1).commitment):
        expect_conflict(replace(CLOSED, commitment=commitment, opening=Opening(SALT, other)))
        expect_conflict(replace(CLOSED, commitment=commitment))


def test_the_content_of_another_item_is_refused_even_if_the_state_has_committed_to_it() -> None:
    other = make_content(NUMBER + 1)
    (commitment,) = compute_commitments([SALT], [other])
    refused = expect_fault(
        TrustFault.CONFLICT, lambda: open_commitment(commitment, Opening(SALT, other), None, make_id(NUMBER))
    )
    assert "that of another item" in refused
    opened = open_commitment(commitment, Opening(SALT, other), None, make_id(NUMBER + 1))
    assert opened is not None
    assert opened["id"] == make_id(NUMBER + 1)


def test_an_act_has_no_commitment() -> None:
    world = make_world(2, place=replace(PLACE, log=AuditLogName.ACTS))
    proof = make_proof(world, 0, 1)
    assert proof.commitment == b""
    checked = check_entry_proof(proof, PINS, world.now, required=2)
    assert checked.opened is None
    expect_fault(
        TrustFault.CONFLICT,
        lambda: check_entry_proof(replace(proof, opening=Opening(SALT, CONTENT)), PINS, world.now, required=2),
    )
    refused = expect_fault(
        TrustFault.CONFLICT, lambda: check_entry_proof(proof, PINS, world.now, required=2, content=CONTENT)
    )
    assert "nothing binds this entry to any content" in refused


def make_form(**changes: Any) -> Mapping[str, Any]:
    source = {"state": "CH", "agency": "police", "officer": "o-1", "authority": "POLICE"}
    return {
        "id": make_id(NUMBER), "type": "domain-name", "value": f"host{NUMBER}.example.org", "source": source, **changes
    }  # fmt: skip


def test_a_file_with_the_published_item_is_the_content() -> None:
    assert encode_content(json.dumps(make_form()).encode()) == CONTENT
    assert encode_content(CONTENT) == CONTENT
    shown = Indicator.parse(dict(get_codec("indicator").decode(CONTENT))).to_json()
    assert encode_content(shown.encode()) == CONTENT
    assert encode_content(json.dumps(make_form(summary="another")).encode()) != CONTENT


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b'{"id": 1, "id": 2}', b"{}", b" " * 200_001])
def test_a_file_that_is_no_item_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        encode_content(data)
