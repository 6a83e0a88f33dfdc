"""`sharing partners revoke`: take a party's rights away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.kafka_commands import format_removal_command
from sharing.cli.shared.states import read_state
from sharing.errors import InputError
from sharing.kafka.acl_admin import revoke_principals
from sharing.kafka.clients import require_broker
from sharing.kafka.tls import tls_properties
from sharing.topology.acls import OPERATOR, AclEntry, Principal, parse_principal


def revoke(
    party: Annotated[
        str, typer.Argument(metavar="PARTY", help="A State, such as DE, or the name of one client, such as gate.de.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Remove all access control entries of a State's clients, or of one client. Open connections are denied too."""
    matches = parse_party(party)
    settings, servers = load_broker_settings(bootstrap)
    tls = tls_properties(settings)
    require_broker(servers, tls)
    removed, remaining = revoke_principals(servers, matches, tls, dry_run=dry_run)
    if as_json:
        lists = {"removed": removed, "remaining": remaining}
        documents = {name: [entry.to_document() for entry in entries] for name, entries in lists.items()}
        document = {"party": party, "dry_run": dry_run, **documents}
        print_json(document)
    else:
        for entry in removed:
            print_line(f"{'would be removed' if dry_run else 'removed'}  {entry}")
        for entry in remaining:
            print_line(f"remains  {entry}, as every client; to remove it: {format_removal_command(entry)}")
        _print_summary(party, removed, dry_run=dry_run)
    if remaining:
        raise typer.Exit(1)


def parse_party(party: str) -> Callable[[Principal], bool]:
    """Return a function that tells whether a principal belongs to a party.

    Args:
        party: Country code of a State, or the name of a principal.

    Raises:
        InputError: There is no such party, or it is the operator, who would lose the right to undo it.
    """
    principal = parse_principal(party.removeprefix("User:").removeprefix("CN="))
    if principal == OPERATOR:
        raise InputError(
            "the operator cannot be revoked with this command; a super user of the cluster can", field="party"
        )
    if principal is not None:
        return lambda candidate: candidate == principal
    if "." in party:
        raise InputError(f"no client can have the name {party!r}; `sharing topics acls` lists the names", field="party")
    state = read_state("PARTY", party)
    return lambda candidate: candidate.state == state


def _print_summary(party: str, removed: list[AclEntry], *, dry_run: bool) -> None:
    names = sorted({entry.principal for entry in removed})
    if not removed:
        err.print(f"{party} has no access control entries on this cluster")
        return
    verb = "would be removed" if dry_run else "removed; they no longer apply, not even on open connections"
    err.print(f"{len(removed)} access control entries of {', '.join(names)} {verb}")
    err.print("remove the party from the partners file, or `topics apply --acls` grants them again")
