"""`sharing partners`: the parties on a cluster."""

from __future__ import annotations

import typer

from sharing.cli.partners.leave import leave
from sharing.cli.partners.revoke import revoke

app = typer.Typer(
    name="partners",
    help="The parties on a cluster: revoke the rights of a State or of one client; let a State leave.",
    no_args_is_help=True,
)
app.command("revoke", short_help="Remove all rights of a State, or of one client, at once.")(revoke)
app.command("leave", short_help="Let a State leave: show what waits; remove its rights, quotas and topics.")(leave)
