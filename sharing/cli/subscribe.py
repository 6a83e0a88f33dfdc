"""`sharing subscribe`: a State's notices as they come, verified and opened."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from sharing._subscriber import Subscriber, Unreadable
from sharing.cli.connection import Bootstrap, bus_settings
from sharing.cli.console import AsJson, err, out, print_json, printable, say_labelled
from sharing.model.countries import normalise_country
from sharing.model.notice import Notice
from sharing.serialization.schema_registry import open_framing


def subscribe(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The receiving State, such as DE.")],
    once: Annotated[bool, typer.Option("--once", help="Stop when everything that is there has been read.")] = False,
    group: Annotated[str | None, typer.Option("--group", help="Consumer group; its position is kept.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Print the notices of a State as they come. A notice is taken as received once it is printed."""
    settings, servers, tls = bus_settings(bootstrap)
    framing = open_framing(settings, normalise_country(state))
    unreadable: list[Unreadable] = []

    def tell(record: Unreadable) -> None:
        unreadable.append(record)
        err.print(f"unreadable: {record.topic}/{record.partition}@{record.offset}: {printable(record.reason)}")

    def show(notice: Notice) -> None:
        if as_json:
            print_json(notice.to_json())
        else:
            show_notice(notice)

    with Subscriber(
        servers, state, group=group, properties=tls, on_unreadable=tell, stop_at_end=once, framing=framing
    ) as subscriber:
        if not once:
            err.print(f"waiting for notices to {subscriber.state}; end with Ctrl-C")
        subscriber.run(show)
    if unreadable:
        raise typer.Exit(1)


def show_notice(notice: Notice) -> None:
    """Print a notice for a person."""
    content = notice.content
    title = Text(f"{notice.from_state} → {notice.to_state}", style="bold")
    if notice.urgency not in {"ORDINARY", "UNKNOWN"}:
        title.append(f" {notice.urgency}", style="bold red")
    value = content["value"] or "(the value stays with the providing State)"
    title.append(printable(f" {notice.kind.lower()}: {content['type'] or 'item'} {value}"), style="not bold")
    out.print(title)
    say_labelled("law", "; ".join(f"{rule.citation} [{rule.id}]" for rule in notice.rules))
    say_labelled("basis", notice.basis or "none")
    say_labelled("why here", "; ".join(detail for _, detail in notice.relevance))
    for condition in notice.conditions:
        say_labelled("condition", f"{condition.text} [{condition.code}]")
    if content["summary"]:
        say_labelled("summary", content["summary"])
    say_labelled("notice", notice.id, style="dim")
