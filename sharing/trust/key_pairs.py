"""The public key of a private key. A private key is its seed: random bytes, which are the caller's.

`cryptography` has no form of its own for a private key of the hybrid MLKEM768-X25519. Its seed is the seed of
ML-KEM-768 (64 bytes, FIPS 203) followed by the X25519 private key (32 bytes).
"""

from __future__ import annotations

from typing import Final, assert_never

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import SecretBytes

from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import MemorySigningKey

_MLKEM_SEED_BYTES: Final = 64
SEED_BYTES: Final = {
    KeyAlgorithm.ED25519: 32,
    KeyAlgorithm.X25519: 32,
    KeyAlgorithm.MLKEM768_X25519: _MLKEM_SEED_BYTES + 32,
}
"""Length of a seed."""


def derive_public_key(algorithm: KeyAlgorithm, seed: SecretBytes) -> PublishedKey:
    """Return the public key that belongs to a seed.

    Raises:
        ValueError: The seed has the wrong length.
    """
    data = seed.get_secret_value()
    if len(data) != SEED_BYTES[algorithm]:
        raise ValueError(f"a seed of {algorithm} has {SEED_BYTES[algorithm]} bytes")
    match algorithm:
        case KeyAlgorithm.ED25519:
            return MemorySigningKey(seed).public_key
        case KeyAlgorithm.X25519:
            public = X25519PrivateKey.from_private_bytes(data).public_key().public_bytes_raw()
        case KeyAlgorithm.MLKEM768_X25519:
            mlkem, x25519 = data[:_MLKEM_SEED_BYTES], data[_MLKEM_SEED_BYTES:]
            public = (
                MLKEM768PrivateKey.from_seed_bytes(mlkem).public_key().public_bytes_raw()
                + X25519PrivateKey.from_private_bytes(x25519).public_key().public_bytes_raw()
            )
        case _:
            assert_never(algorithm)
    return PublishedKey(algorithm=algorithm, public=public.hex())
