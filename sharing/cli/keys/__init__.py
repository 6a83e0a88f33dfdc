"""`sharing keys`: a State's own root and online keys."""

from __future__ import annotations

import typer

from sharing.cli.keys import readers
from sharing.cli.keys.backup import back_up_keys
from sharing.cli.keys.init import init_keys
from sharing.cli.keys.issue import issue_online_keys
from sharing.cli.keys.protect import protect_keys
from sharing.cli.keys.prune import prune_keys
from sharing.cli.keys.resend import resend
from sharing.cli.keys.restore import restore_keys
from sharing.cli.keys.revoke import revoke_online_keys
from sharing.cli.keys.rotate import rotate_keys
from sharing.cli.keys.show import show_keys

app = typer.Typer(
    name="keys", help="A State's own keys: its root, kept offline, and its online keys.", no_args_is_help=True
)
app.command("init", short_help="Make the root keys and the first root of a State.")(init_keys)
app.command("issue", short_help="Make online keys, and sign the statement that names them.")(issue_online_keys)
app.command("rotate", short_help="Put the successors of online keys, or a new root, into force.")(rotate_keys)
app.command("revoke", short_help="Revoke online keys or successors.")(revoke_online_keys)
app.command("resend", short_help="Send again what was refused when a gate key was revoked.")(resend)
app.command("show", short_help="Show root, online keys, and what needs attention.")(show_keys)
app.command("protect", short_help="Change the passphrase of the online private keys.")(protect_keys)
app.command("prune", short_help="Destroy private keys that have ended.")(prune_keys)
app.command("backup", short_help="Back up seal and wrapping keys for m of n custodians.")(back_up_keys)
app.command("restore", short_help="Restore seal and wrapping keys from a backup and m shares.")(restore_keys)
app.command("reader", short_help="Make the key pair of a program that reads the inbox.")(readers.make_reader)
app.add_typer(readers.app)
