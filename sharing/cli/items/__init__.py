"""`sharing items`: what became of the State's own items; and how an officer recalls, corrects or withdraws one."""

from __future__ import annotations

import typer

from sharing.cli.items.list_items import list_items
from sharing.cli.items.open import correct_item, recall_item, withdraw_item
from sharing.cli.items.send_again import send_items_again
from sharing.cli.items.show import show_items

app = typer.Typer(
    name="items", help="What became of own items: list, show, recall, correct, withdraw.", no_args_is_help=True
)
app.command("list", short_help="List the items that were sent, or wait for something.")(list_items)
app.command("show", short_help="Show decisions, questions and deliveries of items in time.")(show_items)
app.command("recall", short_help="Tell States that they must no longer use an item.")(recall_item)
app.command("correct", short_help="Correct facts of an item: the gate decides again.")(correct_item)
app.command("withdraw", short_help="Withdraw an item from every State.")(withdraw_item)
app.command("send-again", short_help="Send again what others refused, because a key was revoked.")(send_items_again)
