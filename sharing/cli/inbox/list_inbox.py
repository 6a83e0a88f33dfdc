"""`sharing inbox list`: the notices and offers in the inbox, newest first, without their content."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer

from sharing.cli.inbox.recalled import Recalled, add_recall, is_recalled, read_recalled
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.inbox_options import require_reader
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.states import read_state
from sharing.console.conversation_words import describe_time_left, format_revision
from sharing.console.inbox_items import InboxItem, UnreadableItem, read_inbox
from sharing.console.printable import to_printable
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import MessageKind


class InboxRow(NamedTuple):
    """What is listed of an item of the inbox.

    Attributes:
        id: Id of the notice or offer.
        kind: OFFER, ITEM, CORRECTION or RECALL.
        received_at: When the worker verified it, in UTC milliseconds.
        fields: The fields that tell whether it is recalled, and what binds.
    """

    id: str
    kind: str
    received_at: int
    fields: dict[str, Any]

    def to_json(self, recalled: Recalled) -> dict[str, Any]:
        """Return it as JSON."""
        fields = self.fields
        return {
            "id": self.id,
            "kind": self.kind,
            "from": fields["from_state"],
            "item_id": fields["item_id"],
            "version": fields["version"],
            "amendment": fields["amendment"],
            "urgency": fields["urgency"],
            "sent_at": format_time(to_milliseconds(fields["sent_at"])),
            "received_at": format_time(self.received_at),
            "conditions": fields["conditions"],
            "until": None if self.until is None else format_time(self.until),
            "recalled": is_recalled(recalled, fields),
        }

    @property
    def until(self) -> int | None:
        """Until when an offer can be answered, or an item be kept, in UTC milliseconds; None without a limit."""
        instant = self.fields["until"]
        return None if instant is None else to_milliseconds(instant)


def list_inbox(
    state: StateOption = None,
    from_state: Annotated[
        str | None, typer.Option("--from", metavar="STATE", help="Only what this State has sent.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List what the State has received, without content: nothing counts as received by it. Recalled items are marked.

    It needs a reader's key (SHARING_READER_KEY). Exit code 1: an item could not be opened.
    """
    console = connect_console(bootstrap, state)
    sender = None if from_state is None else read_state("--from", from_state)
    recalled = read_recalled(console)

    def keep(item: InboxItem) -> InboxRow:
        add_recall(recalled, item)
        return _make_row(item)

    with require_reader(
        console.settings, console.servers, console.state, console.properties, "inbox list"
    ) as reader:  # fmt: skip
        kept = read_inbox(console, reader, keep)
    rows = [row for row in kept.values() if isinstance(row, InboxRow) and sender in {None, row.fields["from_state"]}]
    rows.sort(key=lambda row: (-row.received_at, row.id))
    if as_json:
        for row in rows:
            print_json(row.to_json(recalled))
    else:
        _print_rows(rows, recalled)
    unreadable = [each for each in kept.values() if isinstance(each, UnreadableItem)]
    for each in unreadable:
        err.print(f"unreadable: {each.place}: {to_printable(each.reason)}")
    if unreadable:
        raise typer.Exit(1)


def _make_row(item: InboxItem) -> InboxRow:
    fields, is_offer = item.fields, item.kind is MessageKind.OFFER
    names = ("from_state", "item_id", "version", "amendment", "urgency", "sent_at")
    kept: dict[str, Any] = {name: fields[name] for name in names}
    kept["conditions"] = [condition["code"] for condition in fields["conditions"]]
    kept["until"] = fields["expires_at"] if is_offer else fields["retain_until"]
    return InboxRow(item.id, "OFFER" if is_offer else str(fields["kind"]), item.received_at, kept)


def _print_rows(rows: list[InboxRow], recalled: Recalled) -> None:
    if not rows:
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
