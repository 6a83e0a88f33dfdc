"""Changes the passphrase of all private keys in a folder, or of none if it is interrupted.

The files are written again, under the new passphrase, into a second folder next to `private`. When each of them has
been read back, the two folders are swapped in one step, and the one with the files under the old passphrase is deleted.
`sharing keys show` reports what a killed command has left, and the next change deletes it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from sharing.errors import InfrastructureError, InputError
from sharing.keystore.files import (
    PRIVATE_MODE,
    exchange_folders,
    list_drafts,
    make_private_folder,
    read_private_file,
    remove_folder,
    write_new_file,
)
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key_file import encrypt_key, read_key_file, read_private_key, write_key_file

STAGING_NAME: Final = ".private.new"


@dataclass(frozen=True, slots=True)
class PassphraseChange:
    """What a change of the passphrase has done.

    Attributes:
        changed: The files that are now under the new passphrase.
        kept: The files whose key is in a token or encrypted with a key in a token: they have no passphrase.
    """

    changed: tuple[Path, ...]
    kept: tuple[Path, ...]


def change_passphrase(folder: KeyFolder, before: SecretStr, after: SecretStr) -> PassphraseChange:
    """Encrypt the private keys of a folder with another passphrase: all of them or none.

    Args:
        folder: The key folder, which no other command may change at the same time.
        before: The present passphrase.
        after: The new one.

    Raises:
        InputError: The passphrase is wrong for one of the keys, none has a passphrase, or there is something else in
            the folder.
        InfrastructureError: A file cannot be written, or the folders cannot be exchanged. Nothing was changed; or the
            files under the old passphrase cannot be deleted.
    """
    staging = folder.path / STAGING_NAME
    paths = _list_keys(folder)
    remove_folder(staging)  # what an earlier command left
    is_done = False
    try:
        make_private_folder(staging)
        changed = [path for path in paths if _write_again(path, staging / path.name, before, after)]
        if not changed:
            raise InputError(
                f"no private key in {folder.private} is encrypted with a passphrase: a token protects them"
            )
        if _list_keys(folder) != paths:
            raise InputError(f"{folder.private} was changed at the same time; run this again")
        exchange_folders(staging, folder.private)
        is_done = True
    finally:
        if not is_done:
            with suppress(InfrastructureError):  # the original error matters more; `keys show` reports what is left
                remove_folder(staging)
    try:
        remove_folder(staging)
    except InfrastructureError as error:
        raise InfrastructureError(
            f"the passphrase was changed, but the files under the old one remain: {error}"
        ) from None
    return PassphraseChange(tuple(changed), tuple(path for path in paths if path not in changed))


def _list_keys(folder: KeyFolder) -> list[Path]:
    """Return the files of private keys; drafts of killed commands are left out.

    Raises:
        InputError: There is none, or something else that would be lost.
    """
    if folder.private.is_symlink():
        raise InputError(f"{folder.private} is a link; give the key folder in which the private keys themselves are")
    keys = folder.list_private_keys()
    if not keys:
        raise InputError(f"{folder.private} has no private keys; `sharing keys issue` makes them")
    others = sorted(set(folder.private.iterdir()) - {*keys, *list_drafts(folder.private)})
    if others:
        raise InputError(f"{others[0]} is not the file of a private key; move it elsewhere, and run this again")
    return keys


def _write_again(source: Path, target: Path, before: SecretStr, after: SecretStr) -> bool:
    """Write the file of a private key, and return whether it has the new passphrase: a key in a token has none."""
    is_under_passphrase = read_key_file(source).token is None
    if is_under_passphrase:
        key = read_private_key(source, before)
        write_key_file(target, encrypt_key(key, after))
        if read_private_key(target, after) != key:
            raise InfrastructureError(f"{target} is not what was written; check the disk")
    else:
        write_new_file(target, read_private_file(source), PRIVATE_MODE)
    _keep_owner(source, target)
    return is_under_passphrase


def _keep_owner(source: Path, target: Path) -> None:
    """Give a file the owner of another file: an administrator may run this for the user of the worker."""
    owner = source.stat()
    if (owner.st_uid, owner.st_gid) == (os.geteuid(), os.getegid()):
        return
    try:
        for path in (target, target.parent):
            os.chown(path, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise InfrastructureError(f"{target} cannot be given to the owner of {source}: {error.strerror}") from None
