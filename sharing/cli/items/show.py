"""`sharing items show`: one item in time: why it was decided so, who was asked, what was sent, answered, recalled."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from sharing.cli.items.outcomes import show_outcomes
from sharing.cli.shared.agency_connection import is_officer
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, out, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import (
    describe_kind,
    describe_silence,
    describe_time_left,
    format_revision,
)
from sharing.console.item_timeline import ItemPlace, list_events, locate_item, require_decided
from sharing.console.own_items import describe_deliveries
from sharing.console.timeline import TimelineEvent
from sharing.conversation.deliveries import Conversation
from sharing.errors import InputError
from sharing.kafka.topic_follower import TopicFollower
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time
from sharing.topology.topics import ACTS, DECISIONS

_POLL_SECONDS = 0.5


def show_items(
    items: Annotated[list[str], typer.Argument(metavar="ITEM", help="Ids of items, or of their indicators.")],
    state: StateOption = None,
    agency: Annotated[
        str | None,
        typer.Option("--agency", metavar="NAME", help="Show what is reported to this agency. Default: SHARING_AGENCY."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep running, and print what happens to them.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show items of the State in time: with codes, times and ids of officers, and no value of an item.

    Everything about an item stays on one partition, and only that is read. With --json, each item is a line; with
    --watch and --json, events are printed one a line.

    Officers read decisions, conversations and acts. An agency reads none of them, but its outcomes: with --agency, or
    where SHARING_AGENCY is set and the certificate is not that of officers. They have no ids of officers.

    Exit code 1: a record could not be read, so something may be missing; it is named with its place.
    """
    if agency is not None and not agency.strip():
        raise InputError("--agency '': must not be empty; name the agency as it publishes, or leave the option out")
    if not all(name.strip() for name in items):
        raise InputError("ITEM '': must not be empty; give the id of an item, or of its indicator")
    console = connect_console(bootstrap, state)
    asking = agency or (None if is_officer(console.settings) else console.settings.agency)
    if asking is not None:
        show_outcomes(
            items, console.settings, console.state, asking, console.servers, dict(console.properties),
            watch=watch, as_json=as_json,
        )  # fmt: skip
        return
    _show_own(console, items, watch=watch, as_json=as_json)


def _show_own(console: ConsoleConnection, items: list[str], *, watch: bool, as_json: bool) -> None:
    """Show items of the State, from all that its officers may read.

    Raises:
        typer.Exit: With code 1, if a record could not be read.
        InputError: Nothing is known of an item.
    """
    unreadable: Unreadable = []
    places = list({place.item: place for place in (locate_item(console, name, unreadable) for name in items)}.values())
    is_complete = not unreadable  # of the conversations
    positions = {(kind.topic(console.state), place.partition): 0 for kind in (DECISIONS, ACTS) for place in places}
    group = console.open_history(ACTS).group
    follower = TopicFollower(console.servers, group, positions, console.properties, unreadable=unreadable)
    with closing(follower):
        events: dict[str, list[TimelineEvent]] = {place.item: [] for place in places}
        for batch in follower.read_to_end():
            for place in places:
                events[place.item] += list_events(console, place, batch, unreadable)
        count = print_unreadable(unreadable)
        for place in places:
            require_decided(console, place, is_recorded=bool(events[place.item]))
        for place in places:
            told = sorted(events[place.item], key=lambda event: event.at)
            if as_json and watch:
                _print_events(place, told, as_json=True)
            elif as_json:
                print_json(_describe(console, place, told, is_complete=is_complete))
            else:
                _print_all(console, place, told, is_complete=is_complete)
        while watch and not out.is_closed:
            unreadable.clear()
            batch = follower.poll(_POLL_SECONDS)
            for place in places:
                label = place.item if len(places) > 1 else ""
                told = list(list_events(console, place, batch, unreadable))
                _print_events(place, told, as_json=as_json, label=label)
            count += print_unreadable(unreadable)
    exit_if_incomplete(count, "something may be missing here; `sharing audit verify` says what is wrong with the logs")


def _print_all(console: ConsoleConnection, place: ItemPlace, events: list[TimelineEvent], *, is_complete: bool) -> None:
    _print_head(console, place, is_complete=is_complete)
    _print_events(place, events, as_json=False)
    _print_open(place.conversation)


def _describe(
    console: ConsoleConnection, place: ItemPlace, events: list[TimelineEvent], *, is_complete: bool
) -> dict[str, Any]:
    """Return an item as scripts rely on it. What may be in an entry that cannot be read is null."""
    kept = place.conversation
    revisions = [event.revision for event in events if event.what == "DECIDED" and event.revision is not None]
    newest = format_revision(*kept.revision) if kept is not None else (revisions or ["0"])[-1]
    version, _, amendment = newest.partition(".")
    deliveries: dict[str, str] | None = {} if is_complete else None
    open_asks: list[str] | None = [] if is_complete else None
    return {
        "id": place.item,
        "indicator": place.indicator,
        "version": int(version),
        "amendment": int(amendment or 0),
        "state": console.state,
        "partition": place.partition,
        "timeline": [event.to_json() for event in events],
        "deliveries": deliveries if kept is None else describe_deliveries(kept),
        "open_asks": open_asks if kept is None else [ask.id for ask in kept.asks.values() if ask.is_open],
    }


def _print_head(console: ConsoleConnection, place: ItemPlace, *, is_complete: bool) -> None:
    kept = place.conversation
    print_line(f"item {place.item} of {console.state}", style="bold")
    print_labelled("indicator", place.indicator)
    if kept is not None:
        print_labelled("version", f"{format_revision(*kept.revision)}, {kept.urgency}, by {kept.publisher.agency}")
        for state, status in describe_deliveries(kept).items():
            print_labelled("delivery", f"{state}: {status}")
    elif is_complete:
        print_labelled("asked", "nobody was ever asked about it")
    else:
        print_labelled("asked", "not known: its conversation may be in an entry that cannot be read")
    print_labelled("read", f"partition {place.partition} of decisions and acts", style="dim")


def _print_events(place: ItemPlace, events: list[TimelineEvent], *, as_json: bool, label: str = "") -> None:
    for event in events:
        if as_json:
            print_json({"id": place.item, **event.to_json()})
            continue
        revision = f" [version {event.revision}]" if event.revision is not None else ""
        name = f"{label}  " if label else ""
        print_line(f"{format_time(event.at)}  {name}{event.text}{event.describe_cause()}{revision}")


def _print_open(kept: Conversation | None) -> None:
    now = read_clock()
    for ask in kept.asks.values() if kept is not None else ():
        if ask.is_open:
            left = describe_time_left(ask.expires_at, now)
            needed = f", {ask.needed} officers" if ask.needed > 1 else ""
            print_line(
                f"{format_time(ask.expires_at)}  open, {left}: {describe_kind(ask.kind)}, asked of "
                f"{ask.state}{needed} [ask {ask.id}]; silence: {describe_silence(ask.row)}"
            )
