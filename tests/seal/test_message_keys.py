"""The key of one message, its commitment, and padding: agreement with the library, and lengths."""

from __future__ import annotations

import hashlib
import pickle

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from sharing.seal.faults import SealFault
from sharing.seal.message_keys import (
    MessageKeyDeriver,
    compute_commitment,
    decrypt,
    derive_message_key,
    encrypt_once,
)
from sharing.seal.padding import CONTENT_BYTES_MAX, LENGTH_CLASSES, find_length_class, pad_content, remove_padding
from tests.seal.seal_fixtures import expect_refusal


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_a_message_key_is_that_of_hkdf_expand(data_key: bytes, salt: bytes) -> None:
    expected = HKDFExpand(SHA256(), 32, b"sharing/message-key/v1\x00" + salt).derive(data_key)
    assert derive_message_key(data_key, salt) == expected
    assert compute_commitment(expected) == hashlib.sha256(b"sharing/commitment/v1\x00" + expected).digest()


def test_a_deriver_keeps_one_data_key_and_hides_it() -> None:
    deriver = MessageKeyDeriver(bytes(range(32)))
    keys = [deriver.derive(bytes([number]) * 16) for number in (1, 2, 1)]
    assert keys[0] == keys[2] != keys[1]
    assert keys[0] == derive_message_key(bytes(range(32)), b"\x01" * 16)
    assert repr(deriver) == "MessageKeyDeriver()"
    with pytest.raises(TypeError):
        pickle.dumps(deriver)
    with pytest.raises(ValueError, match="32 bytes"):
        MessageKeyDeriver(bytes(65))


def test_a_ciphertext_opens_with_its_key_and_its_envelope_only() -> None:
    key = bytes(range(32))
    ciphertext = encrypt_once(key, b"content", b"envelope")
    assert decrypt(key, ciphertext, b"envelope") == b"content"
    assert decrypt(bytes(32), ciphertext, b"envelope") is None
    assert decrypt(key, ciphertext, b"another") is None
    assert decrypt(key, ciphertext[:-1], b"envelope") is None
    assert decrypt(key, b"", b"envelope") is None


@given(st.binary(max_size=3000), st.binary(max_size=3))
def test_padding_is_removed_exactly(content: bytes, end: bytes) -> None:
    content += end.replace(b"\x01", b"\x80").replace(b"\x02", b"\x00")
    padded = pad_content(content)
    assert len(padded) in LENGTH_CLASSES
    assert remove_padding(padded) == content


def test_the_classes_are_two_for_each_doubling() -> None:
    assert LENGTH_CLASSES[:6] == (512, 768, 1024, 1536, 2048, 3072)
    assert len(LENGTH_CLASSES) == 22
    assert find_length_class(0) == find_length_class(511) == 512
    assert find_length_class(512) == find_length_class(767) == 768
    assert find_length_class(CONTENT_BYTES_MAX) == LENGTH_CLASSES[-1] == 786_432
    lengths = range(512, 200_000)
    overheads = [find_length_class(length) / length - 1 for length in lengths]
    assert max(overheads) <= 0.5
    expect_refusal(SealFault.NOT_SEALABLE, lambda: find_length_class(CONTENT_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "padded", [b"", b"\x80", bytes(512), b"\x80" + bytes(767), b"x" * 512, b"\x80" + bytes(510), bytes(2_000_000)]
)
def test_what_is_not_padded_as_it_must_be_is_refused(padded: bytes) -> None:
    expect_refusal(SealFault.BAD_PADDING, lambda: remove_padding(padded))
    expect_refusal(SealFault.BAD_PADDING, lambda: remove_padding(b"x" * 1_000_000 + b"\x80" + padded))
