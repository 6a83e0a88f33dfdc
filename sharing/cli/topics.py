"""`sharing topics`: the one table, as a table and onto a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.console import (
    AsJson,
    Bootstrap,
    add_row,
    err,
    make_table,
    out,
    print_json,
    say,
    settings_with_broker,
    whole,
)
from sharing.errors import InputError
from sharing.kafka.topic_admin import Change, apply_topics
from sharing.law_library import shipped_states
from sharing.model.countries import normalise_country
from sharing.registry import Registry
from sharing.settings import load_settings
from sharing.topics import topics_for

app = typer.Typer(name="topics", help="The topics of the bus: shown, and made on a cluster.", no_args_is_help=True)

States = Annotated[
    str | None,
    typer.Option("--states", help="Country codes, separated by commas; all States with a shipped pack when not given."),
]
Partitions = Annotated[
    int | None,
    typer.Option("--partitions", min=1, max=1000, help="Partitions of each topic but the directory."),
]


def read_states(text: str | None) -> tuple[str, ...]:
    """Return country codes from a list with commas.

    Raises:
        InputError: One is unknown, or the list is empty.
    """
    if text is None:
        return shipped_states()
    states = tuple(normalise_country(part.strip()) for part in text.split(",") if part.strip())
    if not states:
        raise InputError("--states is empty; give country codes, such as --states CH,DE")
    return states


@app.command("list")
def list_topics(states: States = None, partitions: Partitions = None, as_json: AsJson = False) -> None:
    """Show every topic that a cluster with these States has."""
    settings = load_settings(partitions=partitions)
    wanted = topics_for(read_states(states), settings.partitions)
    if as_json:
        print_json(
            [
                {
                    "name": topic.name,
                    "partitions": topic.partitions,
                    "schema": topic.kind.schema,
                    "key": topic.kind.key,
                    "writer": topic.kind.writer,
                    "reader": topic.kind.reader,
                    "config": topic.kind.config(),
                }
                for topic in wanted.values()
            ]
        )
        return
    table = make_table(whole("topic"), whole("partitions"), "kept", "key", "writer → reader")
    for topic in wanted.values():
        kind = topic.kind
        kept = (
            "last of each key"
            if kind.compacted
            else "for ever"
            if kind.retention_ms < 0
            else f"{kind.retention_ms // 86_400_000} days"
        )
        add_row(table, topic.name, topic.partitions, kept, kind.key, f"{kind.writer} → {kind.reader}")
    out.print(table)


@app.command(short_help="Make the missing ones on a cluster; say what differs.")
def apply(
    states: States = None,
    partitions: Partitions = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Make the topics that are missing, and say what differs; nothing is ever shrunk or deleted."""
    settings, servers = settings_with_broker(bootstrap, partitions=partitions)
    wanted = topics_for(read_states(states), settings.partitions)
    changes = apply_topics(servers, wanted, settings.replication)
    if settings.registry is not None:
        registered = Registry(settings.registry).register(wanted.values())
        err.print(f"schemas: {sum(one.kind == 'registered' for one in registered)} of {len(registered)} registered now")
    differs = [change for change in changes if change.kind == "differs"]
    if as_json:
        print_json([{"topic": change.topic, "change": change.kind, "detail": change.detail} for change in changes])
    else:
        _show(changes)
    if differs:
        raise typer.Exit(1)


def _show(changes: list[Change]) -> None:
    made = [change for change in changes if change.kind == "created"]
    for change in made:
        say(f"created  {change.topic}")
    for change in changes:
        if change.kind == "differs":
            say(f"differs  {change.topic}: {change.detail}")
    err.print(f"{len(made)} created, {len(changes) - len(made)} were there already")
