"""`sharing keys restore`: seal keys and wrapping keys from a backup and the shares of m custodians."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.keys.options import lock_keys
from sharing.cli.shared.console import AsJson, print_json, print_line
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri, locate_folder, open_key_access
from sharing.errors import InputError
from sharing.keystore.backup import open_backup, read_backup, read_share
from sharing.keystore.private_key import PrivateKey
from sharing.settings import load_settings
from sharing.trust.verification import shorten


def restore_keys(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    share: Annotated[
        list[Path],
        typer.Option("--share", help="File of a share; repeat it for as many as the threshold.", metavar="FILE"),
    ],
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Write the keys of a backup into the key folder. Keys that are there are kept."""
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    key_folder = locate_folder(settings)
    state = key_folder.read_roots()[-1].state
    backup = read_backup(file)
    if backup.header.state != state:
        raise InputError(f"{file} is a backup of {backup.header.state}, and {key_folder.path} is of {state}")
    keys = open_backup(backup, [read_share(path) for path in share])
    with lock_keys(key_folder):
        access = open_key_access(settings, key_folder, is_new=True)
        restored: list[PrivateKey] = []
        kept: list[PrivateKey] = []
        for key in keys:
            if key_folder.locate_private_key(key.header.role, key.key_id).exists():
                kept.append(key)
            else:
                key_folder.write_private_key(access.protect(key))
                restored.append(key)
        if as_json:
            ids = {
                "restored": [key.key_id for key in restored], "kept": [key.key_id for key in kept],
            }  # fmt: skip
            print_json({"backup": backup.header.id, "state": state, **ids})
            return
        for what, listed in (("restored", restored), ("kept", kept)):
            for key in listed:
                print_line(f"{what}  {key.header.role}  {shorten(key.key_id)}")
