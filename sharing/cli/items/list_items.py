"""`sharing items list`: the State's own items that were sent, or about which something waits."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.unreadable import exit_if_unreadable
from sharing.console.conversation_words import format_revision
from sharing.console.item_rows import ItemRow, read_item_row
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.kafka.conversation_reader import EntryTable

_STANDING = frozenset({DeliveryStatus.WAITING, DeliveryStatus.SENT})


def list_items(
    state: StateOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also items with nothing sent and nothing pending.")] = False,
    delivery: Annotated[
        DeliveryStatus | None, typer.Option("--delivery", help="Only items with a delivery in this status.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List the State's own items that other States have, or about which people are asked; no value of any item.

    Exit code 1: an entry could not be read; the others are listed, and it is named with its place.
    """
    console = connect_console(bootstrap, state)
    has_conversation = False

    def keep(key: bytes, entry: bytes) -> ItemRow | None:
        nonlocal has_conversation
        row = read_item_row(key, entry)
        has_conversation = has_conversation or row is not None
        if row is None or (delivery is not None and delivery not in row.deliveries.values()):
            return None
        return row if every or row.open_asks or _STANDING & set(row.deliveries.values()) else None

    table: EntryTable[ItemRow] = EntryTable(
        console.servers, console.state, keep, console.properties, skip_unreadable=True
    )
    table.read()
    rows = sorted((entry.value for entry in table.entries.values()), key=lambda row: (not row.open_asks, row.item))
    if as_json:
        for row in rows:
            print_json(row.to_json())
    else:
        _print_rows(console.state, rows, delivery, has_conversation=has_conversation)
    exit_if_unreadable(
        table.list_unreadable(),
        "items may be missing, and items after a batch that cannot be read may be shown in an earlier state; ask the "
        "operators to restore the topic (docs/maintain.md)",
    )


def _print_rows(state: str, rows: list[ItemRow], delivery: DeliveryStatus | None, *, has_conversation: bool) -> None:
    if not rows:
        if not has_conversation:  # its gate may have sent items all the same
            err.print(
                f"{state}: there is no conversation about an item; a State without keys has none, and "
                "`sharing audit transfers` counts what its gate has sent"
            )
        elif delivery is not None:
            err.print(f"{state}: no item has a delivery that is {delivery}")
        else:
            err.print(f"{state}: no other State has an item, and there are no open questions about any")
        return
    shown = make_table(unwrapped_column("item"), "agency", "version", "urgency", "deliveries", "open questions")
    for row in rows:
        deliveries = ", ".join(f"{to_state} {status}" for to_state, status in row.deliveries.items())
        version = format_revision(*row.revision)
        add_row(shown, row.item, row.agency, version, row.urgency, deliveries or "none", len(row.open_asks))
    out.print(shown)
