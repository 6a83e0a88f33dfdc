"""`sharing audit uses`: who opened which content, and when."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant
from sharing.cli.shared.unreadable import exit_if_unreadable
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.unreadable_records import Unreadable
from sharing.kafka.use_reader import RecordedUse, read_uses
from sharing.model.times import format_time


def list_uses(
    state: StateOption = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what was recorded since this time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only what was recorded before this time.")
    ] = None,
    reader: Annotated[
        str | None, typer.Option("--reader", metavar="NAME", help="Only what this reader has opened.")
    ] = None,
    item: Annotated[
        str | None, typer.Option("--item", metavar="ID", help="Only this item, by its id or that of its notice.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List who opened which content of the State's inbox, when, by what and why; ids only, no content.

    It is what readers have recorded of themselves: `sharing inbox show`, `sharing subscribe`, `sharing audit subject`
    and every program with a `Subscriber`. Exit code 1: a record could not be read; it is named with its place.
    """
    console = connect_console(bootstrap, state)
    since_ms = None if since is None else parse_instant(since, "--since")
    until_ms = None if until is None else parse_instant(until, "--until")
    group = name_console_group(console.state, "uses")
    unreadable: Unreadable = []
    uses = read_uses(
        console.servers, console.state, group, since_ms, until_ms, console.properties, console.framing,
        unreadable=unreadable,
    )  # fmt: skip
    found = [
        each for each in uses if reader in {None, each.context.reader} and item in {None, each.use.id, each.use.item_id}
    ]
    found.sort(key=lambda each: (each.use.at, each.use.id))
    if as_json:
        for each in found:
            print_json(_describe(each))
    else:
        _print_uses(console.state, found)
    exit_if_unreadable(unreadable, "more may have been opened than is listed")


def _print_uses(state: str, found: list[RecordedUse]) -> None:
    if not found:
        err.print(f"{state}: nothing that was opened is recorded here")
        return
    table = make_table(
        unwrapped_column("opened"), "reader", "by", "purpose", "from", "kind", unwrapped_column("item")
    )  # fmt: skip
    for each in found:
        use, context = each.use, each.context
        add_row(
            table, format_time(use.at), context.reader, context.command, context.purpose or "not stated",
            use.from_state, use.kind, use.item_id,
        )  # fmt: skip
    out.print(table)


def _describe(recorded: RecordedUse) -> dict[str, Any]:
    use, context = recorded.use, recorded.context
    return {
        "at": format_time(use.at),
        "recorded_at": format_time(recorded.recorded_at),
        "reader": context.reader,
        "reader_key": context.reader_key,
        "command": context.command,
        "purpose": context.purpose,
        "id": use.id,
        "item_id": use.item_id,
        "from": use.from_state,
        "kind": use.kind,
    }
