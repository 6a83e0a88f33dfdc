"""Key pairs: published vectors, and that each public key works with its seed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from pydantic import SecretBytes, ValidationError

from sharing.trust.key_pairs import SEED_BYTES, derive_public_key
from sharing.trust.public_keys import PUBLIC_BYTES, ROLE_ALGORITHMS, KeyAlgorithm, KeyRole, PublishedKey
from tests.trust.trust_fixtures import make_public, make_seed


@pytest.mark.parametrize(
    ("algorithm", "seed", "public"),
    [
        (  # RFC 8032, 7.1, TEST 1
            KeyAlgorithm.ED25519,
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        (  # RFC 7748, 6.1, Alice
            KeyAlgorithm.X25519,
            "77076d0a7318a57d3c16c17251b26645c6df8cfd3dc4c3cb5b9d1d4bd8f2a2c4",
            None,
        ),
    ],
)
def test_published_vectors(algorithm: KeyAlgorithm, seed: str, public: str | None) -> None:
    key = derive_public_key(algorithm, SecretBytes(bytes.fromhex(seed)))
    assert public is None or key.public == public


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_each_algorithm_has_its_lengths(algorithm: KeyAlgorithm) -> None:
    key = derive_public_key(algorithm, make_seed("x", SEED_BYTES[algorithm]))
    assert len(key.public) == 2 * PUBLIC_BYTES[algorithm]
    assert len(key.key_id) == 64
    with pytest.raises(ValueError, match="bytes"):
        derive_public_key(algorithm, make_seed("x", SEED_BYTES[algorithm] - 1))
    with pytest.raises(ValidationError):
        PublishedKey(algorithm=algorithm, public=key.public[2:])


def test_the_hybrid_key_is_ml_kem_and_then_x25519() -> None:
    seed = make_seed("x", 96)
    public = bytes.fromhex(make_public("x", KeyAlgorithm.MLKEM768_X25519).public)
    shared, ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    assert MLKEM768PrivateKey.from_seed_bytes(seed.get_secret_value()[:64]).decapsulate(ciphertext) == shared
    x25519 = derive_public_key(KeyAlgorithm.X25519, SecretBytes(seed.get_secret_value()[64:]))
    assert X25519PublicKey.from_public_bytes(public[1184:]).public_bytes_raw().hex() == x25519.public


def test_no_algorithm_both_signs_and_opens() -> None:
    signing = {algorithm for role in set(KeyRole) - {KeyRole.SEAL} for algorithm in ROLE_ALGORITHMS[role]}
    assert not signing & set(ROLE_ALGORITHMS[KeyRole.SEAL])
    assert signing | set(ROLE_ALGORITHMS[KeyRole.SEAL]) == set(KeyAlgorithm)
