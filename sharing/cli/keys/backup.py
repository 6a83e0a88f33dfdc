"""`sharing keys backup`: the seal keys, recoverable by m of n custodians."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.keys.options import (
    Folder,
    PassphraseFile,
    get_online_passphrase,
    locate_folder,
    require_new_files,
)
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.errors import InputError
from sharing.keystore.backup import make_backup, write_backup, write_share
from sharing.keystore.private_key_file import read_key_header, read_private_key
from sharing.settings import load_settings
from sharing.trust.public_keys import KeyRole


def back_up_keys(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File for the backup; it must not exist.")],
    share: Annotated[
        list[Path], typer.Option("--share", help="File for a custodian's share; repeat it for each.", metavar="FILE")
    ],
    threshold: Annotated[int, typer.Option("--threshold", help="How many shares open the backup.", min=2, max=16)],
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Back up the seal keys, their successors included. Signing keys are not backed up: a lost one is replaced."""
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file)
    key_folder = locate_folder(settings)
    state = key_folder.read_roots()[-1].state
    require_new_files([file, *share])
    paths = [path for path in key_folder.list_private_keys() if read_key_header(path).role == KeyRole.SEAL]
    if not paths:
        raise InputError(f"{key_folder.path} has no seal keys; `sharing keys issue --role seal` makes one")
    passphrase = get_online_passphrase(settings, is_new=False)
    keys = [read_private_key(path, passphrase) for path in paths]
    backup, shares = make_backup(state, keys, threshold, len(share))
    write_backup(file, backup)
    for path, item in zip(share, shares, strict=True):
        write_share(path, item)
    ids = [key.public_key.key_id for key in keys]
    if as_json:
        print_json(
            {"backup": backup.header.id, "state": state, "threshold": threshold, "shares": len(shares), "keys": ids}
        )
        return
    print_line(f"backup {backup.header.id} of {len(ids)} seal keys: {threshold} of {len(shares)} shares open it")
    err.print("give each share to another custodian; until shares are destroyed, what was sealed can be opened")
