"""`sharing items show`: one item in time: why it was decided so, who was asked, what was sent, answered, recalled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from confluent_kafka import Message

from sharing.cli.items.outcomes import show_outcomes
from sharing.cli.shared.agency_connection import is_officer
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import (
    describe_kind,
    describe_silence,
    describe_time_left,
    format_revision,
)
from sharing.console.own_items import describe_deliveries, find_own_item, shorten_name
from sharing.console.timeline import TimelineEvent, list_decided, read_act
from sharing.conversation.deliveries import Conversation
from sharing.errors import InputError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.item_history import list_records, match_ids
from sharing.kafka.key_partition import find_partition
from sharing.kafka.topic_follower import TopicFollower
from sharing.model.times import format_time
from sharing.topology.topics import ACTS, DECISIONS

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """An item, and where its records are.

    Attributes:
        item: Id of the item; of the indicator, if there is no conversation about it.
        indicator: Id of the indicator.
        partition: Its partition.
        conversation: What is kept about it; None if people were never asked about it.
    """

    item: str
    indicator: str
    partition: int
    conversation: Conversation | None


def show_items(
    items: Annotated[list[str], typer.Argument(metavar="ITEM…", help="Ids of items, or of their indicators.")],
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
    console = connect_console(bootstrap, state)
    asking = agency or (None if is_officer(console.settings) else console.settings.agency)
    if asking is not None:
        show_outcomes(
            items, console.settings, console.state, asking, console.servers, dict(console.properties),
            watch=watch, as_json=as_json,
        )  # fmt: skip
        return
    places = list({place.item: place for place in (_locate(console, name) for name in items)}.values())
    positions = {(kind.topic(console.state), place.partition): 0 for kind in (DECISIONS, ACTS) for place in places}
    group = console.open_history(ACTS).group
    with closing(TopicFollower(console.servers, group, positions, console.properties)) as follower:
        events: dict[str, list[TimelineEvent]] = {place.item: [] for place in places}
        for batch in follower.read_to_end():
            for place in places:
                events[place.item] += _read(console, place, batch)
        for place in places:
            _require_known(console, place, events[place.item])
        for place in places:
            _print(
                console, place, sorted(events[place.item], key=lambda event: event.at), as_json=as_json, as_lines=watch
            )
        while watch:
            batch = follower.poll(_POLL_SECONDS)
            for place in places:
                label = place.item if len(places) > 1 else ""
                _print_events(place, list(_read(console, place, batch)), as_json=as_json, label=label)


def _require_known(console: ConsoleConnection, place: ItemPlace, events: list[TimelineEvent]) -> None:
    """Refuse an item of which nothing is known.

    Raises:
        InputError: Nothing is.
    """
    if not events and place.conversation is None:
        raise InputError(
            f"{shorten_name(place.item)}: {console.state} has decided on no such item; give the id of an item or of "
            "its indicator, and name the State with --state"
        )


def _locate(console: ConsoleConnection, name: str) -> ItemPlace:
    """Return where the records of an item are.

    The entry of its conversation is on the item's partition. Where there is none, an id of 36 characters may be that of
    an indicator, whose records are on the partition of this key: the gate refuses any that are not.
    """
    topics = [DECISIONS.topic(console.state), ACTS.topic(console.state)]
    present = look_up_topics(console.servers, console.properties)
    require_topics(present, topics, console.state)
    found = find_own_item(console, name)
    if found is not None:
        conversation = found.conversation
        return ItemPlace(conversation.item, conversation.indicator, found.partition, conversation)
    return ItemPlace(name, name, find_partition(name.encode(), present[topics[0]]), None)


def _read(console: ConsoleConnection, place: ItemPlace, messages: Iterable[Message]) -> Iterator[TimelineEvent]:
    decisions, acts = console.open_history(DECISIONS), console.open_history(ACTS)
    find_decided, find_act = match_ids({place.indicator: place.item}), match_ids({place.item: place.item})
    for message in messages:
        if message.topic() == decisions.name:
            for decided in list_records(message, decisions, find_decided):
                yield from list_decided(decided)
        else:
            for done in list_records(message, acts, find_act):
                # Another State may have given an item of its own the same id.
                if done.fields["provider"] == console.state:
                    yield read_act(done)


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
        by = f", by {event.by}" if event.by is not None and event.by not in event.text else ""
        print_line(f"{format_time(event.at)}  {f'{label}  ' if label else ''}{event.text}{by}{revision}")


def _print_open(kept: Conversation | None) -> None:
    now = read_clock()
    for ask in kept.asks.values() if kept is not None else ():
        if ask.is_open:
            left = describe_time_left(ask.expires_at, now)
            print_line(
                f"{format_time(ask.expires_at)}  open, {left} left: {describe_kind(ask.kind)}, asked of {ask.state} "
                f"[ask {ask.id}]; silence: {describe_silence(ask.row)}"
            )
