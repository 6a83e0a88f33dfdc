"""`sharing audit subject`: where an item or a value went, what was asked about it and answered, who opened it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.audit.subject_search import UNKNOWN_PARTITION, SearchResult, Subject, SubjectItem, search
from sharing.cli.audit.use_recording import open_use_log
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.clients.inbox_reader import InboxReader
from sharing.console.connection import ConsoleConnection
from sharing.console.item_timeline import ItemPlace, read_item_history
from sharing.console.printable import to_printable
from sharing.console.readers import open_reader
from sharing.console.timeline import TimelineEvent
from sharing.errors import InputError, SettingsError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.key_partition import find_partition
from sharing.kafka.unreadable_records import Unreadable
from sharing.kafka.use_reader import RecordedUse, read_uses
from sharing.keystore.configured_keys import open_configured_keys
from sharing.model.times import format_time
from sharing.text_file import read_text_file
from sharing.topology.topics import DECISIONS

_SHOWN_MAX = 40
_STDIN = Path("-")


def show_subject(
    item: Annotated[str | None, typer.Argument(metavar="ITEM", help="Id of an item, or of its indicator.")] = None,
    value_file: Annotated[
        Path | None,
        typer.Option("--value-file", metavar="FILE", help="File with a value to search for; - for standard input."),
    ] = None,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show where an item or a value went: decided for whom, sent, asked, answered, recalled, and opened by whom.

    A value is never given on the command line, where other users see it. It is searched in the State's own items, with
    its keys (SHARING_KEY_FOLDER), and in its inbox, with a reader's key (SHARING_READER_KEY); that it was searched is
    recorded. Exit code 1: a copy could not be opened, or a record not be read, so the answer may be incomplete.
    """
    if (item is None) == (value_file is None):
        raise InputError("give either the id of an item, or --value-file FILE with a value")
    console = connect_console(bootstrap, state)
    subject = Subject(item=item) if item is not None else Subject.from_value(_read_value(value_file or _STDIN))
    result = _search(console, subject)
    unreadable = result.unreadable
    if item is not None and not result.items:
        result.items.append(_locate_indicator(console, item, unreadable))
    events = {id(each): _read_events(console, each, unreadable) for each in result.items}
    if item is not None and not any(events.values()) and result.items[0].partition == UNKNOWN_PARTITION:
        print_unreadable(unreadable)
        raise InputError(f"{to_printable(item)[:_SHOWN_MAX]}: nothing is recorded about such an item")
    uses = _read_uses(console, result.items, unreadable)
    for each in result.items:
        own_uses = [use for use in uses if use.use.item_id == each.item]
        if as_json:
            print_json(_describe(each, events[id(each)], own_uses))
        else:
            _print(console, each, events[id(each)], own_uses)
    if not result.items and not as_json:
        print_line(f"{console.state}: no copy that is kept has this value")
    for reason in result.unopened:
        err.print(f"not opened: {reason}")
    exit_if_incomplete(len(result.unopened) + print_unreadable(unreadable), "the answer may be incomplete")


def _read_value(file: Path) -> str:
    text = sys.stdin.read(100_000) if file == _STDIN else read_text_file(file)
    lines = text.strip().splitlines()
    if len(lines) != 1:
        raise InputError("the file must have one line, with one value")
    return lines[0]


def _search(console: ConsoleConnection, subject: Subject) -> SearchResult:
    """Search, and record that copies were opened for it.

    Raises:
        SettingsError: A value is searched for, and no keys are configured.
    """
    if not subject.values:
        return search(console, subject, None, None)
    settings = console.settings
    keys = open_configured_keys(settings)
    if keys is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is not set: copies of items are sealed, and a value is searched on the State's own "
            "machine, with its keys"
        )
    reader = None
    if settings.reader_key is not None:
        reader = open_reader(settings, console.servers, console.state, console.properties, "audit subject")
    else:
        err.print("SHARING_READER_KEY is not set: the inbox is not searched")
    with reader or nullcontext():
        result = search(console, subject, keys, reader)
        if settings.record_uses:
            _record_uses(console, reader, result.items)
    return result


def _record_uses(console: ConsoleConnection, reader: InboxReader | None, items: Iterable[SubjectItem]) -> None:
    """Record that these items were opened.

    Raises:
        InfrastructureError: It cannot be recorded, so nothing may be shown.
    """
    log = None if reader is None else reader.uses
    if log is None:
        log = open_use_log(console, "audit subject")
    for item in items:
        for message_id, kind in item.copies:
            log.note(message_id, item.item, item.provider, kind)
    log.flush()


def _locate_indicator(console: ConsoleConnection, name: str, unreadable: Unreadable) -> SubjectItem:
    """Return where the decisions on an indicator are about which there was no conversation."""
    topic = DECISIONS.topic(console.state)
    present = look_up_topics(console.servers, console.properties)
    require_topics(present, [topic], console.state)
    made = SubjectItem(name, console.state, indicator=name)
    number = find_partition(name.encode(), present[topic])
    if any(_read_events(console, made, unreadable, number)):
        made.partition = number
    return made


def _read_events(
    console: ConsoleConnection, item: SubjectItem, unreadable: Unreadable, partition: int | None = None
) -> list[TimelineEvent]:
    """Return what is recorded about an item, in time. What cannot be read is added to a list."""
    number = item.partition if partition is None else partition
    if number == UNKNOWN_PARTITION:
        return []
    place = ItemPlace(item.item, item.indicator, number, None)
    return list(read_item_history(console, place, item.provider, unreadable=unreadable).events)


def _read_uses(console: ConsoleConnection, items: Iterable[SubjectItem], unreadable: Unreadable) -> list[RecordedUse]:
    wanted = {item.item for item in items}
    group = name_console_group(console.state, "uses")
    found = read_uses(
        console.servers, console.state, group, properties=console.properties, framing=console.framing,
        unreadable=unreadable,
    )  # fmt: skip
    return sorted((use for use in found if use.use.item_id in wanted), key=lambda use: use.use.at)


def _describe(item: SubjectItem, events: Iterable[TimelineEvent], uses: Iterable[RecordedUse]) -> dict[str, Any]:
    return {
        "item": item.item,
        "provider": item.provider,
        "indicator": item.indicator or None,
        "copies": [{"id": message_id, "kind": kind} for message_id, kind in item.copies],
        "timeline": [event.to_json() for event in events],
        "opened": [
            {"at": format_time(use.use.at), "reader": use.context.reader, "command": use.context.command,
             "purpose": use.context.purpose}
            for use in uses
        ],
    }  # fmt: skip


def _print(
    console: ConsoleConnection, item: SubjectItem, events: Iterable[TimelineEvent], uses: Iterable[RecordedUse]
) -> None:
    origin = "its own" if item.provider == console.state else f"received from {item.provider}"
    print_line(f"item {item.item} of {console.state}: {origin}", style="bold")
    for message_id, kind in item.copies:
        print_labelled("copy", f"{kind} {message_id}")
    for event in events:
        print_line(f"{format_time(event.at)}  {event.text}{event.describe_cause()}", indent=2)
    for use in uses:
        purpose = use.context.purpose or "no purpose stated"
        print_line(
            f"{format_time(use.use.at)}  opened by {use.context.reader}, {use.context.command}, {purpose}", indent=2
        )
