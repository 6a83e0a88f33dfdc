"""COSE_Sign1 (RFC 9052): how an exported file is signed by an online key of a State, with the library `cwt`.

Kind of the object and State are authenticated as external data, in the form in which every signature of this project
begins (`sharing.trust.signatures.build_message`). So a signature on one kind of file is never valid for another, nor
for another State. It is never valid for an object of the bus either, because a COSE signature begins with CBOR.

A reader accepts only the canonical form that `sign_file` writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from cwt import COSE, COSEKey
from cwt.cose_key_interface import COSEKeyInterface

from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import SIGNATURE_BYTES, ObjectKind, SigningKey, build_message

CONTENT_TYPE: Final = "application/cbor"

_SIGN1_TAG: Final = 18
_ALGORITHM, _CONTENT_TYPE, _KEY_ID = 1, 3, 4
_EDDSA: Final = -8
_OKP, _ED25519 = 1, 6
_KEY_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class CoseFile:
    """A signed file as it was read. Nothing in it is verified.

    Attributes:
        key_id: Id of the key that claims to have signed it.
        protected: Bytes of the protected header.
        payload: What was signed.
        signature: The signature.
    """

    key_id: str
    protected: bytes
    payload: bytes = field(repr=False)
    signature: bytes

    def build_signed_bytes(self, kind: ObjectKind, state: str) -> bytes:
        """Return the bytes that were signed: the Sig_structure of RFC 9052, section 4.4."""
        return cbor2.dumps(["Signature1", self.protected, _build_external(kind, state), self.payload])


class _SigningCoseKey(COSEKeyInterface):
    """An online key as `cwt` uses it. It may be in a token, so it is never converted."""

    def __init__(self, key: SigningKey) -> None:
        super().__init__({1: _OKP, 2: bytes.fromhex(key.public_key.key_id), 3: _EDDSA})
        self._signing_key = key

    def sign(self, msg: bytes) -> bytes:
        return self._signing_key.sign(msg)


def sign_file(kind: ObjectKind, state: str, payload: bytes, key: SigningKey) -> bytes:
    """Return a signed file.

    Args:
        kind: Kind of the object.
        state: The State that signs.
        payload: What is signed.
        key: Its online key for the role that signs such objects.
    """
    encoded: Any = _make_cose().encode_and_sign(
        payload,
        _SigningCoseKey(key),
        protected=_make_header(bytes.fromhex(key.public_key.key_id)),
        external_aad=_build_external(kind, state),
    )
    return bytes(encoded)


def read_file(data: bytes) -> CoseFile:
    """Return a signed file, which is not verified.

    Raises:
        TrustError: It is something else, or signed by an unknown algorithm.
    """
    try:
        message: Any = cbor2.loads(data)
        protected, unprotected, payload, signature = message.value
        header: Any = cbor2.loads(protected)
        key_id = header.get(_KEY_ID)
        is_exact = (
            message.tag == _SIGN1_TAG
            and unprotected == {}
            and all(isinstance(part, bytes) for part in (protected, payload, signature, key_id))
            and len(key_id) == _KEY_ID_BYTES
            and header.keys() == _make_header(key_id).keys()
            and cbor2.dumps(header) == protected
            and cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, [protected, {}, payload, signature])) == data
        )
    except Exception:  # noqa: BLE001 the decoder raises many kinds on malformed bytes
        is_exact = False
    if not is_exact:
        raise TrustError(TrustFault.MALFORMED, "is not a file that `sharing audit prove` has written")
    if header[_ALGORITHM] != _EDDSA or header[_CONTENT_TYPE] != CONTENT_TYPE:
        raise TrustError(TrustFault.UNKNOWN_ALGORITHM, "is signed by an algorithm, or has a content, that is not known")
    return CoseFile(key_id.hex(), protected, payload, signature)


def verify_file(data: bytes, file: CoseFile, kind: ObjectKind, state: str, key: PublishedKey) -> None:
    """Refuse a file that a key has not signed.

    Args:
        data: The file.
        file: What `read_file` returned for it.
        kind: Kind of the object.
        state: The State that claims to have signed.
        key: Its key with the id that the file names.

    Raises:
        TrustError: The signature is not valid.
    """
    public = {1: _OKP, 2: bytes.fromhex(key.key_id), 3: _EDDSA, -1: _ED25519, -2: bytes.fromhex(key.public)}
    try:
        if key.algorithm is not KeyAlgorithm.ED25519 or len(file.signature) != SIGNATURE_BYTES:
            raise ValueError
        _make_cose().decode(data, COSEKey.new(public), external_aad=_build_external(kind, state))
    except Exception:  # noqa: BLE001 the library raises many kinds
        raise TrustError(TrustFault.BAD_SIGNATURE, f"{state}: the signature on this {kind} is not valid") from None


def _make_cose() -> COSE:
    cose: COSE = COSE.new(alg_auto_inclusion=False, kid_auto_inclusion=False, deterministic_header=True)
    return cose


def _make_header(key_id: bytes) -> dict[int, Any]:
    return {_ALGORITHM: _EDDSA, _CONTENT_TYPE: CONTENT_TYPE, _KEY_ID: key_id}


def _build_external(kind: ObjectKind, state: str) -> bytes:
    return build_message(kind, state, b"")
