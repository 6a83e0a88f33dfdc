"""Documents of any shape: they are refused with one clear error, or are the original."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.kafka.directory_own_topic import RECORD_BYTES_MAX
from sharing.trust.documents import PUBLISHED_BYTES_MAX, peek_kind
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import verify_key_statement
from sharing.trust.online_key import Revocation
from sharing.trust.root import accept_pinned_root
from tests.trust.test_canonical import VALUES
from tests.trust.trust_fixtures import (
    EXAMPLES,
    NOW,
    ROOT_KEYS,
    expect_fault,
    find_fault,
    make_keys,
    make_root,
    resign,
    sign_statement,
)

ROOT, ROOT_DOCUMENT = make_root()
KEYS, KEYS_DOCUMENT = make_keys(ROOT)
REPLACEMENTS = VALUES | st.sampled_from(
    ["CH", "gate", "ed25519", "2027-01-15T08:00:00.000Z", "0" * 64, 0, 1, 2, 2**53 - 1]
)


def list_places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in list_places(item, (*path, key)))]


def replace(signed: dict[str, Any], path: tuple[str | int, ...], value: Any) -> None:
    target: Any = signed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value


@given(st.data())
@settings(max_examples=20 * EXAMPLES, deadline=None)
def test_a_document_with_any_value_in_any_place_is_refused_or_means_the_same(data: st.DataObject) -> None:
    """Signed by all root keys, so that nothing but the value is wrong."""
    original = data.draw(st.sampled_from([ROOT_DOCUMENT, KEYS_DOCUMENT]))
    places = list_places(json.loads(original)["signed"])[1:]
    path, value = data.draw(st.sampled_from(places)), data.draw(REPLACEMENTS)
    changed = resign(original, lambda signed: replace(signed, path, value))
    assert isinstance(peek_kind(changed), str)
    fault = find_fault(lambda: accept_pinned_root(ROOT.to_pin(), changed))
    assert fault is not None or changed == original
    try:
        keys = verify_key_statement(ROOT, changed, previous=KEYS)
    except TrustError:
        return
    statement = keys.statement
    assert changed == original or statement.version > 1
    assert statement.state == "CH"
    assert statement.expires_at - statement.issued_at <= 30 * 86_400_000
    assert not {key.key_id for key in statement.keys} & {key.public_key.key_id for key in ROOT_KEYS}


@given(st.dictionaries(st.sampled_from(["signed", "signatures", "other"]), VALUES))
@settings(max_examples=5 * EXAMPLES, deadline=None)
def test_anything_else_is_refused(document: dict[str, Any]) -> None:
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert find_fault(lambda: accept_pinned_root(ROOT.to_pin(), data)) is not None
    assert find_fault(lambda: verify_key_statement(ROOT, data)) is not None


@pytest.mark.parametrize(
    ("name", "shown"), [("note", "note: "), ("x\nCH: accepted", "?: "), ("\x1b[2J", "?: "), ("a" * 100_000, "?: ")]
)
def test_a_message_does_not_repeat_the_senders_text(name: str, shown: str) -> None:
    data = resign(ROOT_DOCUMENT, lambda signed: signed.update({name: 1}))
    message = expect_fault(TrustFault.MALFORMED, lambda: accept_pinned_root(ROOT.to_pin(), data))
    assert message == f"{shown}unknown field"


def test_a_document_for_the_directory_is_no_longer_than_its_topic_accepts() -> None:
    """Roots and key statements are records of the directory topic: one that is too long for it is never signed."""
    revoked = [Revocation(key=f"{number:064x}", effective_at=NOW) for number in range(1_000)]
    longest = KEYS.statement.model_copy(update={"revocations": tuple(revoked[:700])})
    assert 0.6 * PUBLISHED_BYTES_MAX < len(sign_statement(longest)) <= PUBLISHED_BYTES_MAX == RECORD_BYTES_MAX
    too_long = KEYS.statement.model_copy(update={"revocations": tuple(revoked)})
    with pytest.raises(InputError, match="the keys of CH would be longer than 110,000 bytes"):
        sign_statement(too_long)
    padded = resign(KEYS_DOCUMENT, lambda signed: signed.update(note="x" * PUBLISHED_BYTES_MAX))
    message = expect_fault(TrustFault.MALFORMED, lambda: verify_key_statement(ROOT, padded))
    assert message == "is longer than 110,000 bytes"
