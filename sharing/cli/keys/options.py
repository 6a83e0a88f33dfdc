"""Options of several commands, and the passphrases that they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from sharing.cli.shared.key_options import ask_passphrase
from sharing.errors import InputError
from sharing.keystore.files import lock_folder
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.passphrases import read_passphrase_file

RootFiles = Annotated[
    list[Path],
    typer.Option("--root", help="File of a root private key; repeat it for as many as the threshold.", metavar="FILE"),
]
OptionalRootFiles = Annotated[
    list[Path] | None,
    typer.Option("--root", help="File of a root private key; repeat it for as many as the threshold.", metavar="FILE"),
]
RootPassphraseFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--root-passphrase-file",
        help="File whose first line is the passphrase of a root key, one for each --root in the same order; without "
        "it, the command asks.",
        metavar="FILE",
    ),
]


@contextmanager
def lock_keys(folder: KeyFolder) -> Iterator[None]:
    """Let no other command change the key folder meanwhile: what it has read would not be true any more.

    Raises:
        InputError: Another command is changing it.
    """
    if not folder.path.is_dir():  # what reads it says so
        yield
        return
    with lock_folder(folder.path, waits=False):
        yield


def get_passphrases(
    paths: Sequence[Path], passphrase_files: Sequence[Path] | None, option: str, *, are_new: bool
) -> list[SecretStr]:
    """Return the passphrase of each key file, from files or from the terminal.

    Raises:
        InputError: There are not as many files of passphrases as of keys, or one is no passphrase.
    """
    if passphrase_files:
        if len(passphrase_files) != len(paths):
            raise InputError(f"give {option} once for each of the {len(paths)} key files, in the same order")
        return [read_passphrase_file(path) for path in passphrase_files]
    return [ask_passphrase(str(path), option, is_new=are_new) for path in paths]
