"""`sharing officers revoke`: officers who may answer nothing any more."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.officers.add import sign_alone
from sharing.cli.officers.registrar import connect_desk
from sharing.cli.officers.report import describe_entry, print_entry
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json
from sharing.cli.shared.instants import parse_instant, read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri
from sharing.errors import InputError
from sharing.officers.changes import revoke_officer
from sharing.officers.record import OfficerRecord
from sharing.officers.verification import VerifiedEntry


def revoke_officers(
    officer_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of officers.")],
    at: Annotated[
        str | None,
        typer.Option("--at", help="When it takes effect, such as 2026-03-01T12:00:00Z. Default: now.", metavar="TIME"),
    ] = None,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Revoke officers, with the signature of one registrar. The revocation stays, and no older entry counts again."""
    desk, writer = connect_desk(bootstrap, folder, passphrase_file, token)
    effective_at = None if at is None else parse_instant(at, "--at")
    register = writer.read()
    unknown = [officer_id for officer_id in officer_ids if register.find_newest(officer_id, read_clock()) is None]
    if unknown:
        raise InputError(f"{', '.join(unknown)}: is not in the register; `sharing officers list` shows who is")
    signing_key = desk.open_registrar_key()

    def revoke(newest: VerifiedEntry | None, after: int) -> OfficerRecord:
        if newest is None:
            raise InputError("an officer is not in the register any more; `sharing officers list` shows who is")
        now = read_clock()
        at = now if effective_at is None else effective_at
        change = revoke_officer(newest, effective_at=at, now=now, after=after)
        return sign_alone(change, signing_key)

    revoked = [writer.change(officer_id, revoke) for officer_id in dict.fromkeys(officer_ids)]
    now = read_clock()
    if as_json:
        print_json({"revoked": [describe_entry(each.entry, each.signed.signers, now) for each in revoked]})
        return
    for each in revoked:
        print_entry(each.entry, now)
    err.print("published")
