"""An authenticator in software, for tests without a browser: it makes passkeys and signs with them.

It is honest unless it is told otherwise: each part of what it says can be replaced, and is then signed as it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sharing.passkeys.assertion import Assertion
from sharing.passkeys.browser_json import encode_base64url
from sharing.passkeys.cose_key import PasskeyAlgorithm, encode_eddsa, encode_es256
from sharing.passkeys.passkey import Passkey
from sharing.passkeys.registration import Registration

ORIGIN = "https://desk.example"

PRESENT, VERIFIED, ATTESTED, EXTENDED = 0x01, 0x04, 0x40, 0x80

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_RS256 = -257
_TOLD = ("flags", "counter", "rp_id", "tail")


def _make_seed(name: str) -> bytes:
    return hashlib.sha256(f"soft authenticator {name}".encode()).digest()


@dataclass
class SoftAuthenticator:
    """A device with one credential for one desk. The same name gives the same key: tests need no randomness.

    Attributes:
        name: What tells it from others.
        algorithm: How it signs.
        origin: The desk.
        counter: How often it has signed; 0 stays 0, as of passkeys that are synchronised.
    """

    name: str = "phone"
    algorithm: PasskeyAlgorithm = PasskeyAlgorithm.ES256
    origin: str = ORIGIN
    counter: int = 0
    _key: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seed = _make_seed(f"{self.algorithm} {self.name}")
        if self.algorithm is PasskeyAlgorithm.EDDSA:
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
        else:
            number = int.from_bytes(seed, "big") % (_P256_ORDER - 1) + 1
            self._key = ec.derive_private_key(number, ec.SECP256R1())

    @property
    def credential_id(self) -> bytes:
        """The id of its credential."""
        return _make_seed(f"credential {self.algorithm} {self.name}")

    @property
    def rp_id(self) -> str:
        """The host name of the desk."""
        return self.origin.removeprefix("https://").split(":")[0]

    @property
    def public_key(self) -> bytes:
        """The public key, COSE."""
        if self.algorithm is PasskeyAlgorithm.EDDSA:
            return encode_eddsa(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return encode_es256(point[1:33], point[33:])

    @property
    def passkey(self) -> Passkey:
        """The passkey, as the register keeps it."""
        return Passkey(
            credential_id=self.credential_id.hex(),
            algorithm=self.algorithm,
            public_key=self.public_key.hex(),
            rp_id=self.rp_id,
            origin=self.origin,
        )

    def sign(self, challenge: bytes, /, **changes: Any) -> Assertion:
        """Return an assertion.

        Args:
            challenge: What the page asks to sign.
            **changes: What it says instead: `flags` (int), `counter` (int), `rp_id`, `tail` (bytes after the data);
                fields of the client data (`type`, `origin`, `crossOrigin`, …; None leaves one out).
        """
        self.counter += 1 if self.counter else 0
        told: dict[str, Any] = {name: changes.pop(name) for name in _TOLD if name in changes}
        client_data = self._make_client_data({"type": "webauthn.get", "challenge": challenge}, changes)
        data = self._make_head(PRESENT | VERIFIED, told) + told.get("tail", b"")
        signature = self._sign(data + hashlib.sha256(client_data).digest())
        return Assertion(self.credential_id, data, client_data, signature)

    def register(self, challenge: bytes, /, *, fmt: str = "none", **changes: Any) -> Registration:
        """Return the registration of its credential, with the same changes as `sign`, and `public_key` (COSE).

        `fmt="packed"` is an attestation by the new key itself.
        """
        told: dict[str, Any] = {name: changes.pop(name) for name in (*_TOLD, "public_key") if name in changes}
        client_data = self._make_client_data({"type": "webauthn.create", "challenge": challenge}, changes)
        credential = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._make_head(PRESENT | VERIFIED | ATTESTED, told)
        data += credential + told.get("public_key", self.public_key) + told.get("tail", b"")
        statement: dict[str, Any] = {}
        if fmt == "packed":
            number = -8 if self.algorithm is PasskeyAlgorithm.EDDSA else -7
            statement = {"alg": number, "sig": self._sign(data + hashlib.sha256(client_data).digest())}
        attestation = cbor2.dumps({"fmt": fmt, "attStmt": statement, "authData": data})
        return Registration(self.credential_id, client_data, attestation)

    def _make_client_data(self, fields: dict[str, Any], changes: dict[str, Any]) -> bytes:
        said = {**fields, "origin": self.origin, "crossOrigin": False, **changes}
        if isinstance(said["challenge"], bytes):
            said["challenge"] = encode_base64url(said["challenge"])
        return json.dumps({name: value for name, value in said.items() if value is not None}).encode()

    def _make_head(self, flags: int, told: dict[str, Any]) -> bytes:
        rp_id_hash = hashlib.sha256(str(told.get("rp_id", self.rp_id)).encode()).digest()
        counter = int(told.get("counter", self.counter))
        return rp_id_hash + bytes([told.get("flags", flags)]) + counter.to_bytes(4, "big")

    def _sign(self, message: bytes) -> bytes:
        if self.algorithm is PasskeyAlgorithm.EDDSA:
            return bytes(self._key.sign(message))
        return bytes(self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))


def to_browser_json(answer: Assertion | Registration) -> dict[str, Any]:
    """Return an answer as `PublicKeyCredential.toJSON()` gives it to a page."""
    identity = encode_base64url(answer.credential_id)
    response = {"clientDataJSON": encode_base64url(answer.client_data)}
    if isinstance(answer, Assertion):
        response["authenticatorData"] = encode_base64url(answer.authenticator_data)
        response["signature"] = encode_base64url(answer.signature)
    else:
        response["attestationObject"] = encode_base64url(answer.attestation_object)
    return {
        "id": identity,
        "rawId": identity,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }


def make_rsa_key() -> tuple[rsa.RSAPrivateKey, bytes]:
    """Return an RSA key, and its public key as COSE: an algorithm (RS256) that no desk accepts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes(256, "big")
    return key, cbor2.dumps({1: 3, 3: _RS256, -1: modulus, -2: numbers.e.to_bytes(3, "big")})


def sign_rs256(key: rsa.RSAPrivateKey, assertion: Assertion) -> Assertion:
    """Return an assertion with a signature of RS256 in the place of its own."""
    message = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    signature = key.sign(message, PKCS1v15(), SHA256())
    return Assertion(assertion.credential_id, assertion.authenticator_data, assertion.client_data, signature)
