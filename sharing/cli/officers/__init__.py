"""`sharing officers`: who may answer what is asked of people of the State."""

from __future__ import annotations

import typer

from sharing.cli.officers.add import add_officer
from sharing.cli.officers.drafts import publish_draft, sign_draft
from sharing.cli.officers.invite import invite_officer
from sharing.cli.officers.list_officers import list_officers
from sharing.cli.officers.make_key import make_officer_key
from sharing.cli.officers.renew import renew_officers
from sharing.cli.officers.revoke import revoke_officers

app = typer.Typer(
    name="officers", help="The register of officers: who may answer, signed by registrars.", no_args_is_help=True
)
app.command("list", short_help="Show the officers, and which records were refused.")(list_officers)
app.command("make-key", short_help="Make an officer's own key pair.")(make_officer_key)
app.command("invite", short_help="Invite an officer to make a passkey at the duty desk.")(invite_officer)
app.command("add", short_help="Add an officer, or change one; roles take two registrars.")(add_officer)
app.command("sign", short_help="Sign an entry that another registrar has made.")(sign_draft)
app.command("publish", short_help="Publish an entry that two registrars have signed.")(publish_draft)
app.command("renew", short_help="Extend entries before they expire.")(renew_officers)
app.command("revoke", short_help="Revoke officers: they may no longer answer.")(revoke_officers)
