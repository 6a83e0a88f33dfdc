"""Every long, bytes and text is encoded as fastavro encodes it, and read in this form only."""

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
    read_long,
    read_optional_string,
    read_string,
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


@given(st.integers(LONG_MIN, LONG_MAX), st.binary(max_size=3), st.binary(max_size=3))
@example(LONG_MIN, b"", b"")
@example(LONG_MAX, b"", b"\x80")
def test_a_long_is_read_where_it_is(number: int, before: bytes, after: bytes) -> None:
    encoded = encode_long(number)
    assert read_long(before + encoded + after, len(before)) == (number, len(before + encoded))
    for end in range(len(encoded)):
        with pytest.raises(IndexError):
            read_long(encoded[:end], 0)


@pytest.mark.parametrize(
    "data",
    [b"\x80\x00", b"\xff\x80\x00", b"\xfe" + b"\xff" * 8 + b"\x02", b"\xff" * 9 + b"\x7f", b"\xff" * 10 + b"\x01"],
    ids=["zero in two bytes", "64 in three bytes", "65 bits", "70 bits", "eleven bytes"],
)
def test_a_long_in_a_longer_form_or_beyond_64_bits_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        read_long(data, 0)


@given(st.text(), st.binary(max_size=3))
def test_a_text_is_read_where_it_is(text: str, after: bytes) -> None:
    encoded = encode_string(text)
    assert read_string(encoded + after, 0) == (text, len(encoded))
    assert read_optional_string(b"\x02" + encoded + after, 0) == (text, len(encoded) + 1)
    assert read_optional_string(b"\x00" + after, 0) == (None, 1)
    for end in range(len(encoded)):
        with pytest.raises((IndexError, ValueError)):
            read_string(encoded[:end], 0)


def test_what_is_no_text_is_refused() -> None:
    for data in (b"\x01", b"\x04a", b"\x02\xff"):  # a negative number of bytes, one byte too few, no UTF-8
        with pytest.raises(ValueError, match=r".*"):
            read_string(data, 0)
    with pytest.raises(ValueError, match=r"^$"):
        read_optional_string(b"\x04\x02a", 0)  # a union without such a branch
