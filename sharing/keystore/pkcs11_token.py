"""A PKCS#11 token (version 2.40 with the Ed25519 of 3.0), through `python-pkcs11`.

Signing keys are made in the token and never leave it. HPKE keys cannot be used in a token, so an AES key in it encrypts
them (AES-256-GCM), and they are in the memory of the program that uses them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, Final, TypeVar, final

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass, PKCS11Error
from pydantic import SecretBytes, SecretStr

from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.keystore.encryption import Ciphertext
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import is_signature_by
from sharing.trust.verification import shorten

ENCRYPTION_LABEL: Final = "sharing key encryption"
_ED25519_PARAMETERS: Final = bytes.fromhex("06032b6570")  # the object identifier 1.3.101.112 (RFC 8410), in DER
_OCTET_STRING: Final = bytes.fromhex("0420")  # DER, before the 32 bytes of a public key
_PUBLIC_BYTES: Final = 32
_KEY_BITS: Final = 256
_ID_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_TAG_BITS: Final = 128
_PROOF: Final = b"sharing/token-key-proof/v1\x00"
_PROTECTED: Final = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_Result = TypeVar("_Result")


@final
class TokenSigningKey:
    """An Ed25519 key in a token. Its `repr` shows the key's id."""

    __slots__ = ("_public_key", "_sign")

    def __init__(self, public_key: PublishedKey, sign: Callable[[bytes], bytes]) -> None:
        self._public_key = public_key
        self._sign = sign

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature on a message of `build_message`.

        Raises:
            InfrastructureError: The token does not answer.
        """
        return self._sign(message)

    def __repr__(self) -> str:
        return f"TokenSigningKey({self._public_key.key_id[:16]}…)"

    def __reduce__(self) -> str:
        raise TypeError("a private key is never copied or stored by pickle")


@final
class Pkcs11Token:
    """A token with one session. Threads may share it. After a failure, the next use opens a new session."""

    def __init__(self, library: Any, label: str, pin: SecretStr) -> None:
        self._library = library
        self._label = label
        self._pin: SecretStr | None = pin
        self._session: pkcs11.Session | None = None
        self._lock = RLock()

    @property
    def label(self) -> str:
        """Label of the token."""
        return self._label

    def connect(self) -> None:
        """Open a session, if there is none.

        Raises:
            InputError: The PIN is wrong. It is not tried again, because a token locks itself after a few attempts.
            InfrastructureError: There is no such token, or it does not answer.
        """
        self._run(lambda _: None)

    def generate_signing_key(self, purpose: str) -> TokenSigningKey:
        """Return a new Ed25519 key that never leaves the token."""

        def generate(session: pkcs11.Session) -> PublishedKey:
            parameters = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519_PARAMETERS}, local=True
            )
            public, private = parameters.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=purpose, private_template=_PROTECTED
            )
            public_key = _read_public_key(public)
            for item in (public, private):
                item[Attribute.ID] = bytes.fromhex(public_key.key_id)
            return public_key

        return self.find_signing_key(self._run(generate), purpose)

    def find_signing_key(self, public_key: PublishedKey, purpose: str) -> TokenSigningKey:
        """Return a key that is in the token, after verifying that it is the right one.

        Raises:
            InputError: There is none with this public key, for this purpose.
        """
        key_id = public_key.key_id

        def sign(message: bytes) -> bytes:
            return self._run(
                lambda session: bytes(
                    self._find(session, ObjectClass.PRIVATE_KEY, key_id, purpose).sign(
                        message, mechanism=Mechanism.EDDSA
                    )
                )
            )

        if not is_signature_by(public_key, sign(_PROOF), _PROOF):
            raise InputError(f"the token {self._label!r} has another key under the id {shorten(key_id)}")
        return TokenSigningKey(public_key, sign)

    def destroy_signing_key(self, public_key: PublishedKey) -> bool:
        """Destroy a key; return whether it was there."""

        def destroy(session: pkcs11.Session) -> bool:
            wanted = {Attribute.ID: bytes.fromhex(public_key.key_id)}
            found = list(session.get_objects(wanted))
            for item in found:
                item.destroy()
            return bool(found)

        return self._run(destroy)

    def get_encryption_key_id(self) -> str:
        """Return the id of the key that encrypts; it is made if there is none."""

        def find_or_make(session: pkcs11.Session) -> str:
            wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: ENCRYPTION_LABEL}
            ids = sorted(str(key[Attribute.ID].hex()) for key in list(session.get_objects(wanted)))
            if ids:
                return ids[0]
            key_id = os.urandom(_ID_BYTES)
            session.generate_key(
                KeyType.AES, _KEY_BITS, id=key_id, label=ENCRYPTION_LABEL, store=True, template=_PROTECTED
            )
            return key_id.hex()

        return self._run(find_or_make)

    def encrypt(self, key_id: str, secret: SecretBytes, authenticated: bytes) -> Ciphertext:
        """Return a secret, encrypted under a key in the token.

        Raises:
            InputError: The key is not in the token.
        """
        nonce = os.urandom(_NONCE_BYTES)
        how = _describe_gcm(nonce, authenticated)

        def encrypt(session: pkcs11.Session) -> bytes:
            key = self._find(session, ObjectClass.SECRET_KEY, key_id, ENCRYPTION_LABEL)
            return bytes(key.encrypt(secret.get_secret_value(), **how))

        return Ciphertext(nonce=nonce.hex(), ciphertext=self._run(encrypt).hex())

    def decrypt(self, key_id: str, encrypted: Ciphertext, authenticated: bytes) -> SecretBytes | None:
        """Return the secret, or None if something was altered.

        Raises:
            InputError: The key is not in the token.
        """
        how = _describe_gcm(bytes.fromhex(encrypted.nonce), authenticated)

        def decrypt(session: pkcs11.Session) -> SecretBytes | None:
            key = self._find(session, ObjectClass.SECRET_KEY, key_id, ENCRYPTION_LABEL)
            try:
                return SecretBytes(key.decrypt(bytes.fromhex(encrypted.ciphertext), **how))
            except PKCS11Error:  # tokens differ in how they report a wrong tag
                self._find(session, ObjectClass.SECRET_KEY, key_id, ENCRYPTION_LABEL)  # it is still there
                return None

        return self._run(decrypt)

    def __repr__(self) -> str:
        return f"Pkcs11Token({self._label!r})"

    def __reduce__(self) -> str:
        raise TypeError("a token is never copied or stored by pickle")

    def _find(self, session: pkcs11.Session, kind: ObjectClass, key_id: str, label: str) -> Any:
        wanted = {Attribute.CLASS: kind, Attribute.ID: bytes.fromhex(key_id), Attribute.LABEL: label}
        found = list(session.get_objects(wanted))
        if len(found) != 1:
            raise InputError(f"the token {self._label!r} has no key {shorten(key_id)} for {label!r}")
        return found[0]

    def _run(self, operation: Callable[[pkcs11.Session], _Result]) -> _Result:
        """Run an operation, one thread at a time, and return its result; after a failure, retry in a new session."""
        with self._lock:
            if self._session is not None:
                with suppress(PKCS11Error, InputError):  # the token may have been taken out and put back
                    return operation(self._session)
            self._session = None
            self._session = self._open_session()
            try:
                return operation(self._session)
            except PKCS11Error as error:
                self._session = None
                raise self._make_error(error) from None

    def _make_error(self, error: PKCS11Error) -> InfrastructureError:
        return InfrastructureError(
            f"the token {self._label!r} does not answer ({type(error).__name__}): put it back if it was removed, and "
            "run this again"
        )

    def _open_session(self) -> pkcs11.Session:
        if self._pin is None:
            raise InputError(f"the token {self._label!r} has refused the PIN; correct the file, and start again")
        with suppress(pkcs11.PKCS11Error):
            self._library.reinitialize()  # finds tokens that were inserted since
        try:
            token = self._library.get_token(token_label=self._label)
        except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned) as error:
            how_many = "no" if isinstance(error, pkcs11.NoSuchToken) else "more than one"
            raise InfrastructureError(
                f"there is {how_many} token with the label {self._label!r}: insert it, or correct SHARING_KEY_TOKEN"
            ) from None
        try:
            session: pkcs11.Session = token.open(rw=True, user_pin=self._pin.get_secret_value())
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
            self._pin = None
            raise InputError(f"the PIN of the token {self._label!r} is wrong; after a few attempts it locks") from None
        except pkcs11.PinLocked:
            self._pin = None
            raise InputError(f"the token {self._label!r} is locked after wrong PINs; its officer unlocks it") from None
        except PKCS11Error as error:
            raise self._make_error(error) from None
        return session


def load_module(path: Path) -> Any:
    """Return the module that communicates with tokens.

    Raises:
        SettingsError: It does not exist, or is not such a module.
    """
    if not path.is_file():
        raise SettingsError(f"the PKCS#11 module {path} is not there; install it, or correct module-path")
    try:
        return pkcs11.lib(str(path))
    except PKCS11Error:
        raise SettingsError(f"{path} is not a PKCS#11 module") from None


def _describe_gcm(nonce: bytes, authenticated: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(nonce, authenticated, _TAG_BITS)}


def _read_public_key(public: Any) -> PublishedKey:
    """Return the public key of an object in a token: 32 bytes, in DER or as they are."""
    point = bytes(public[Attribute.EC_POINT])
    if len(point) == len(_OCTET_STRING) + _PUBLIC_BYTES:
        point = point.removeprefix(_OCTET_STRING)
    return PublishedKey(algorithm=KeyAlgorithm.ED25519, public=point.hex())
