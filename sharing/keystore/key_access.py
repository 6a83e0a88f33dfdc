"""What opens and makes the private keys of a folder: their passphrase, a token, or both.

A token keeps signing keys and never releases them. HPKE cannot be used inside a token, so seal keys and wrapping keys
are in files, encrypted under a key that is in the token. With a token and a passphrase, new keys go to the token, and
older keys are still opened with the passphrase.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretBytes, SecretStr

from sharing.errors import InputError
from sharing.keystore.encryption import Ciphertext
from sharing.keystore.private_key import KeyHeader, PrivateKey, generate_key, require_seed
from sharing.keystore.private_key_file import (
    KeyFile,
    TokenPlace,
    authenticate,
    encrypt_key,
    read_key_file,
    read_private_key,
)
from sharing.trust.public_keys import KeyAlgorithm, KeyId, PublishedKey
from sharing.trust.signatures import SigningKey


class Token(Protocol):
    """A token, such as a smart card or a hardware security module, that keeps private keys."""

    @property
    def label(self) -> str:
        """Label of the token."""
        ...

    def generate_signing_key(self, purpose: str) -> SigningKey:
        """Return a new Ed25519 key that never leaves the token.

        Args:
            purpose: State and role. The token stores it with the key, and the key can be opened only for this purpose.

        Raises:
            InfrastructureError: The token refuses or fails.
        """
        ...

    def find_signing_key(self, public_key: PublishedKey, purpose: str) -> SigningKey:
        """Return a key that is in the token.

        Raises:
            InputError: There is none with this public key, for this purpose.
            InfrastructureError: The token does not answer.
        """
        ...

    def destroy_signing_key(self, public_key: PublishedKey) -> bool:
        """Destroy a key; return whether it was there.

        Raises:
            InfrastructureError: The token does not answer.
        """
        ...

    def get_encryption_key_id(self) -> str:
        """Return the id of the key that encrypts, in hexadecimal digits; it is made if there is none.

        Raises:
            InfrastructureError: The token does not answer.
        """
        ...

    def encrypt(self, key_id: str, secret: SecretBytes, authenticated: bytes) -> Ciphertext:
        """Return a secret, encrypted under a key in the token (AES-256-GCM).

        Raises:
            InputError: The key is not in the token.
            InfrastructureError: The token does not answer.
        """
        ...

    def decrypt(self, key_id: str, encrypted: Ciphertext, authenticated: bytes) -> SecretBytes | None:
        """Return the secret, or None if something was altered.

        Raises:
            InputError: The key is not in the token.
            InfrastructureError: The token does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A signing key in a token.

    Attributes:
        header: Whose key it is, and its purpose.
        signing_key: What signs.
    """

    header: KeyHeader
    signing_key: SigningKey

    @property
    def key_id(self) -> KeyId:
        """Id of the key."""
        return self.header.key.key_id

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        return self.signing_key.public_key

    def to_signing_key(self) -> SigningKey:
        """Return the key as one that signs."""
        return self.signing_key


OpenKey = PrivateKey | TokenKey


@dataclass(frozen=True, slots=True)
class KeyAccess:
    """What opens the private keys of a folder, and protects new ones. Its `repr` shows no secret.

    Attributes:
        passphrase: The passphrase of keys in files, if there are any.
        token: The token, if one is used. It then keeps every new key.
    """

    passphrase: SecretStr | None = None
    token: Token | None = None

    def make_key(self, state: str, role: str, algorithm: KeyAlgorithm) -> KeyFile:
        """Return the file of a new key. The token keeps a new signing key even if the file is never written.

        Raises:
            InputError: There is neither passphrase nor token.
            InfrastructureError: The token does not answer.
        """
        if self.token is not None and algorithm is KeyAlgorithm.ED25519:
            public_key = self.token.generate_signing_key(_name_purpose(state, role)).public_key
            header = KeyHeader(state=state, role=role, key=public_key)
            return KeyFile(header=header, token=TokenPlace(label=self.token.label, key=public_key.key_id))
        return self.protect(generate_key(state, role, algorithm))

    def protect(self, key: PrivateKey) -> KeyFile:
        """Return the file of a private key that is in memory.

        Raises:
            InputError: There is neither passphrase nor token.
            InfrastructureError: The token does not answer.
        """
        if self.token is not None:
            place = TokenPlace(label=self.token.label, key=self.token.get_encryption_key_id())
            encrypted = self.token.encrypt(place.key, key.seed, authenticate(key.header, place))
            return KeyFile(header=key.header, token=place, encrypted=encrypted)
        if self.passphrase is None:
            raise InputError("private keys need a passphrase or a token; set SHARING_KEY_PASSPHRASE_FILE")
        return encrypt_key(key, self.passphrase)

    def read_key(self, path: Path) -> OpenKey:
        """Return the private key in a file, or the one in the token that the file names.

        Raises:
            InputError: It is not the file of a private key, other users may access it, the passphrase is wrong or
                missing, or the key is in another token.
            InfrastructureError: The token does not answer.
        """
        content = read_key_file(path)
        if content.token is None:
            if self.passphrase is None:
                beside = "" if self.token is None else ", in addition to the token"
                raise InputError(
                    f"{path} is encrypted with a passphrase: set SHARING_KEY_PASSPHRASE_FILE, or give "
                    f"--passphrase-file{beside}"
                )
            return read_private_key(path, self.passphrase)
        if self.token is None:
            raise InputError(
                f"{path}: the token {content.token.label!r} has this private key; set SHARING_KEY_TOKEN, or give "
                "--token"
            )
        if self.token.label != content.token.label:
            raise InputError(
                f"{path}: the token {content.token.label!r} has this private key, and {self.token.label!r} is set"
            )
        return _read_from_token(path, content, content.token, self.token)


def require_seed_key(key: OpenKey) -> PrivateKey:
    """Return a key whose seed is known: one that is in a file.

    Raises:
        InputError: A token has it and does not release it.
    """
    if isinstance(key, TokenKey):
        raise InputError(f"the {key.header.role} key is in a token, and cannot be read")
    return key


def _read_from_token(path: Path, content: KeyFile, place: TokenPlace, token: Token) -> OpenKey:
    header = content.header
    if content.encrypted is None:
        if not isinstance(header.key, PublishedKey):
            raise InputError(f"{path} is not the file of a private key that `sharing keys` has written")
        return TokenKey(header, token.find_signing_key(header.key, _name_purpose(header.state, header.role)))
    seed = token.decrypt(place.key, content.encrypted, authenticate(header, place))
    if seed is None:
        raise InputError(f"{path} was altered, or another token with this label encrypted it")
    return require_seed(header, seed, str(path))


def _name_purpose(state: str, role: str) -> str:
    return f"sharing {state} {role}"
