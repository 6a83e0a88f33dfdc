"""`sharing officers list`: who may answer, and which records were refused."""

from __future__ import annotations

from sharing.cli.officers.registrar import connect_desk
from sharing.cli.officers.report import describe_entry, print_entry
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder
from sharing.console.printable import to_printable

_ID_MAX = 40


def list_officers(folder: Folder = None, bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Show the register as every reader of the State verifies it, also officers who are revoked or expired."""
    desk, writer = connect_desk(bootstrap, folder, writes=False)
    register, now = writer.read(), read_clock()
    newest = register.list_newest(now)
    refused = [
        {"officer": to_printable(officer_id)[:_ID_MAX], "fault": error.fault, "reason": str(error)}
        for officer_id, error in register.refusals.items()
        if officer_id in register.hidden or register.find_newest(officer_id, now) is None
    ]
    if as_json:
        shown = [describe_entry(each.entry, each.signed.signers, now) for each in newest]
        print_json({"state": desk.state, "officers": shown, "refused": refused})
        return
    for each in newest:
        print_entry(each.entry, now)
    if not newest:
        err.print(f"{desk.state} has no officers: nobody may answer; `sharing officers add` adds one")
    for line in refused:
        err.print(f"a record of {line['officer']} was refused: {line['reason']}")
