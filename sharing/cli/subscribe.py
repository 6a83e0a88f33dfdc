"""`sharing subscribe`: a State's notices as they come, verified and opened."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.console import AsJson, Bootstrap, err, out, print_json, settings_with_broker
from sharing.model.notice import Notice
from sharing.subscriber import Subscriber, Unreadable


def subscribe(
    state: Annotated[str, typer.Argument(help="The receiving State, such as DE.")],
    once: Annotated[bool, typer.Option("--once", help="Stop when everything that is there has been read.")] = False,
    group: Annotated[str | None, typer.Option("--group", help="Consumer group; its position is kept.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Print the notices of a State as they come. A notice is taken as received once it is printed."""
    _, servers = settings_with_broker(bootstrap)
    unreadable: list[Unreadable] = []

    def tell(record: Unreadable) -> None:
        unreadable.append(record)
        err.print(f"unreadable: {record.topic}/{record.partition}@{record.offset}: {record.reason}")

    with Subscriber(servers, state, group=group, on_unreadable=tell, stop_at_end=once) as subscriber:
        if not once:
            err.print(f"waiting for notices to {subscriber.state}; end with Ctrl-C")
        for notice in subscriber:
            if as_json:
                print_json(notice.to_json())
            else:
                show_notice(notice)
    if unreadable:
        raise typer.Exit(1)


def show_notice(notice: Notice) -> None:
    """Print a notice for a person."""
    content = notice.content
    mark = "" if notice.urgency in {"ORDINARY", "UNKNOWN"} else f" [bold red]{notice.urgency}[/]"
    title = f"{content['type']} {content['value'] or '(content stays with the provider)'}"
    out.print(f"[bold]{notice.from_state} → {notice.to_state}[/]{mark} {notice.kind.lower()}: ", end="")
    out.print(title, markup=False)
    out.print(f"  law        {'; '.join(f'{rule.citation} [{rule.id}]' for rule in notice.rules)}", markup=False)
    out.print(f"  basis      {notice.basis or 'none'}", markup=False)
    out.print(f"  why here   {'; '.join(detail for _, detail in notice.relevance)}", markup=False)
    for condition in notice.conditions:
        out.print(f"  condition  {condition.text} [{condition.code}]", markup=False)
    if content["summary"]:
        out.print(f"  summary    {content['summary']}", markup=False)
    out.print(f"  notice     {notice.id}", markup=False, style="dim")
