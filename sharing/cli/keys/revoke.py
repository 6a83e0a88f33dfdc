"""`sharing keys revoke`: online keys, or successors, that nobody may accept any more."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from sharing.cli.keys.key_names import find_key
from sharing.cli.keys.online_keys import print_statement
from sharing.cli.keys.options import RootFiles, RootPassphraseFiles, lock_keys
from sharing.cli.keys.root_keys import open_root_keys, publish_statement, read_previous
from sharing.cli.shared.console import AsJson, err
from sharing.cli.shared.instants import parse_instant, read_clock
from sharing.cli.shared.key_options import Folder, locate_folder
from sharing.errors import InputError
from sharing.model.times import HOUR_MS, format_time
from sharing.settings import load_settings
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.documents import INSTANT_MIN
from sharing.trust.key_statement import KeyStatement
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import require_current_root


def revoke_online_keys(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="Ids of keys or successors, or their first digits.")],
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
        newest, now = roots[-1], read_clock()
        previous = read_previous(key_folder, roots, now)
        if previous is None:
            raise InputError(f"{key_folder.path} has no online keys; `sharing keys issue` makes them")
        require_current_root(newest, now)
        listed = previous.statement.keys
        known = {key.key_id for key in listed} | {key.successor for key in listed}
        revoked = [find_key(text, known) for text in keys]
        signers = open_root_keys(newest, root, root_passphrase_file)
        now = read_clock()  # typing passphrases takes a while, in which the keys still sign
        effective_at = now if at is None else parse_instant(at, "--at")
        statement = revoke_keys(
            newest,
            previous,
            revoked,
            effective_at=effective_at,
            days=newest.metadata.online_days_max,
            now=now,
        )
        file = publish_statement(key_folder, [newest], statement, previous, signers)
        print_statement(statement, [file], as_json=as_json)
        for step in _list_next_steps(statement, revoked, effective_at, now):
            err.print(step)


def _list_next_steps(statement: KeyStatement, revoked: Collection[str], effective_at: int, now: int) -> list[str]:
    """Return what people must do now."""
    without = [str(role) for role in KeyRole if statement.list_keys(role) and not statement.find_usable_key(role, now)]
    steps = []
    if without:
        steps.append(f"no key in force for {', '.join(without)}; `sharing keys issue` makes new ones")
    roles = {key.role for key in statement.keys if key.key_id in revoked and effective_at <= now}
    if KeyRole.DIRECTORY in roles:
        steps.append(
            "what the revoked directory key has announced stays in force until it ends, and is not renewed: "
            "`sharing directory announce` announces the entry again"
        )
    if KeyRole.REGISTRAR in roles:
        steps.append(
            "what needs the signature of the revoked registrar key no longer counts: `sharing officers list` shows "
            "which officers remain; if it signed the list of readers, add all readers again with `sharing keys "
            "readers add` and the public file of each"
        )
    if KeyRole.GATE in roles:
        since = format_time(max(effective_at - HOUR_MS, INSTANT_MIN))
        steps.append(
            "other States refuse what the revoked gate key had signed and they had not opened yet. A minute after the "
            f"gate signs with another key, send it again: `sharing keys resend --state {statement.state} --since "
            f"{since}`; give an earlier --since if a State was unreachable for longer"
        )
    return steps
