"""`sharing quarantine`: what could not be processed, why, and what to do about it. No content is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from sharing.cli.quarantine.remedies import suggest_remedy
from sharing.cli.shared.connection import Bootstrap, load_client_settings
from sharing.cli.shared.console import (
    AsJson,
    add_row,
    err,
    make_table,
    out,
    print_json,
    print_labelled,
    print_line,
    unwrapped_column,
)
from sharing.cli.shared.instants import parse_instant
from sharing.cli.shared.states import read_state
from sharing.cli.shared.unreadable import exit_if_unreadable, print_unreadable
from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.kafka.quarantine_reader import QuarantinedRecord, read_quarantine
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time
from sharing.serialization.schema_registry import load_framing
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role

ID_CHARACTERS_MIN = 8

_FIND_WRITER = (
    "the topic was damaged, another program has written to it, or the gate is newer than this release; update it, or "
    "look for what was quarantined in the gate's log"
)

app = typer.Typer(
    name="quarantine", help="What could not be processed, and why: list it, show one record.", no_args_is_help=True
)

StateOption = Annotated[
    str | None, typer.Option("--state", help="The State, such as CH. Default: SHARING_STATE.", metavar="STATE")
]


@app.command("list", short_help="List the quarantined records, the newest last.")
def list_records(
    state: StateOption = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what was quarantined since this time.")
    ] = None,
    cause: Annotated[
        str | None, typer.Option("--cause", metavar="CAUSE", help="Only records with this cause, such as FIELD_VALUE.")
    ] = None,
    last: Annotated[int, typer.Option("--last", help="How many of the newest records; 0 for all.", metavar="N")] = 100,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List what a State's worker could not process, with its causes. The content of records is not shown.

    Exit code 1: a record of the list itself could not be read; the others are listed, and it is named with its place.
    """
    if last < 0:
        raise InputError(f"--last {last}: must be 0 or more")
    if cause is not None and not cause.strip():
        raise InputError("--cause '': must not be empty; name a cause, such as FIELD_VALUE")
    since_ms = None if since is None else parse_instant(since, "--since")
    code, records, unreadable = _read_records(state, bootstrap, since_ms)
    selected = sorted(
        (record for record in records if cause is None or record.cause == cause.strip().upper()),
        key=lambda record: (record.at, record.place),
    )
    shown = selected[-last:] if last else selected
    if as_json:
        for record in shown:
            print_json(_to_document(code, record))
    else:
        _print_table(shown)
        _print_counts(selected, code, is_filtered=cause is not None or since_ms is not None)
    if len(shown) < len(selected):
        err.print(f"the last {len(shown)} of {len(selected)} are shown; `--last 0` shows all")
    exit_if_unreadable(unreadable, f"the list is not complete: {_FIND_WRITER}")


@app.command("show", short_help="Show one quarantined record, and what to do about it.")
def show_record(
    record_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="Its id or that of its indicator, or the first 8 characters or more of one."),
    ],
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show why a record is quarantined, where it was, and what to do. Its content is not shown.

    Exit code 1: another record of the list could not be read, so there may be more about it.
    """
    wanted = record_id.strip().lower()
    if len(wanted) < ID_CHARACTERS_MIN:
        raise InputError(f"ID {to_printable(record_id)}: give at least {ID_CHARACTERS_MIN} characters")
    code, records, unreadable = _read_records(state, bootstrap, None)
    found = [
        record
        for record in records
        if record.id.startswith(wanted) or (record.indicator_id or "").lower().startswith(wanted)
    ]
    if not found:
        print_unreadable(unreadable)
        raise InputError(
            f"ID {to_printable(record_id)[:40]}: no quarantined record of {code} has it, nor one of such an indicator; "
            "`sharing quarantine list` shows the ids"
        )
    for record in sorted(found, key=lambda record: (record.at, record.place)):
        if as_json:
            print_json(_to_document(code, record))
        else:
            _print_record(record)
    exit_if_unreadable(unreadable, f"there may be more about it: {_FIND_WRITER}")


def _read_records(
    state: str | None, bootstrap: str | None, since_ms: int | None
) -> tuple[str, Iterator[QuarantinedRecord], Unreadable]:
    """Return the State, its quarantined records, and a list that is given what cannot be read while they are.

    Raises:
        InputError: No State is given.
        InfrastructureError: No broker answers, or it refuses.
    """
    settings, servers, tls = load_client_settings(
        bootstrap, state=None if state is None else read_state("--state", state)
    )
    code = settings.state
    if code is None:
        raise InputError("--state is missing; give it, or set SHARING_STATE")
    group = f"{Principal(Role.CONSOLE, code).group_prefix}.quarantine"
    unreadable: Unreadable = []
    framing = load_framing(settings, code)
    return code, read_quarantine(servers, code, group, framing, unreadable, since_ms, tls), unreadable


def _print_table(records: list[QuarantinedRecord]) -> None:
    if not records:
        return
    table = make_table(*map(unwrapped_column, ("quarantined", "id", "cause", "indicator")), "where", "message")
    for record in records:
        indicator = record.indicator_id or "unknown"
        add_row(table, format_time(record.at), record.id[:8], record.cause, indicator, record.place, record.message)
    out.print(table)


def _print_counts(records: list[QuarantinedRecord], state: str, *, is_filtered: bool) -> None:
    if not records:
        print_line(f"{state} has no {'such ' if is_filtered else ''}quarantined record")
        return
    counts = ", ".join(f"{cause} {count}" for cause, count in Counter(r.cause for r in records).most_common())
    print_line(f"{len(records)} quarantined: {counts}")


def _print_record(record: QuarantinedRecord) -> None:
    print_line(f"{record.cause} at stage {record.stage}", style="bold")
    print_labelled("id", record.id)
    print_labelled("at", format_time(record.at))
    print_labelled("indicator", record.indicator_id or "unknown")
    print_labelled("where", record.place)
    kept = "by reference" if record.record_bytes is None else f"{record.record_bytes} bytes, as received"
    print_labelled("kept", kept)
    print_labelled("message", record.message)
    print_labelled("to do", suggest_remedy(record))


def _to_document(state: str, record: QuarantinedRecord) -> dict[str, Any]:
    return {
        "id": record.id, "state": state, "at": format_time(record.at), "stage": record.stage, "cause": record.cause,
        "message": record.message, "indicator": record.indicator_id, "topic": record.topic,
        "partition": record.partition, "offset": record.offset, "record_bytes": record.record_bytes,
        "remedy": suggest_remedy(record),
    }  # fmt: skip
