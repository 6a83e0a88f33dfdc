"""Encrypts secrets under a passphrase (scrypt) or a random secret (HKDF), with AES-256-GCM.

`cryptography` writes PKCS#8 with 2,048 rounds of PBKDF2, which cannot be raised, and reads but does not write PKCS#8
with scrypt. Guessing a passphrase would cost an attacker next to nothing, so the container is defined here.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field, SecretBytes, SecretStr

from sharing.errors import InfrastructureError, InputError
from sharing.model.strict_model import StrictModel

PASSPHRASE_CHARACTERS_MIN = 12
SCRYPT_LOG_N = 17
"""2^17 rounds of 8 blocks: 128 MiB and a third of a second for each guess."""

_SCRYPT_LOG_N_MAX = 18
_NONCE_BYTES = 12
_KEY_BYTES = 32


class ScryptParameters(StrictModel):
    """How a key is derived from a passphrase (RFC 7914).

    Attributes:
        kdf: Always `scrypt`.
        log_n: Binary logarithm of the cost. A reader refuses more than 18, which takes 256 MiB.
        r: Block size.
        p: Parallelism.
        salt: Random bytes, in hexadecimal digits.
    """

    kdf: Literal["scrypt"] = "scrypt"
    log_n: Annotated[int, Field(ge=10, le=_SCRYPT_LOG_N_MAX)]
    r: Literal[8] = 8
    p: Literal[1] = 1
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Ciphertext(StrictModel):
    """An encrypted secret.

    Attributes:
        cipher: Always AES-256-GCM.
        nonce: Its nonce, in hexadecimal digits. Each key encrypts once.
        ciphertext: The secret and the tag, in hexadecimal digits.
    """

    cipher: Literal["aes-256-gcm"] = "aes-256-gcm"
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    ciphertext: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})+$")]


def make_scrypt_parameters(log_n: int | None = None) -> ScryptParameters:
    """Return the parameters for a new file, with a new salt.

    Args:
        log_n: Binary logarithm of the cost, if the passphrase is random and needs none. Default: `SCRYPT_LOG_N`.
    """
    return ScryptParameters(log_n=SCRYPT_LOG_N if log_n is None else log_n, salt=secrets.token_hex(16))


def normalise_passphrase(text: str) -> SecretStr:
    """Return a passphrase in normalized form, no matter which keyboard it was typed on.

    Raises:
        InputError: It is too short to protect a key.
    """
    normalised = unicodedata.normalize("NFC", text)
    if len(normalised) < PASSPHRASE_CHARACTERS_MIN:
        raise InputError(f"a passphrase has at least {PASSPHRASE_CHARACTERS_MIN} characters")
    return SecretStr(normalised)


def derive_from_passphrase(passphrase: SecretStr, parameters: ScryptParameters) -> SecretBytes:
    """Return the key that a passphrase gives.

    Raises:
        InfrastructureError: There is not enough memory.
    """
    kdf = Scrypt(
        salt=bytes.fromhex(parameters.salt),
        length=_KEY_BYTES,
        n=1 << parameters.log_n,
        r=parameters.r,
        p=parameters.p,
    )
    try:
        return SecretBytes(kdf.derive(passphrase.get_secret_value().encode()))
    except MemoryError:
        needed = (128 * parameters.r << parameters.log_n) // 2**20
        raise InfrastructureError(f"to open or write a private key takes {needed} MiB of memory") from None


def derive_from_secret(secret: SecretBytes, salt: bytes, purpose: bytes) -> SecretBytes:
    """Return the key that a random secret gives for one purpose."""
    return SecretBytes(HKDF(SHA256(), _KEY_BYTES, salt, purpose).derive(secret.get_secret_value()))


def encrypt(key: SecretBytes, plaintext: SecretBytes, header: bytes) -> Ciphertext:
    """Return a secret, encrypted under a key that encrypts nothing else.

    Args:
        key: The key.
        plaintext: The secret.
        header: The unencrypted part of the file. If it is altered, the secret cannot be decrypted.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    ciphertext = AESGCM(key.get_secret_value()).encrypt(nonce, plaintext.get_secret_value(), header)
    return Ciphertext(nonce=nonce.hex(), ciphertext=ciphertext.hex())


def decrypt(key: SecretBytes, encrypted: Ciphertext, header: bytes) -> SecretBytes | None:
    """Return the secret, or None if the key is wrong or something was altered."""
    try:
        plaintext = AESGCM(key.get_secret_value()).decrypt(
            bytes.fromhex(encrypted.nonce), bytes.fromhex(encrypted.ciphertext), header
        )
    except InvalidTag:
        return None
    return SecretBytes(plaintext)
