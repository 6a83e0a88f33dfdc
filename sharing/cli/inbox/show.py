"""`sharing inbox show`: one notice or offer, with what binds the State."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.inbox.recalled import RECALLS_UNKNOWN, find_item_and_recalls, read_kept_recalls
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.notices import print_notice
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.clients.inbox_reader import InboxReader
from sharing.console.conversation_words import describe_time_left, format_revision
from sharing.console.inbox_items import InboxItem, UnreadableItem, find_inbox_items
from sharing.console.printable import to_printable
from sharing.console.readers import require_reader
from sharing.console.recalls import add_recall, is_recalled
from sharing.errors import InputError
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import MessageKind, NoticeKind
from sharing.rulings.ruling import compute_conditions_hash

_SHOWN_MAX = 40


def show_received(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the notice or offer, as `inbox list` shows.")],
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show one notice with its content, or one offer: conditions, law, until when, and whether it is recalled.

    Exit code 1: what was recalled could not be read, so whether it is recalled is not known.
    """
    console = connect_console(bootstrap, state)
    with require_reader(
        console.settings, console.servers, console.state, console.properties, "inbox show"
    ) as reader:  # fmt: skip
        unread: Unreadable = []
        unopened: list[UnreadableItem] = []
        recalled = read_kept_recalls(console, unread)
        if recalled is not None:
            found = find_inbox_items(console, reader, {message_id})
            item = found.pop(message_id, None)
        else:
            recalled = {}
            found = find_item_and_recalls(console, reader, message_id, recalled)
            item = found.pop(message_id, None)
            unopened = [each for each in found.values() if isinstance(each, UnreadableItem)]
        if isinstance(item, InboxItem):
            _record_use(reader, item)
    if item is None:
        for each in found.values():
            if isinstance(each, UnreadableItem) and not each.id:
                err.print(f"unreadable, and the item may be in it: {each.place}: {to_printable(each.reason)}")
        raise InputError(
            f"{to_printable(message_id)[:_SHOWN_MAX]}: {console.state} has no such notice or offer in its inbox, or it "
            "was deleted after a recall; `sharing inbox list` shows what there is"
        )
    if isinstance(item, UnreadableItem):
        raise InputError(f"{item.place} cannot be opened: {item.reason}")
    add_recall(recalled, item)
    is_gone = is_recalled(recalled, item.fields)
    _print(item, is_gone=is_gone, is_known=is_gone or not (unread or unopened), as_json=as_json)
    for each in unopened:
        err.print(f"unreadable: {each.place}: {to_printable(each.reason)}")
    exit_if_incomplete(len(unopened) + print_unreadable(unread), RECALLS_UNKNOWN)


def _print(item: InboxItem, *, is_gone: bool, is_known: bool, as_json: bool) -> None:
    if as_json:
        shown = _describe_offer(item) if item.kind is MessageKind.OFFER else item.to_notice().to_json()
        is_recalled_now = is_gone if is_known else None
        print_json({**shown, "received_at": format_time(item.received_at), "recalled": is_recalled_now})
        return
    if is_gone and item.fields.get("kind") != NoticeKind.RECALL:
        print_line("RECALLED: it must not be used any more", style="bold red")
    if item.kind is MessageKind.OFFER:
        _print_offer(item)
    else:
        print_notice(item.to_notice())


def _record_use(reader: InboxReader, item: InboxItem) -> None:
    """Record that the item is about to be shown.

    Raises:
        InfrastructureError: It cannot be recorded, so it must not be shown.
    """
    if reader.uses is not None:
        fields = item.fields
        kind = "OFFER" if item.kind is MessageKind.OFFER else fields["kind"]
        reader.uses.note(item.id, fields["item_id"], fields["from_state"], kind)
        reader.uses.flush()


def _describe_offer(item: InboxItem) -> dict[str, Any]:
    fields = item.fields
    conditions = list(map(Condition.from_record, fields["conditions"]))
    return {
        "id": item.id,
        "kind": "OFFER",
        "item_id": fields["item_id"],
        "version": fields["version"],
        "amendment": fields["amendment"],
        "from": fields["from_state"],
        "to": fields["to_state"],
        "urgency": fields["urgency"],
        "form": fields["form"],
        "category": fields["category"],
        "offences": list(fields["offence_codes"]),
        "conditions": [{"code": each.code, "kind": str(each.kind), "text": each.text} for each in conditions],
        "conditions_hash": compute_conditions_hash(conditions),
        "rules": [{"id": rule["id"], "citation": rule["citation"]} for rule in fields["rules"]],
        "basis": fields["basis"],
        "sent_at": format_time(item.sent_at),
        "expires_at": format_time(to_milliseconds(fields["expires_at"])),
    }


def _print_offer(item: InboxItem) -> None:
    fields = item.fields
    urgency = "" if fields["urgency"] == "ORDINARY" else f" {fields['urgency']}"
    print_line(f"{fields['from_state']} → {fields['to_state']}{urgency} offer: {fields['category']}", style="bold")
    version = format_revision(fields["version"], fields["amendment"])
    print_labelled("sent", f"{format_time(item.sent_at)}, version {version}, {fields['form']}")
    print_labelled("offence", ", ".join(fields["offence_codes"]) or "not stated")
    for rule in map(RuleReference.from_record, fields["rules"]):
        print_labelled("law", f"{rule.citation} [{rule.id}]")
    print_labelled("basis", fields["basis"] or "none")
    conditions = list(map(Condition.from_record, fields["conditions"]))
    for condition in conditions:
        print_labelled("condition", f"{condition.text} [{condition.code}]")
    print_labelled("hash", f"{compute_conditions_hash(conditions)} of the conditions")
    expires_at = to_milliseconds(fields["expires_at"])
    left = describe_time_left(expires_at, read_clock())
    print_labelled("deadline", f"{format_time(expires_at)} ({left}): silence does not count as acceptance")
    print_labelled("ask", f"{item.id}: answer it with `sharing asks answer`")
