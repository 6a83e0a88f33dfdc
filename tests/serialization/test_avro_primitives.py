"""Every long, bytes and text is encoded as fastavro encodes it."""

from __future__ import annotations

import io

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sharing.serialization.avro_primitives import (
    LONG_MAX,
    LONG_MIN,
    encode_bytes,
    encode_long,
    encode_sequence,
    encode_string,
)


def encode_with_fastavro(schema: str, value: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


@given(st.integers(LONG_MIN, LONG_MAX))
@example(0)
@example(-1)
@example(63)
@example(-64)
@example(64)
@example(LONG_MIN)
@example(LONG_MAX)
def test_a_long_is_encoded_whatever_its_sign(number: int) -> None:
    assert encode_long(number) == encode_with_fastavro("long", number)
    assert encode_sequence(number) == encode_long(number)


@pytest.mark.parametrize("number", [LONG_MIN - 1, LONG_MAX + 1, 10**40, -(10**40)])
def test_a_number_beyond_64_bits_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode_long(number)
    with pytest.raises(ValueError, match="64 bits"):
        encode_sequence(number)


@given(st.binary(), st.text())
def test_bytes_and_texts_follow_their_length(data: bytes, text: str) -> None:
    assert encode_bytes(data) == encode_with_fastavro("bytes", data)
    assert encode_string(text) == encode_with_fastavro("string", text)
