"""The canonical form: RFC 8785, as far as documents need it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.trust.canonical import DOCUMENT_BYTES_MAX, decode_canonical, encode_canonical
from sharing.trust.faults import TrustFault
from tests.trust.trust_fixtures import expect_fault

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def test_the_form_of_rfc_8785() -> None:
    """Section 3.2.2 and 3.2.3 of the RFC, without the fractions."""
    value = {
        "string": '€$\x0f\nA\'B"\\\\"/',
        "literals": [None, True, False],
        "numbers": [333333333, -4],
        "1": 1,
        "": 0,
    }
    assert encode_canonical(value).decode() == (
        '{"":0,"1":1,"literals":[null,true,false],"numbers":[333333333,-4],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )


@given(VALUES)
def test_every_value_has_one_form(value: Any) -> None:
    data = encode_canonical(value)
    assert decode_canonical(data) == value
    assert decode_canonical(data + b"\n") == value
    assert encode_canonical(json.loads(data)) == data
    spaced = json.dumps(value).encode() if isinstance(value, dict | list) and len(value) > 1 else b" " + data
    expect_fault(TrustFault.MALFORMED, lambda: decode_canonical(spaced))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"{", b"nul", b"\xff", b"{}\n\n", b'{"a":1,"a":1}', b'{"b":1,"a":2}', b'{"a":1.0}', b'{"a":1e2}',
        b'{"a":NaN}', b'{"a":"\\u0041"}', b'{"a":"\\ud800"}', b'{"\xc3\xa9":1}', b'{"a": 1}', b"9007199254740992",
        b"[" * 100 + b"]" * 100, b"[" * 100_000, b"9" * 5000, b"-0", b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_another_form_is_refused(data: bytes) -> None:
    expect_fault(TrustFault.MALFORMED, lambda: decode_canonical(data))


def test_a_long_document_is_refused_before_it_is_parsed() -> None:
    expect_fault(TrustFault.MALFORMED, lambda: decode_canonical(b" " * (DOCUMENT_BYTES_MAX + 1)))


@pytest.mark.parametrize("value", [1.5, b"x", {1: 2}, {"é": 1}, object(), float("nan"), 2**53])
def test_what_has_no_canonical_form_is_not_encoded(value: Any) -> None:
    with pytest.raises(ValueError, match=r"form|ASCII|53 bits"):
        encode_canonical(value)
