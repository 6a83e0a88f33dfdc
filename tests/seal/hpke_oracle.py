"""HPKE written again from RFC 9180 (base mode), for comparison with the library: X25519 and X-Wing, HKDF-SHA256.

The combiner of X-Wing is that of draft-connolly-cfrg-xwing-kem. Only for tests.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

X25519_KEM, XWING_KEM, HKDF_SHA256, AES_128_GCM, AES_256_GCM = 0x0020, 0x647A, 1, 1, 2
_ENCAPSULATED_MLKEM = 1088


def _to_bytes(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = _to_bytes(length) + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, labeled + b"\x01", "sha256")[:length]


def share_by_x25519(dh: bytes, enc: bytes, public: bytes) -> bytes:
    """Return the shared secret of DHKEM(X25519, HKDF-SHA256)."""
    suite = b"KEM" + _to_bytes(X25519_KEM)
    prk = _extract(suite, b"", b"eae_prk", dh)
    return _expand(suite, prk, b"shared_secret", enc + public, 32)


def encapsulate_x25519(ephemeral: X25519PrivateKey, public: bytes) -> tuple[bytes, bytes]:
    """Return the shared secret and the encapsulated key."""
    enc = ephemeral.public_key().public_bytes_raw()
    dh = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    return share_by_x25519(dh, enc, public), enc


def decapsulate_x25519(private: X25519PrivateKey, enc: bytes) -> bytes:
    """Return the shared secret."""
    dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
    return share_by_x25519(dh, enc, private.public_key().public_bytes_raw())


def decapsulate_xwing(mlkem: MLKEM768PrivateKey, private: X25519PrivateKey, enc: bytes) -> bytes:
    """Return the shared secret."""
    first = mlkem.decapsulate(enc[:_ENCAPSULATED_MLKEM])
    other = enc[_ENCAPSULATED_MLKEM:]
    second = private.exchange(X25519PublicKey.from_public_bytes(other))
    public = private.public_key().public_bytes_raw()
    return hashlib.sha3_256(first + second + other + public + b"\\.//^\\").digest()


def schedule_keys(kem: int, aead: int, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Return the key and the nonce of the first message."""
    suite = b"HPKE" + _to_bytes(kem) + _to_bytes(HKDF_SHA256) + _to_bytes(aead)
    context = b"\x00" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    key_length = 16 if aead == AES_128_GCM else 32
    return _expand(suite, secret, b"key", context, key_length), _expand(suite, secret, b"base_nonce", context, 12)
