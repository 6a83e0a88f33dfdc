"""One private key in one file: encrypted under a passphrase, and readable by its owner only.

State, role and public key stand in clear beside it, and are authenticated: a file that was renamed or moved to another
role does not open. The file is not a PEM file, so that no program takes it for a TLS key.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretBytes, SecretStr, ValidationError

from sharing.errors import InputError
from sharing.keystore.encryption import (
    Ciphertext,
    ScryptParameters,
    decrypt,
    derive_from_passphrase,
    encrypt,
    make_scrypt_parameters,
)
from sharing.keystore.files import PRIVATE_MODE, read_private_file, write_new_file
from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import decode_canonical, encode_canonical
from sharing.trust.documents import StateCode
from sharing.trust.faults import TrustError
from sharing.trust.key_pairs import SEED_BYTES, derive_public_key
from sharing.trust.public_keys import KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.signatures import MemorySigningKey

ROOT_ROLE = "root"
_ROLES = "|".join((ROOT_ROLE, *KeyRole))


class KeyHeader(StrictModel):
    """What stands in clear in the file of a private key.

    Attributes:
        kind: Always `private-key`.
        format: Version of this format.
        state: The State.
        role: `root`, or the role of an online key.
        key: Its public key.
    """

    kind: Literal["private-key"] = "private-key"
    format: Literal[1] = 1
    state: StateCode
    role: Annotated[str, Field(pattern=f"^(?:{_ROLES})$")]
    key: PublishedKey


class _KeyFile(StrictModel):
    header: KeyHeader
    parameters: ScryptParameters
    encrypted: Ciphertext


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key in memory. Its `repr` shows no secret.

    Attributes:
        header: Whose key it is, and what for.
        seed: The private key.
    """

    header: KeyHeader
    seed: SecretBytes

    @property
    def public_key(self) -> PublishedKey:
        """The public key of the pair."""
        return self.header.key

    def to_signing_key(self) -> MemorySigningKey:
        """Return the key as one that signs.

        Raises:
            InputError: It is a seal key.
        """
        if self.public_key.algorithm is not KeyAlgorithm.ED25519:
            raise InputError(f"the {self.header.role} key does not sign")
        return MemorySigningKey(self.seed)


def generate_key(state: str, role: str, algorithm: KeyAlgorithm) -> PrivateKey:
    """Return a new private key from the randomness of the operating system."""
    seed = SecretBytes(secrets.token_bytes(SEED_BYTES[algorithm]))
    return PrivateKey(KeyHeader(state=state, role=role, key=derive_public_key(algorithm, seed)), seed)


def write_private_key(path: Path, key: PrivateKey, passphrase: SecretStr) -> None:
    """Write a private key into a new file.

    Raises:
        InputError: The file exists.
        InfrastructureError: It cannot be written.
    """
    parameters = make_scrypt_parameters()
    authenticated = _authenticate(key.header, parameters)
    encrypted = encrypt(derive_from_passphrase(passphrase, parameters), key.seed, authenticated)
    content = _KeyFile(header=key.header, parameters=parameters, encrypted=encrypted)
    write_new_file(path, encode_canonical(content.model_dump(mode="json")) + b"\n", PRIVATE_MODE)


def read_key_header(path: Path) -> KeyHeader:
    """Return what stands in clear in a private key's file; without the passphrase, nothing proves it.

    Raises:
        InputError: It is not the file of a private key, or other users may access it.
    """
    return _read(path).header


def read_private_key(path: Path, passphrase: SecretStr) -> PrivateKey:
    """Return the private key in a file.

    Raises:
        InputError: It is not the file of a private key, other users may access it, or the passphrase is wrong.
    """
    content = _read(path)
    key = derive_from_passphrase(passphrase, content.parameters)
    seed = decrypt(key, content.encrypted, _authenticate(content.header, content.parameters))
    if seed is None:
        raise InputError(f"{path}: the passphrase is wrong, or the file was altered")
    if derive_public_key(content.header.key.algorithm, seed) != content.header.key:
        raise InputError(f"{path}: the private key does not belong to the public key in the file")
    return PrivateKey(content.header, seed)


def _read(path: Path) -> _KeyFile:
    data = read_private_file(path)
    try:
        decode_canonical(data)
        return _KeyFile.model_validate_json(data)
    except (TrustError, ValidationError):
        raise InputError(f"{path} is not the file of a private key that `sharing keys` has written") from None


def _authenticate(header: KeyHeader, parameters: ScryptParameters) -> bytes:
    return encode_canonical([header.model_dump(mode="json"), parameters.model_dump(mode="json")])
