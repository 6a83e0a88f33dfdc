"""The public key of a passkey: COSE (RFC 9053), in the one form that authenticators write (CTAP2, canonical CBOR)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, assert_never

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from sharing.trust.public_keys import KeyAlgorithm, PublishedKey

_ES256_HEAD: Final = bytes.fromhex("a5010203262001215820")  # {1: 2, 3: -7, -1: 1, -2: x …
_ES256_MIDDLE: Final = bytes.fromhex("225820")  # … -3: y}
_EDDSA_HEAD: Final = bytes.fromhex("a4010103272006215820")  # {1: 1, 3: -8, -1: 6, -2: x}
_COORDINATE_BYTES: Final = 32


class PasskeyAlgorithm(StrEnum):
    """How a passkey signs.

    Attributes:
        ES256: ECDSA with SHA-256 on the curve P-256; COSE algorithm -7.
        EDDSA: Ed25519; COSE algorithm -8.
    """

    ES256 = "ES256"
    EDDSA = "EdDSA"


def encode_es256(x: bytes, y: bytes) -> bytes:
    """Return the COSE form of a point of P-256."""
    return _ES256_HEAD + x + _ES256_MIDDLE + y


def encode_eddsa(x: bytes) -> bytes:
    """Return the COSE form of an Ed25519 key."""
    return _EDDSA_HEAD + x


def check_cose_key(algorithm: PasskeyAlgorithm, key: bytes) -> None:
    """Refuse what is no public key of this algorithm in its one form.

    Raises:
        ValueError: It is not; or it is a point that is not on the curve, or an Ed25519 key under which anybody can
            sign.
    """
    match algorithm:
        case PasskeyAlgorithm.ES256:
            x = key[len(_ES256_HEAD) :][:_COORDINATE_BYTES]
            y = key[-_COORDINATE_BYTES:]
            if key != encode_es256(x, y) or len(x + y) != 2 * _COORDINATE_BYTES:
                raise ValueError("is no ES256 key in the form of COSE")
            EllipticCurvePublicKey.from_encoded_point(SECP256R1(), b"\x04" + x + y)
        case PasskeyAlgorithm.EDDSA:
            x = key[len(_EDDSA_HEAD) :]
            if key != encode_eddsa(x) or len(x) != _COORDINATE_BYTES:
                raise ValueError("is no Ed25519 key in the form of COSE")
            PublishedKey(algorithm=KeyAlgorithm.ED25519, public=x.hex())  # refuses weak keys
        case _:
            assert_never(algorithm)
