"""`sharing keys backup`: seal keys and wrapping keys, recoverable by m of n custodians."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.key_options import (
    Folder,
    PassphraseFile,
    TokenUri,
    explain_left_files,
    locate_folder,
    open_key_access,
    require_new_files,
)
from sharing.errors import InputError
from sharing.keystore.backup import make_backup, write_backup, write_share
from sharing.keystore.key_access import require_seed_key
from sharing.keystore.private_key import WRAP_ROLE
from sharing.keystore.private_key_file import read_key_header
from sharing.settings import load_settings
from sharing.trust.public_keys import KeyRole

_BACKED_UP = (KeyRole.SEAL, WRAP_ROLE)


def back_up_keys(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File for the backup; it must not exist.")],
    share: Annotated[
        list[Path], typer.Option("--share", help="File for a custodian's share; repeat it for each.", metavar="FILE")
    ],
    threshold: Annotated[int, typer.Option("--threshold", help="How many shares open the backup.", min=2, max=16)],
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Back up the seal keys, their successors included, and the wrapping keys.

    Signing keys are not backed up: a lost one is replaced.
    """
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    key_folder = locate_folder(settings)
    state = key_folder.read_roots()[-1].state
    require_new_files([file, *share])
    headers = {path: read_key_header(path) for path in key_folder.list_private_keys()}
    paths = [path for path, header in headers.items() if header.state == state and header.role in _BACKED_UP]
    if not paths:
        raise InputError(f"{key_folder.path} has no seal keys; `sharing keys issue --role seal` makes one")
    access = open_key_access(settings, key_folder, is_new=False)
    keys = [require_seed_key(access.read_key(path)) for path in paths]
    backup, shares = make_backup(state, keys, threshold, len(share))
    with explain_left_files(share, file, "backup"):
        for path, item in zip(share, shares, strict=True):
            write_share(path, item)
        write_backup(file, backup)
    ids = [key.key_id for key in keys]
    if as_json:
        print_json(
            {"backup": backup.header.id, "state": state, "threshold": threshold, "shares": len(shares), "keys": ids}
        )
        return
    print_line(f"backup {backup.header.id} of {len(ids)} keys: {threshold} of {len(shares)} shares open it")
    err.print("give each share to another custodian; until shares are destroyed, what was sealed can be opened")
