"""Options of commands that use a State's key folder, and the passphrases that they need."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from sharing.errors import InputError, SettingsError, SharingError
from sharing.keystore.encryption import normalise_passphrase
from sharing.keystore.key_access import KeyAccess
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.token_address import open_token, parse_token_address
from sharing.settings import Settings

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="The State's key folder. Default: SHARING_KEY_FOLDER.", metavar="FOLDER"),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File whose first line is the passphrase of the online keys. Default: SHARING_KEY_PASSPHRASE_FILE; "
        "without it, "
        "the command asks.",
        metavar="FILE",
    ),
]
TokenUri = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="PKCS#11 URI of the token that keeps new private keys, such as "
        "pkcs11:token=LABEL?module-path=…&pin-source=…. Default: SHARING_KEY_TOKEN.",
        metavar="URI",
    ),
]


def locate_folder(settings: Settings) -> KeyFolder:
    """Return the key folder.

    Raises:
        SettingsError: None is set.
    """
    if settings.key_folder is None:
        raise SettingsError("no key folder is set: give --folder FOLDER, or set SHARING_KEY_FOLDER")
    return KeyFolder(settings.key_folder)


@contextmanager
def explain_left_files(paths: Sequence[Path], document: Path, what: str) -> Iterator[None]:
    """If a command fails after it has made files that are of no use, say so.

    Args:
        paths: The files that it makes first.
        document: The file that it makes at last, and without which they belong to nothing.
        what: What they belong to.
    """
    try:
        yield
    except SharingError as error:
        left = [str(path) for path in paths if path.exists()]
        if left and not document.exists():
            error.add_note(
                f"{', '.join(left)}: was made, but does not belong to a {what}; delete it before you run this again"
            )
        raise


def require_new_files(paths: Sequence[Path]) -> None:
    """Refuse places where files cannot be made, before the first one is made.

    Raises:
        InputError: A file exists or is named twice, or its folder does not exist.
    """
    known: set[Path] = set()
    for path in paths:
        if path.exists() or path.is_symlink():
            raise InputError(f"{path} exists already, and is not overwritten; choose another place, or move it")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; create it, or insert the medium")
        if path.resolve() in known:
            raise InputError(f"{path} is given twice; each must be a separate file")
        known.add(path.resolve())


def get_online_passphrase(settings: Settings, *, is_new: bool) -> SecretStr:
    """Return the passphrase of the online keys, from a file or from the terminal.

    Args:
        settings: The settings, with the option.
        is_new: Whether a key will be encrypted under it; a person then enters it twice.

    Raises:
        InputError: There is none.
    """
    if settings.key_passphrase_file is not None:
        return read_passphrase_file(settings.key_passphrase_file)
    return ask_passphrase("the online keys", "--passphrase-file", is_new=is_new)


def open_key_access(settings: Settings, folder: KeyFolder, *, is_new: bool) -> KeyAccess:
    """Return what opens the online keys: their passphrase, from a file or from the terminal; or the token.

    Args:
        settings: The settings, with the options.
        folder: The key folder. If there are private keys in it, one of them must open.
        is_new: Whether a person enters the passphrase twice if it opens nothing yet.

    Raises:
        SettingsError: The token's address or its module is wrong.
        InputError: There is no passphrase, or it is not that of the keys in the folder; or the PIN is wrong.
        InfrastructureError: The token does not answer.
    """
    present = folder.list_private_keys()
    token = None if settings.key_token is None else open_token(parse_token_address(settings.key_token))
    passphrase = None
    if token is None or settings.key_passphrase_file is not None:
        passphrase = get_online_passphrase(settings, is_new=is_new and not present)
    access = KeyAccess(passphrase, token)
    if present:
        access.read_key(present[-1])
    return access


def ask_passphrase(what: str, option: str, *, is_new: bool) -> SecretStr:
    """Return a passphrase that a person enters at the terminal, without showing it.

    Raises:
        InputError: There is no terminal, or it is too short.
    """
    if not sys.stdin.isatty():
        raise InputError(f"no passphrase was given for {what}: give {option}, or run this in a terminal")
    entered = typer.prompt(f"Passphrase of {what}", hide_input=True, confirmation_prompt=is_new, err=True)
    return normalise_passphrase(str(entered))
