"""`sharing trust`: the pinned roots of other States."""

from __future__ import annotations

import typer

from sharing.cli.trust.add import add_root
from sharing.cli.trust.check import check_documents
from sharing.cli.trust.list_pins import list_pins
from sharing.cli.trust.remove import remove_root

app = typer.Typer(
    name="trust",
    help="The pinned roots of other States, which decide whose signatures are trusted.",
    no_args_is_help=True,
)
app.command("list", short_help="List the pinned roots with their fingerprints.")(list_pins)
app.command("add", short_help="Pin a State's root by its fingerprint on paper, or follow it to a newer one.")(add_root)
app.command("remove", short_help="Unpin the root of a State that left.")(remove_root)
app.command("check", short_help="Verify roots and key statements in files against the pinned roots.")(check_documents)
