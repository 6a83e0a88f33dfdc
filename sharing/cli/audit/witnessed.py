"""`sharing audit witnessed`: what this State has seen of the audit logs of others, and which have forked."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.states import read_state
from sharing.cli.shared.unreadable import exit_if_unreadable
from sharing.console.witnessed_logs import SeenLog, read_seen_logs
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time


def list_witnessed(
    state: StateOption = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="STATE", help="Only the logs of this State.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List how far the State has seen each audit log that it follows, its own included, and which have forked.

    Of its own logs, it also shows how many blocks are time-stamped. With --json, each log has its last checkpoint, and
    of a fork the two checkpoints that prove it. Exit code 1: a log has forked, or an entry could not
    be read; it is named with its place.
    """
    console = connect_console(bootstrap, state)
    wanted = None if owner is None else read_state("--owner", owner)
    unreadable: Unreadable = []
    seen = [
        each
        for each in sorted(read_seen_logs(console, unreadable), key=lambda each: each.origin)
        if wanted in {None, each.log.last.place.state}
    ]
    if as_json:
        for each in seen:
            print_json(each.to_json())
    elif not (seen or unreadable):
        err.print(f"{console.state} has seen no checkpoint; SHARING_WITNESS_FOR names the States that it witnesses")
    else:
        table = make_table(unwrapped_column("log"), "blocks", "watched since block", "signed", "time-stamped", "fork")
        for each in seen:
            last = each.log.last
            fork = "FORKED: see --json" if each.log.evidence else "none"
            signed_at, stamped = format_time(last.signed_at), _describe_stamp(each, console.state)
            add_row(table, each.origin, last.size, each.log.first_size, signed_at, stamped, fork)
        out.print(table)
    exit_if_unreadable(unreadable, "more logs may be watched than are listed, and one of them may have forked")
    if any(each.log.evidence for each in seen):
        raise typer.Exit(1)


def _describe_stamp(seen: SeenLog, state: str) -> str:
    """Return up to where the worker has had a log of its own State time-stamped; "-" for one of another State."""
    if seen.log.last.place.state != state:
        return "-"
    if seen.stamp is None:
        return "never"
    return f"until block {seen.stamp.blocks}, {format_time(seen.stamp.written_at)}"
