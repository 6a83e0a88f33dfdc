"""`sharing inbox list`: the notices and offers in the inbox, newest first, without their content."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.inbox.recalled import RECALLS_UNKNOWN, read_kept_recalls
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.states import read_state
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.console.conversation_words import describe_time_left, format_revision
from sharing.console.inbox_items import InboxItem, UnreadableItem, read_inbox
from sharing.console.inbox_rows import InboxRow, make_inbox_row
from sharing.console.printable import to_printable
from sharing.console.readers import require_reader
from sharing.console.recalls import Recalled, add_recall, is_recalled
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time


def list_inbox(
    state: StateOption = None,
    from_state: Annotated[
        str | None, typer.Option("--from", metavar="STATE", help="Only what this State has sent.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List what the State has received, without content: nothing counts as received by it. Recalled items are marked.

    It needs a reader's key (SHARING_READER_KEY). Exit code 1: an item could not be opened, or what was recalled could
    not be read.
    """
    console = connect_console(bootstrap, state)
    sender = None if from_state is None else read_state("--from", from_state)
    unread: Unreadable = []
    known = read_kept_recalls(console, unread)
    recalled: Recalled = {} if known is None else known

    def keep(item: InboxItem) -> InboxRow:
        add_recall(recalled, item)
        return make_inbox_row(item)

    with require_reader(
        console.settings, console.servers, console.state, console.properties, "inbox list"
    ) as reader:  # fmt: skip
        kept = read_inbox(console, reader, keep)
    rows = [row for row in kept.values() if isinstance(row, InboxRow) and sender in {None, row.fields["from_state"]}]
    rows.sort(key=lambda row: (-row.received_at, row.id))
    unreadable = [each for each in kept.values() if isinstance(each, UnreadableItem)]
    are_recalls_known = not unread and (known is not None or not unreadable)
    if as_json:
        for row in rows:
            shown = row.to_json(recalled)
            print_json(shown if shown["recalled"] or are_recalls_known else {**shown, "recalled": None})
    else:
        _print_rows(rows, recalled, is_complete=not unreadable)
    for each in unreadable:
        err.print(f"unreadable: {each.place}: {to_printable(each.reason)}")
    count = len(unreadable) + print_unreadable(unread)
    exit_if_incomplete(count, "items may be missing" if are_recalls_known else RECALLS_UNKNOWN)


def _print_rows(rows: list[InboxRow], recalled: Recalled, *, is_complete: bool) -> None:
    if not rows:
        if is_complete:
            err.print("the inbox is empty")
        return
    now = read_clock()
    table = make_table(unwrapped_column("id"), "kind", "from", "version", "urgency", "conditions", "until", "")
    for row in rows:
        fields = row.fields
        until = "" if row.until is None else f"{format_time(row.until)} ({describe_time_left(row.until, now)})"
        mark = "RECALLED" if row.kind != "RECALL" and is_recalled(recalled, fields) else ""
        version = format_revision(fields["version"], fields["amendment"])
        add_row(
            table, row.id, row.kind, fields["from_state"], version, fields["urgency"], ", ".join(fields["conditions"]),
            until, mark,
        )  # fmt: skip
    out.print(table)
