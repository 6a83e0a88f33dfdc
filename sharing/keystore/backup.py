"""A backup of private keys that any m of n custodians can open together.

The keys are encrypted under a random secret, and the secret is split by Shamir's scheme, as PyCryptodome implements it:
each custodian gets one share, and fewer than m shares say nothing about the secret. Shamir's scheme does not notice a
wrong share; the encryption does, because it is authenticated.

A backup defeats deletion: as long as m shares exist, what was sealed to these keys can be opened.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from Crypto.Protocol.SecretSharing import Shamir
from pydantic import Field, SecretBytes, ValidationError

from sharing.errors import InputError
from sharing.keystore.encryption import Ciphertext, decrypt, derive_from_secret, encrypt
from sharing.keystore.files import PRIVATE_MODE, PUBLIC_MODE, read_file, read_private_file, write_new_file
from sharing.keystore.private_key import KeyHeader, PrivateKey, count_seed_bytes, require_seed
from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import decode_canonical, encode_canonical
from sharing.trust.documents import StateCode
from sharing.trust.faults import TrustError

SHARES_MAX: Final = 16
KEYS_MAX: Final = 256
_BACKUP_BYTES_MAX: Final = 1_000_000  # what `read_file` reads; 256 hybrid keys take 700,000
_SECRET_BYTES: Final = 16  # the scheme's field; 128 bits, as strong as the keys themselves
_PURPOSE: Final = b"sharing/key-backup/v1"
_Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class BackupHeader(StrictModel):
    """What is unencrypted in a backup.

    Attributes:
        kind: Always `key-backup`.
        format: Version of this format.
        state: The State.
        id: Random; its shares name it.
        threshold: How many shares open it.
        shares: How many there are.
        keys: The keys in it.
    """

    kind: Literal["key-backup"] = "key-backup"
    format: Literal[1] = 1
    state: StateCode
    id: _Hex16
    threshold: Annotated[int, Field(ge=2, le=SHARES_MAX)]
    shares: Annotated[int, Field(ge=2, le=SHARES_MAX)]
    keys: Annotated[tuple[KeyHeader, ...], Field(min_length=1, max_length=KEYS_MAX)]


class Backup(StrictModel):
    """A backup: the header, and the seeds of its keys one after the other, encrypted."""

    header: BackupHeader
    encrypted: Ciphertext


class BackupShare(StrictModel):
    """One custodian's share, which is secret.

    Attributes:
        kind: Always `key-backup-share`.
        format: Version of this format.
        backup: Id of the backup.
        number: Number of the share, from 1.
        share: The share, in hexadecimal digits.
        check: First digits of the SHA-256 of backup, number and share: finds a mistyped digit, and which share has it.
    """

    kind: Literal["key-backup-share"] = "key-backup-share"
    format: Literal[1] = 1
    backup: _Hex16
    number: Annotated[int, Field(ge=1, le=SHARES_MAX)]
    share: Annotated[_Hex16, Field(repr=False)]
    check: str


def make_backup(state: str, keys: Sequence[PrivateKey], threshold: int, count: int) -> tuple[Backup, list[BackupShare]]:
    """Return a backup of private keys, and the shares that open it.

    Raises:
        InputError: The threshold is below 2 or above the number of shares, or there are too many shares or keys.
    """
    if not 2 <= threshold <= count <= SHARES_MAX:  # noqa: PLR2004 one share alone must not open it
        raise InputError(f"a backup has 2 to {SHARES_MAX} shares, and a threshold from 2 to their number")
    if len(keys) > KEYS_MAX:
        raise InputError(f"a backup holds {KEYS_MAX} keys, and there are {len(keys)}; destroy those that have ended")
    secret = SecretBytes(secrets.token_bytes(_SECRET_BYTES))
    header = BackupHeader(
        state=state, id=secrets.token_hex(16), threshold=threshold, shares=count, keys=tuple(key.header for key in keys)
    )
    seeds = SecretBytes(b"".join(key.seed.get_secret_value() for key in keys))
    backup = Backup(header=header, encrypted=encrypt(_derive_key(secret, header), seeds, _to_bytes(header)))
    split = Shamir.split(threshold, count, secret.get_secret_value())
    return backup, [_make_share(header.id, number, share) for number, share in split]


def open_backup(backup: Backup, shares: Sequence[BackupShare]) -> list[PrivateKey]:
    """Return the private keys of a backup.

    Raises:
        InputError: There are too few different shares, one belongs to another backup, or one is wrong.
    """
    header = backup.header
    if any(share.backup != header.id for share in shares):
        raise InputError("a share is of another backup")
    by_number = {share.number: bytes.fromhex(share.share) for share in shares}
    if len(by_number) < header.threshold:
        raise InputError(
            f"different shares that open this backup: {header.threshold}; given: {len(by_number)}; repeat --share"
        )
    chosen = sorted(by_number.items())[: header.threshold]
    secret = SecretBytes(Shamir.combine(chosen))
    seeds = decrypt(_derive_key(secret, header), backup.encrypted, _to_bytes(header))
    if seeds is None:
        raise InputError("these shares do not open the backup: one of them is wrong, or the backup was altered")
    return _split_seeds(header, seeds)


def write_backup(path: Path, backup: Backup) -> None:
    """Write a backup into a new file. Without shares it is of no use to anyone.

    Raises:
        InputError: The file exists.
        InfrastructureError: It cannot be written.
    """
    write_new_file(path, _to_bytes(backup) + b"\n", PUBLIC_MODE)


def write_share(path: Path, share: BackupShare) -> None:
    """Write a share into a new file that only its owner can read.

    Raises:
        InputError: The file exists.
        InfrastructureError: It cannot be written.
    """
    write_new_file(path, _to_bytes(share) + b"\n", PRIVATE_MODE)


def read_backup(path: Path) -> Backup:
    """Return a backup, still encrypted.

    Raises:
        InputError: The file is not a backup.
    """
    data = read_file(path)
    try:
        decode_canonical(data, bytes_max=_BACKUP_BYTES_MAX)
        return Backup.model_validate_json(data)
    except (TrustError, ValidationError):
        raise InputError(f"{path} is not a backup that `sharing keys backup` has written") from None


def read_share(path: Path) -> BackupShare:
    """Return a share.

    Raises:
        InputError: The file is not a share, other users may access it, or a digit is wrong.
    """
    data = read_private_file(path)
    try:
        decode_canonical(data)
        share = BackupShare.model_validate_json(data)
    except (TrustError, ValidationError):
        raise InputError(f"{path} is not a share that `sharing keys backup` has written") from None
    if share.check != _compute_check(share.backup, share.number, share.share):
        raise InputError(f"{path}: a digit of this share is wrong")
    return share


def _split_seeds(header: BackupHeader, seeds: SecretBytes) -> list[PrivateKey]:
    data, keys = seeds.get_secret_value(), []
    for key_header in header.keys:
        length = count_seed_bytes(key_header)
        seed, data = SecretBytes(data[:length]), data[length:]
        keys.append(require_seed(key_header, seed, "the backup"))
    return keys


def _derive_key(secret: SecretBytes, header: BackupHeader) -> SecretBytes:
    return derive_from_secret(secret, bytes.fromhex(header.id), _PURPOSE)


def _make_share(backup_id: str, number: int, share: bytes) -> BackupShare:
    check = _compute_check(backup_id, number, share.hex())
    return BackupShare(backup=backup_id, number=number, share=share.hex(), check=check)


def _compute_check(backup_id: str, number: int, share: str) -> str:
    return hashlib.sha256(encode_canonical([backup_id, number, share])).hexdigest()[:8]


def _to_bytes(model: StrictModel) -> bytes:
    return encode_canonical(model.model_dump(mode="json"))
