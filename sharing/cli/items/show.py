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
from sharing.model.times import format_time
from sharing.topology.topics import ACTS, DECISIONS

_POLL_SECONDS = 0.5


def show_items(
    items: Annotated[list[str], typer.Argument(metavar="ITEM", help="Ids of items, or of their indicators.")],
    state: StateOption = None,
    agency: Annotated[
        str | None,
        typer.Option(
            "--agency", metavar="NAME", help="Show what this agency is told of its items. Default: SHARING_AGENCY."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and print what happens to them.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show items of the State in time: with codes, times and ids of officers, and no value of an item.

    Everything about an item stays on one partition, and only that is read. With --json, each item is a line; with
    --watch and --json, events are printed one a line.

    Officers read decisions, conversations and acts. An agency reads none of them, but its outcomes: with --agency, or
    where SHARING_AGENCY is set and the certificate is not that of officers. They have no ids of officers.
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
    places = list({place.item: place for place in (locate_item(console, name) for name in items)}.values())
    positions = {(kind.topic(console.state), place.partition): 0 for kind in (DECISIONS, ACTS) for place in places}
    group = console.open_history(ACTS).group
    with closing(TopicFollower(console.servers, group, positions, console.properties)) as follower:
        events: dict[str, list[TimelineEvent]] = {place.item: [] for place in places}
        for batch in follower.read_to_end():
            for place in places:
                events[place.item] += list_events(console, place, batch)
        for place in places:
            require_decided(console, place, is_recorded=bool(events[place.item]))
        for place in places:
            _print(
                console, place, sorted(events[place.item], key=lambda event: event.at), as_json=as_json, as_lines=watch
            )
        while watch and not out.is_closed:
            batch = follower.poll(_POLL_SECONDS)
            for place in places:
                label = place.item if len(places) > 1 else ""
                _print_events(place, list(list_events(console, place, batch)), as_json=as_json, label=label)


def _print(
    console: ConsoleConnection, place: ItemPlace, events: list[TimelineEvent], *, as_json: bool, as_lines: bool
) -> None:
    if as_json and as_lines:
        _print_events(place, events, as_json=True)
    elif as_json:
        print_json(_describe(console, place, events))
    else:
        _print_head(console, place)
        _print_events(place, events, as_json=False)
        _print_open(place.conversation)


def _describe(console: ConsoleConnection, place: ItemPlace, events: list[TimelineEvent]) -> dict[str, Any]:
    kept = place.conversation
    revisions = [event.revision for event in events if event.what == "DECIDED" and event.revision is not None]
    newest = format_revision(*kept.revision) if kept is not None else revisions[-1]
    version, _, amendment = newest.partition(".")
    return {
        "id": place.item,
        "indicator": place.indicator,
        "version": int(version),
        "amendment": int(amendment or 0),
        "state": console.state,
        "partition": place.partition,
        "timeline": [event.to_json() for event in events],
        "deliveries": {} if kept is None else describe_deliveries(kept),
        "open_asks": [] if kept is None else [ask.id for ask in kept.asks.values() if ask.is_open],
    }


def _print_head(console: ConsoleConnection, place: ItemPlace) -> None:
    kept = place.conversation
    print_line(f"item {place.item} of {console.state}", style="bold")
    print_labelled("indicator", place.indicator)
    if kept is not None:
        print_labelled("version", f"{format_revision(*kept.revision)}, {kept.urgency}, by {kept.publisher.agency}")
        for state, status in describe_deliveries(kept).items():
            print_labelled("delivery", f"{state}: {status}")
    else:
        print_labelled("asked", "nobody was ever asked about it")
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
                f"{format_time(ask.expires_at)}  open, {left} left: {describe_kind(ask.kind)}, asked of "
                f"{ask.state}{needed} [ask {ask.id}]; silence: {describe_silence(ask.row)}"
            )
