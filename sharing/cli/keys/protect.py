"""`sharing keys protect`: another passphrase for the private keys of a folder, or for one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from sharing.cli.keys.options import lock_keys
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.key_options import Folder, PassphraseFile, ask_passphrase, get_online_passphrase, locate_folder
from sharing.errors import InputError
from sharing.keystore.passphrase_change import change_passphrase
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_private_key, replace_passphrase
from sharing.settings import load_settings


def protect_keys(
    new_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--new-passphrase-file",
            help="File whose first line is the new passphrase; without it, the command asks.",
            metavar="FILE",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Only this file: a root key, a reader's or an officer's.", metavar="FILE"),
    ] = None,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Change the passphrase of all private keys in the key folder: of all of them, or of none.

    Copies of the files elsewhere stay under the old passphrase.
    """
    if key is not None:
        if folder is not None:
            raise InputError("--key names a file, and --folder the keys in a folder; give one of them")
        _protect_file(key, passphrase_file, new_passphrase_file, as_json=as_json)
        return
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file)
    key_folder = locate_folder(settings)
    with lock_keys(key_folder):
        present = key_folder.list_private_keys()
        if not present:
            raise InputError(f"{key_folder.path} has no private keys; `sharing keys issue` makes them")
        before = get_online_passphrase(settings, is_new=False)
        after = _get_new_passphrase("the online keys", before, new_passphrase_file)
        change = change_passphrase(key_folder, before, after)
    if as_json:
        print_json({"changed": [str(path) for path in change.changed], "kept": [str(path) for path in change.kept]})
        return
    print_line(f"{key_folder.private}: {len(change.changed)} private keys are protected by the new passphrase")
    if change.kept:
        print_line(f"{len(change.kept)} are protected by a token, and have none")
    place = settings.key_passphrase_file or "the file that SHARING_KEY_PASSPHRASE_FILE names"
    err.print(f"put the new passphrase into {place}, and restart the programs that use these keys")


def _protect_file(path: Path, passphrase_file: Path | None, new_passphrase_file: Path | None, *, as_json: bool) -> None:
    """Change the passphrase of one file. The setting for the passphrase of the online keys does not count here."""
    before = (
        ask_passphrase(str(path), "--passphrase-file", is_new=False)
        if passphrase_file is None
        else read_passphrase_file(passphrase_file)
    )
    read_private_key(path, before)  # before a person has to think of a new one
    replace_passphrase(path, before, _get_new_passphrase(str(path), before, new_passphrase_file))
    if as_json:
        print_json({"changed": [str(path)], "kept": []})
    else:
        print_line(f"{path} is protected by the new passphrase")


def _get_new_passphrase(what: str, before: SecretStr, file: Path | None) -> SecretStr:
    after = (
        ask_passphrase(f"{what} from now on", "--new-passphrase-file", is_new=True)
        if file is None
        else read_passphrase_file(file)
    )
    if after == before:
        raise InputError("the new passphrase is the same as the current one; nothing was changed")
    return after
