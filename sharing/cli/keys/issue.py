"""`sharing keys issue`: the first online keys of roles, or new ones after all were revoked or have ended."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from sharing.cli.keys.online_keys import make_online_keys, print_statement
from sharing.cli.keys.options import RootFiles, RootPassphraseFiles, lock_keys
from sharing.cli.keys.root_keys import open_root_keys, publish_statement, read_previous
from sharing.cli.shared.console import AsJson
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri, locate_folder, open_key_access
from sharing.errors import InputError
from sharing.keystore.private_key import generate_wrapping_key
from sharing.settings import load_settings
from sharing.trust.ceremonies import issue_keys
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.root import require_current_root


class SealAlgorithm(StrEnum):
    """The algorithms to which content is sealed, the default first."""

    MLKEM768_X25519 = KeyAlgorithm.MLKEM768_X25519.value
    X25519 = KeyAlgorithm.X25519.value


def issue_online_keys(
    root: RootFiles,
    role: Annotated[
        list[KeyRole] | None,
        typer.Option("--role", help="A role; repeat it for several. Default: all that have no key in force."),
    ] = None,
    seal_algorithm: Annotated[
        SealAlgorithm, typer.Option("--seal-algorithm", help="Algorithm of the seal key.")
    ] = SealAlgorithm.MLKEM768_X25519,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", help="For how many days the keys are valid. Default: as long as the root allows.", min=1
        ),
    ] = None,
    folder: Folder = None,
    root_passphrase_file: RootPassphraseFiles = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Make online keys and their successors, and sign the key statement that names them with the root keys.

    The first time it also makes the wrapping key, which no statement names: it is for the State's own topics.
    """
    settings = load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token)
    key_folder = locate_folder(settings)
    with lock_keys(key_folder):
        roots = key_folder.read_roots()
        newest, now = roots[-1], read_clock()
        previous = read_previous(key_folder, roots, now)
        require_current_root(newest, now)
        roles = _choose_roles(role, previous, now)
        signers = open_root_keys(newest, root, root_passphrase_file)
        access = open_key_access(settings, key_folder, is_new=True)
        algorithm = KeyAlgorithm(seal_algorithm)
        made = make_online_keys(key_folder, newest.state, previous, roles, access, algorithm, now)
        if not key_folder.list_wrapping_keys(newest.state):
            made.private.append(access.protect(generate_wrapping_key(newest.state, now)))
        statement = issue_keys(
            newest, previous, made.named, days=newest.metadata.online_days_max if days is None else days, now=now
        )
        files = made.write(key_folder)
        files.append(publish_statement(key_folder, [newest], statement, previous, signers))
        print_statement(statement, files, as_json=as_json)


def _choose_roles(requested: Sequence[KeyRole] | None, previous: TrustedKeys | None, now: int) -> list[KeyRole]:
    in_force = {
        role for role in KeyRole if previous is not None and previous.statement.find_usable_key(role, now) is not None
    }
    roles = [role for role in KeyRole if role in requested] if requested else [*KeyRole]
    if not requested:
        roles = [role for role in roles if role not in in_force]
    taken = [role for role in roles if role in in_force]
    if taken or not roles:
        names = " ".join(taken or KeyRole)
        raise InputError(f"{names}: has a key in force; `sharing keys rotate {names}` puts the successor into force")
    return roles
