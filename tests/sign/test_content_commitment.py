"""Commitments to content: they fit one salt and one content, and a shown salt tells nothing about another."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import assume, given
from hypothesis import strategies as st

from sharing.sign.content_commitment import (
    NONCE_BYTES,
    SALT_BYTES,
    SECRET_BYTES,
    compute_commitments,
    derive_item_salt,
    derive_salts,
    is_commitment_to,
)

SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
PLACES = st.sampled_from(["ch.sharing/decisions/0", "ch.sharing/decisions/1", "de.sharing/decisions/0"])
CONTENTS = st.binary(max_size=300)


@given(SECRETS, NONCES, PLACES, st.lists(CONTENTS, min_size=1, max_size=9))
def test_each_content_fits_its_own_commitment(secret: bytes, nonce: bytes, place: str, contents: list[bytes]) -> None:
    salts = derive_salts(secret, nonce, place, len(contents))
    commitments = compute_commitments(salts, contents)
    assert commitments == [hashlib.sha256(salt + each).digest() for salt, each in zip(salts, contents, strict=True)]
    for number, commitment in enumerate(commitments):
        for other, salt in enumerate(salts):
            for content in contents:
                is_same = number == other and contents[number] == content
                assert is_commitment_to(commitment, salt, content) is is_same


@given(SECRETS, NONCES, CONTENTS, st.integers(0), st.integers(1, 255), st.sampled_from(["salt", "content", "both"]))
def test_what_was_altered_does_not_fit(
    secret: bytes, nonce: bytes, content: bytes, position: int, bits: int, altered: str
) -> None:
    (salt,) = derive_salts(secret, nonce, "ch.sharing/decisions/0", 1)
    (commitment,) = compute_commitments([salt], [content])

    def alter(data: bytes) -> bytes:
        place = position % (len(data) or 1)
        return data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :] if data else b"\x00"

    assert not is_commitment_to(
        commitment,
        salt if altered == "content" else alter(salt),
        content if altered == "salt" else alter(content),
    )


@given(SECRETS, st.binary(min_size=1, max_size=300), st.integers(0, SALT_BYTES - 1))
def test_a_byte_never_moves_from_the_content_to_the_salt(secret: bytes, content: bytes, length: int) -> None:
    """The salt has one length, so the same bytes cannot be read as another salt with another content."""
    (commitment,) = compute_commitments([secret], [content])
    assert not is_commitment_to(commitment, secret[:length], secret[length:] + content)
    assert not is_commitment_to(commitment, secret + content[:1], content[1:])


@given(SECRETS, SECRETS, NONCES, NONCES, PLACES, PLACES)
def test_salts_differ_with_secret_nonce_and_place(
    secret: bytes, other_secret: bytes, nonce: bytes, other_nonce: bytes, place: str, other_place: str
) -> None:
    assume((secret, nonce, place) != (other_secret, other_nonce, other_place))
    salts = {*derive_salts(secret, nonce, place, 5), *derive_salts(other_secret, other_nonce, other_place, 5)}
    assert len(salts) == 10


def test_salts_are_the_beginning_of_shake256() -> None:
    secret, nonce = bytes(range(32)), bytes(range(16))
    stream = hashlib.shake_256(b"sharing/content-salts/v1\x00" + secret + nonce + b"ch.sharing/decisions/0")
    assert b"".join(derive_salts(secret, nonce, "ch.sharing/decisions/0", 4)) == stream.digest(128)
    assert derive_salts(secret, nonce, "ch.sharing/decisions/0", 0) == []


@given(SECRETS)
def test_the_salt_of_a_copy_is_hkdf_of_its_key(key: bytes) -> None:
    expanded = HKDFExpand(algorithm=SHA256(), length=32, info=b"sharing/content-salt/v1\x00").derive(key)
    assert derive_item_salt(key) == expanded


@pytest.mark.parametrize(("secret", "nonce"), [(bytes(31), bytes(16)), (bytes(32), bytes(15)), (b"", b"")])
def test_a_short_secret_is_refused(secret: bytes, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="secret of 32"):
        derive_salts(secret, nonce, "ch.sharing/decisions/0", 1)


def test_each_content_needs_a_salt() -> None:
    with pytest.raises(ValueError, match="zip"):
        compute_commitments([bytes(32)], [b"one", b"two"])
