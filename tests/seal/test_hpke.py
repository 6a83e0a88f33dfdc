"""HPKE: agreement with RFC 9180, written again and checked against its test vectors, in both directions."""

from __future__ import annotations

from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretBytes

from sharing.seal.data_keys import encode_info
from sharing.seal.faults import SealFault
from sharing.seal.hpke import SUITE_OF_ALGORITHM, MemoryOpeningKey, SealSuite, wrap
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyAlgorithm, KeyRole
from tests.seal.hpke_oracle import (
    AES_128_GCM,
    AES_256_GCM,
    X25519_KEM,
    XWING_KEM,
    decapsulate_x25519,
    decapsulate_xwing,
    encapsulate_x25519,
    schedule_keys,
)
from tests.seal.seal_fixtures import HYBRID, X25519, expect_refusal, make_opening_key
from tests.trust.trust_fixtures import NOW, make_seed

# RFC 9180, appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
EPHEMERAL = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
ENC = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
PUBLIC = bytes.fromhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
PRIVATE = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
SHARED = bytes.fromhex("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc")
KEY, NONCE = bytes.fromhex("4531685d41d65f03dc48f6b8302c05b0"), bytes.fromhex("56d890e5accaaf011cff4b7d")
PLAINTEXT, ASSOCIATED = bytes.fromhex("4265617574792069732074727574682c20747275746820626561757479"), b"Count-0"
CIPHERTEXT = bytes.fromhex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a")


def test_the_oracle_agrees_with_the_vectors_of_the_rfc() -> None:
    ephemeral, private = X25519PrivateKey.from_private_bytes(EPHEMERAL), X25519PrivateKey.from_private_bytes(PRIVATE)
    assert encapsulate_x25519(ephemeral, PUBLIC) == (SHARED, ENC)
    assert decapsulate_x25519(private, ENC) == SHARED
    assert schedule_keys(X25519_KEM, AES_128_GCM, SHARED, INFO) == (KEY, NONCE)
    assert AESGCM(KEY).encrypt(NONCE, PLAINTEXT, ASSOCIATED) == CIPHERTEXT


def test_what_the_oracle_seals_by_x25519_opens() -> None:
    key = MemoryOpeningKey(X25519, SecretBytes(PRIVATE))
    assert key.public_key.public == PUBLIC.hex()
    shared, enc = encapsulate_x25519(X25519PrivateKey.from_private_bytes(EPHEMERAL), PUBLIC)
    aead_key, nonce = schedule_keys(X25519_KEM, AES_256_GCM, shared, INFO)
    assert key.unwrap(enc + AESGCM(aead_key).encrypt(nonce, PLAINTEXT, None), INFO) == PLAINTEXT


def test_the_oracle_opens_what_is_sealed_by_x25519() -> None:
    key = make_opening_key("seal")
    wrapped = wrap("DE", key.public_key, PLAINTEXT, INFO)
    private = X25519PrivateKey.from_private_bytes(make_seed("seal").get_secret_value())
    shared = decapsulate_x25519(private, wrapped[:32])
    aead_key, nonce = schedule_keys(X25519_KEM, AES_256_GCM, shared, INFO)
    assert AESGCM(aead_key).decrypt(nonce, wrapped[32:], None) == PLAINTEXT


def test_the_oracle_opens_what_is_sealed_by_the_hybrid() -> None:
    key = make_opening_key("seal", HYBRID)
    wrapped = wrap("DE", key.public_key, PLAINTEXT, INFO)
    seed = make_seed("seal", 96).get_secret_value()
    mlkem, private = MLKEM768PrivateKey.from_seed_bytes(seed[:64]), X25519PrivateKey.from_private_bytes(seed[64:])
    shared = decapsulate_xwing(mlkem, private, wrapped[:1120])
    aead_key, nonce = schedule_keys(XWING_KEM, AES_256_GCM, shared, INFO)
    assert AESGCM(aead_key).decrypt(nonce, wrapped[1120:], None) == PLAINTEXT


@pytest.mark.parametrize("algorithm", [X25519, HYBRID])
def test_only_the_right_key_and_context_open(algorithm: KeyAlgorithm) -> None:
    key, other = make_opening_key("seal", algorithm), make_opening_key("other", algorithm)
    wrapped = wrap("DE", key.public_key, b"x" * 32, INFO)
    assert key.unwrap(wrapped, INFO) == b"x" * 32
    expect_refusal(SealFault.NOT_OPENED, lambda: other.unwrap(wrapped, INFO))
    expect_refusal(SealFault.NOT_OPENED, lambda: key.unwrap(wrapped, INFO + b"x"))
    expect_refusal(SealFault.NOT_OPENED, lambda: key.unwrap(wrapped, b""))
    for length in (0, 1, 31, 32, 48, len(wrapped) - 1):
        expect_refusal(SealFault.NOT_OPENED, partial(key.unwrap, wrapped[:length], INFO))
    for position in range(0, len(wrapped), 5):
        altered = bytearray(wrapped)
        altered[position] ^= 1
        expect_refusal(SealFault.NOT_OPENED, partial(key.unwrap, bytes(altered), INFO))


def test_an_ephemeral_key_of_small_order_is_refused() -> None:
    expect_refusal(SealFault.NOT_OPENED, lambda: make_opening_key("seal").unwrap(bytes(80), INFO))


def test_every_algorithm_of_a_seal_key_has_a_suite() -> None:
    assert set(SUITE_OF_ALGORITHM) == set(ROLE_ALGORITHMS[KeyRole.SEAL])
    assert set(SUITE_OF_ALGORITHM.values()) == set(SealSuite) == {"MLKEM768-X25519", "X25519"}


def test_two_sealings_of_the_same_key_differ() -> None:
    key = make_opening_key("seal", HYBRID).public_key
    assert wrap("DE", key, b"x", INFO) != wrap("DE", key, b"x", INFO)


def test_the_context_is_unambiguous() -> None:
    expected = b'["sharing/data-key/v1","X25519","CH","DE",%d]' % NOW
    assert encode_info("X25519", "CH", "DE", NOW) == expected
    assert encode_info("X25519", 'CH","D', "E", NOW) != encode_info("X25519", "CH", 'D","E', NOW)
