"""`sharing keys revoke`: online keys, or successors, that nobody may accept any more."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import typer

from sharing.cli.keys.key_names import find_key
from sharing.cli.keys.online_keys import print_statement
from sharing.cli.keys.options import Folder, RootFiles, RootPassphraseFiles, locate_folder, lock_keys
from sharing.cli.keys.root_keys import open_root_keys, publish_statement
from sharing.cli.shared.console import AsJson, err
from sharing.errors import InputError
from sharing.model.times import to_milliseconds
from sharing.settings import load_settings
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import require_current_root


def revoke_online_keys(
    keys: Annotated[list[str], typer.Argument(metavar="KEYS…", help="Ids of keys or successors, or how they begin.")],
    root: RootFiles,
    at: Annotated[
        str | None,
        typer.Option("--at", help="When it takes effect, such as 2026-03-01T12:00:00Z. Default: now.", metavar="TIME"),
    ] = None,
    folder: Folder = None,
    root_passphrase_file: RootPassphraseFiles = None,
    as_json: AsJson = False,
) -> None:
    """Sign a key statement that revokes keys. What arrives under them afterwards is refused, whatever its date."""
    settings = load_settings(key_folder=folder)
    key_folder = locate_folder(settings)
    with lock_keys(key_folder):
        roots = key_folder.read_roots()
        newest, previous = roots[-1], key_folder.read_keys(roots)
        if previous is None:
            raise InputError(f"{key_folder.path} has no online keys; `sharing keys issue` makes them")
        now = int(time.time() * 1000)
        require_current_root(newest, now)
        listed = previous.statement.keys
        known = {key.key_id for key in listed} | {key.successor for key in listed}
        revoked = [find_key(text, known) for text in keys]
        signers = open_root_keys(newest, root, root_passphrase_file)
        now = int(time.time() * 1000)  # typing passphrases takes a while, in which the keys still sign
        statement = revoke_keys(
            newest,
            previous,
            revoked,
            effective_at=now if at is None else _parse_time(at),
            days=newest.metadata.online_days_max,
            now=now,
        )
        file = publish_statement(key_folder, [newest], statement, previous, signers)
        print_statement(statement, [file], as_json=as_json)
        without = [
            str(role) for role in KeyRole if statement.list_keys(role) and not statement.find_usable_key(role, now)
        ]
        if without:
            err.print(f"no key in force for {', '.join(without)}; `sharing keys issue` makes new ones")


def _parse_time(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError
        return to_milliseconds(instant)
    except ValueError:
        raise InputError("--at must be a time with its zone, such as 2026-03-01T12:00:00Z") from None
