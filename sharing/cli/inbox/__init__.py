"""`sharing inbox`: what the State has received, with what binds it and until when."""

from __future__ import annotations

import typer

from sharing.cli.inbox.list_inbox import list_inbox
from sharing.cli.inbox.show import show_received

app = typer.Typer(name="inbox", help="What the State has received: list, show.", no_args_is_help=True)
app.command("list", short_help="List notices and offers; recalled items are marked.")(list_inbox)
app.command("show", short_help="Show one notice or offer, with what binds the State.")(show_received)
