"""`sharing officers renew`: entries extended, before they expire."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.officers.add import sign_alone
from sharing.cli.officers.registrar import connect_desk
from sharing.cli.officers.report import describe_entry, print_entry
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri
from sharing.errors import InputError
from sharing.model.times import DAY_MS, format_time
from sharing.officers.changes import OfficerFields, change_officer
from sharing.officers.entry import OFFICER_DAYS_MAX
from sharing.officers.record import OfficerRecord
from sharing.officers.verification import VerifiedEntry


def renew_officers(
    officer_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids of officers. Default: all in force.")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", help="For how many days from now.", min=1, max=OFFICER_DAYS_MAX)
    ] = OFFICER_DAYS_MAX,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Extend entries without changing them, with the signature of one registrar.

    One registrar may do so for a year after two have signed. Afterwards two sign again.
    """
    desk, writer = connect_desk(bootstrap, folder, passphrase_file, token)
    register, now = writer.read(), read_clock()
    in_force = [each.entry.id for each in register.list_newest(now) if each.entry.is_in_force(now)]
    chosen = list(dict.fromkeys(officer_ids)) if officer_ids else in_force
    unknown = [officer_id for officer_id in chosen if officer_id not in in_force]
    if unknown:
        raise InputError(f"{', '.join(unknown)}: is not in force; `sharing officers add` brings an officer back")
    signing_key = desk.open_registrar_key()

    def extend(newest: VerifiedEntry | None, after: int) -> OfficerRecord:
        if newest is None or not newest.entry.is_in_force(read_clock()):
            raise InputError("an officer was revoked meanwhile; run `sharing officers renew` again")
        change = change_officer(
            desk.state, newest.entry.id, newest, OfficerFields(), days=days, now=read_clock(), after=after
        )
        return sign_alone(change, signing_key)

    renewed = [writer.change(each, extend) for each in chosen]
    limited = [each.entry for each in renewed if each.entry.valid_until < each.entry.issued_at + days * DAY_MS]
    now = read_clock()
    if as_json:
        shown = [describe_entry(each.entry, each.signed.signers, now) for each in renewed]
        print_json({"renewed": shown, "limited": [entry.id for entry in limited]})
    else:
        for each in renewed:
            print_entry(each.entry, now)
    for entry in limited:
        err.print(
            f"{entry.id} ends a year after two registrars have signed; let two sign again before "
            f"{format_time(entry.valid_until)}: sharing officers add {entry.id} --again --draft FILE"
        )
