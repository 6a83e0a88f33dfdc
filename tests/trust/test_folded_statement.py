"""Root keys sign the folded form of a key statement: every key, its order, and all else is covered by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import build_signed_message, fold_keys
from sharing.trust.faults import TrustFault
from sharing.trust.folded_statement import accept_partial_statement, hide_keys
from sharing.trust.key_statement import accept_key_statement
from sharing.trust.signatures import ObjectKind, build_message
from tests.trust.trust_fixtures import NOW, ROOT_KEYS, expect_fault, make_keys, make_public, make_root

ROOT, _ = make_root()
KEYS, DATA = make_keys(ROOT)
GATE = next(key for key in KEYS.statement.keys if key.role == "gate")
SIGNERS = {key.public_key.key_id for key in ROOT_KEYS}


def swap(content: dict[str, Any], one: int, two: int) -> None:
    keys = content["keys"]
    keys[one], keys[two] = keys[two], keys[one]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: swap(content, 0, 1),
        lambda content: swap(content, 2, 3),
        lambda content: content["keys"].pop(),
        lambda content: content["keys"][0].update(public=make_public("thief").public),
        lambda content: content["keys"][4].update(public=make_public("thief").public),
        lambda content: content["keys"][4].update(successor="0" * 64),
        lambda content: content.update(version=2),
    ],
    ids=["gate moved", "others exchanged", "one left out", "gate", "other", "successor", "version"],
)
def test_nothing_in_a_statement_can_be_changed(change: Callable[[dict[str, Any]], object]) -> None:
    assert accept_key_statement(ROOT, DATA, now=NOW).digest == KEYS.digest
    document = json.loads(DATA)
    change(document["signed"])
    altered = encode_canonical(document)
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept_key_statement(ROOT, altered, now=NOW))


def test_only_key_statements_are_folded_and_none_of_its_keys_is_in_what_is_signed() -> None:
    payload = encode_canonical(json.loads(DATA)["signed"])
    folded = json.loads(fold_keys(payload))
    assert "keys" not in folded
    assert (len(folded["gate_keys"]), folded["gate_places"]) == (1, [0])
    assert not any(key.public.encode() in fold_keys(payload) for key in KEYS.statement.keys)
    assert build_signed_message(ObjectKind.KEYS, "CH", payload) == build_message(
        ObjectKind.KEYS, "CH", fold_keys(payload)
    )
    assert build_signed_message(ObjectKind.ROOT, "CH", payload) == build_message(ObjectKind.ROOT, "CH", payload)
    assert fold_keys(fold_keys(payload)) == fold_keys(payload)


def test_a_folded_statement_is_no_statement() -> None:
    document = json.loads(DATA)
    document["signed"] = json.loads(fold_keys(encode_canonical(document["signed"])))
    expect_fault(
        TrustFault.MALFORMED, lambda: accept_key_statement(ROOT, encode_canonical(document), now=NOW)
    )  # fmt: skip


def test_a_partial_statement_proves_the_keys_that_it_shows_for_as_long_as_the_whole_one() -> None:
    partial = hide_keys(DATA, {GATE.key_id}, SIGNERS, 2)
    assert len(partial.signatures) == 2
    assert accept_partial_statement(ROOT, partial, now=NOW).statement.keys == (GATE,)
    hidden = hide_keys(DATA, (), SIGNERS, 2)
    assert accept_partial_statement(ROOT, hidden, now=NOW).statement.keys == ()
    late = KEYS.statement.expires_at + 6 * 60_000
    expect_fault(TrustFault.EXPIRED, lambda: accept_partial_statement(ROOT, partial, now=late))
    few = hide_keys(DATA, {GATE.key_id}, SIGNERS, 1)
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept_partial_statement(ROOT, few, now=NOW))
    other_root = make_root(threshold=3)[0]
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept_partial_statement(other_root, partial, now=NOW))
