"""One private key in one file, which only its owner can read: encrypted under a passphrase, or kept by a token.

State, role and the name of the key are not encrypted, but authenticated: a file that was renamed or moved to
another role does not open. The file is not a PEM file, so that no program mistakes it for a TLS key. A token keeps a
signing key itself, and the file only says where; other keys are in the file, encrypted with a key in the token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, model_validator

from sharing.errors import InputError
from sharing.keystore.encryption import (
    Ciphertext,
    ScryptParameters,
    decrypt,
    derive_from_passphrase,
    encrypt,
    make_scrypt_parameters,
)
from sharing.keystore.files import PRIVATE_MODE, read_private_file, replace_file, write_new_file
from sharing.keystore.private_key import KeyHeader, PrivateKey, require_seed
from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import decode_canonical, encode_canonical
from sharing.trust.faults import TrustError
from sharing.trust.public_keys import PublishedKey


class TokenPlace(StrictModel):
    """The location of a key in a token.

    Attributes:
        label: Label of the token.
        key: Id of the key in it, in hexadecimal digits: of the signing key, or of the key that encrypts.
    """

    label: Annotated[str, Field(min_length=1, max_length=32)]
    key: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2}){1,32}$")]


class KeyFile(StrictModel):
    """The content of a private key's file.

    Attributes:
        header: Whose key it is, and its purpose.
        parameters: How the encryption key is derived from the passphrase; or None.
        token: The token that has the key, or the key that encrypts; or None.
        encrypted: The seed; None if the token has the key.
    """

    header: KeyHeader
    parameters: ScryptParameters | None = None
    token: TokenPlace | None = None
    encrypted: Ciphertext | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.parameters is None) == (self.token is None):
            raise ValueError("a private key is either encrypted with a passphrase or kept by a token")
        if self.encrypted is None and self.token is None:
            raise ValueError("there is no private key in it")
        return self


def write_private_key(path: Path, key: PrivateKey, passphrase: SecretStr) -> None:
    """Write a private key into a new file, encrypted under a passphrase.

    Raises:
        InputError: The file exists.
        InfrastructureError: It cannot be written.
    """
    write_key_file(path, encrypt_key(key, passphrase))


def replace_passphrase(path: Path, before: SecretStr, after: SecretStr) -> None:
    """Write a private key's file again, encrypted under another passphrase.

    Raises:
        InputError: As `read_private_key`.
        InfrastructureError: It cannot be written.
    """
    content = encrypt_key(read_private_key(path, before), after)
    replace_file(path, _to_bytes(content), PRIVATE_MODE)


def write_key_file(path: Path, content: KeyFile) -> None:
    """Write a new file of a private key.

    Raises:
        InputError: The file exists.
        InfrastructureError: It cannot be written.
    """
    write_new_file(path, _to_bytes(content), PRIVATE_MODE)


def read_key_header(path: Path) -> KeyHeader:
    """Return the unencrypted part of a private key's file; without the passphrase, it is unverified.

    Raises:
        InputError: It is not the file of a private key, or other users may access it.
    """
    return read_key_file(path).header


def read_private_key(path: Path, passphrase: SecretStr) -> PrivateKey:
    """Return the private key in a file.

    Raises:
        InputError: It is not the file of a private key, other users may access it, the passphrase is wrong, or a token
            has the key.
    """
    content = read_key_file(path)
    if content.parameters is None or content.encrypted is None:
        raise InputError(f"{path}: a token has this private key; name it by --token, or set SHARING_KEY_TOKEN")
    key = derive_from_passphrase(passphrase, content.parameters)
    seed = decrypt(key, content.encrypted, authenticate(content.header, content.parameters))
    if seed is None:
        raise InputError(f"{path}: the passphrase is wrong, or the file was altered")
    return require_seed(content.header, seed, str(path))


def read_key_file(path: Path) -> KeyFile:
    """Return what is in the file of a private key. It is not verified yet.

    Raises:
        InputError: It is not the file of a private key, or other users may access it.
    """
    data = read_private_file(path)
    try:
        decode_canonical(data)
        return KeyFile.model_validate_json(data)
    except (TrustError, ValidationError):
        raise InputError(f"{path} is not the file of a private key that `sharing keys` has written") from None


def authenticate(header: KeyHeader, how: ScryptParameters | TokenPlace) -> bytes:
    """Return what an encrypted seed is bound to: the unencrypted part of the file."""
    return encode_canonical([header.model_dump(mode="json"), how.model_dump(mode="json")])


def get_public_key(content: KeyFile) -> PublishedKey:
    """Return the public key of a private key.

    Raises:
        InputError: It is a wrapping key, which has none.
    """
    if not isinstance(content.header.key, PublishedKey):
        raise InputError("a wrapping key has no public key")
    return content.header.key


def encrypt_key(key: PrivateKey, passphrase: SecretStr, log_n: int | None = None) -> KeyFile:
    """Return the file of a private key, encrypted under a passphrase.

    Args:
        key: The key.
        passphrase: The passphrase.
        log_n: As in `make_scrypt_parameters`.

    Raises:
        InfrastructureError: There is not enough memory.
    """
    parameters = make_scrypt_parameters(log_n)
    authenticated = authenticate(key.header, parameters)
    encrypted = encrypt(derive_from_passphrase(passphrase, parameters), key.seed, authenticated)
    return KeyFile(header=key.header, parameters=parameters, encrypted=encrypted)


def _to_bytes(content: KeyFile) -> bytes:
    return encode_canonical(content.model_dump(mode="json", exclude_none=True)) + b"\n"
