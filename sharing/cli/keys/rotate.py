"""`sharing keys rotate`: puts the successors of online keys into force, or a new root."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.keys.next_root import RootChange, put_root_into_force
from sharing.cli.keys.online_keys import make_online_keys, print_statement
from sharing.cli.keys.options import (
    Folder,
    PassphraseFile,
    RootFiles,
    RootPassphraseFiles,
    get_online_passphrase,
    locate_folder,
)
from sharing.cli.keys.root_keys import open_root_keys, publish_statement
from sharing.cli.shared.console import AsJson
from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key_file import ROOT_ROLE
from sharing.model.validation_errors import suggest_nearest
from sharing.settings import Settings, load_settings
from sharing.trust.ceremonies import find_successor, issue_keys
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyAlgorithm, KeyRole
from sharing.trust.root import require_current_root


def rotate_keys(
    roles: Annotated[list[str], typer.Argument(metavar="ROLES…", help="Roles of online keys; or `root`, alone.")],
    root: RootFiles,
    new_root: Annotated[
        list[Path] | None, typer.Option("--new-root", help="File for a root key to make and add.", metavar="FILE")
    ] = None,
    new_root_passphrase_file: Annotated[
        list[Path] | None,
        typer.Option("--new-root-passphrase-file", help="As --root-passphrase-file, for --new-root.", metavar="FILE"),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="Id of a root key to remove.", metavar="KEY")
    ] = None,
    threshold: Annotated[
        int | None, typer.Option("--threshold", help="The new threshold of the root.", min=1, max=16)
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", help="For how many days. Default: as long as the root allows; a root: 365.", min=1, max=3660
        ),
    ] = None,
    folder: Folder = None,
    root_passphrase_file: RootPassphraseFiles = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Put the successors of online keys into force and name new ones; or replace the root by the next version."""
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file)
    key_folder = locate_folder(settings)
    if roles == [ROOT_ROLE]:
        change = RootChange(
            new_root or [], new_root_passphrase_file, remove or [], threshold, 365 if days is None else days
        )
        put_root_into_force(key_folder, change, root, root_passphrase_file, as_json=as_json)
        return
    if new_root or remove or new_root_passphrase_file or threshold is not None:
        raise InputError("--new-root, --remove and --threshold are for `sharing keys rotate root`")
    passphrases = (settings, root_passphrase_file)
    put_successors_into_force(key_folder, roles, root, passphrases, days, as_json=as_json)


def put_successors_into_force(
    key_folder: KeyFolder,
    names: list[str],
    root_files: list[Path],
    passphrases: tuple[Settings, list[Path] | None],
    days: int | None,
    *,
    as_json: bool,
) -> None:
    """Sign the key statement in which the successor of each role's key is in force, and names a new successor.

    Raises:
        InputError: A role is not known or has no key in force; or a key file or a passphrase is wrong.
    """
    settings, root_passphrase_files = passphrases
    roots = key_folder.read_roots()
    newest, previous = roots[-1], key_folder.read_keys(roots)
    now = int(time.time() * 1000)
    require_current_root(newest, now)
    chosen = _choose_roles(names, previous, now)
    signers = open_root_keys(newest, root_files, root_passphrase_files)
    opens_nothing = previous is None or any(find_successor(previous, role) is None for role in chosen)
    passphrase = get_online_passphrase(settings, is_new=opens_nothing)
    made = make_online_keys(key_folder, newest.state, previous, chosen, passphrase, _get_seal_algorithm(previous))
    statement = issue_keys(
        newest, previous, made.named, days=newest.metadata.online_days_max if days is None else days, now=now
    )
    files = made.write(key_folder, passphrase)
    files.append(publish_statement(key_folder, newest, statement, previous, signers))
    print_statement(statement, files, as_json=as_json)


def _choose_roles(names: list[str], previous: TrustedKeys | None, now: int) -> list[KeyRole]:
    known = [*map(str, KeyRole)]
    for name in names:
        if name == ROOT_ROLE:
            raise InputError("`root` is rotated alone, by a command of its own")
        if name not in known:
            nearest = suggest_nearest(name, {*known, ROOT_ROLE})
            raise InputError(f"{name!r} is none of the roles {', '.join(known)}, nor `root`{nearest}")
    roles = [role for role in KeyRole if role in names]
    missing = [role for role in roles if previous is None or previous.statement.find_usable_key(role, now) is None]
    if missing:
        raise InputError(f"{', '.join(missing)}: has no key in force; `sharing keys issue` makes one")
    return roles


def _get_seal_algorithm(previous: TrustedKeys | None) -> KeyAlgorithm:
    seal_keys = [] if previous is None else previous.statement.list_keys(KeyRole.SEAL)
    return seal_keys[-1].algorithm if seal_keys else ROLE_ALGORITHMS[KeyRole.SEAL][0]
