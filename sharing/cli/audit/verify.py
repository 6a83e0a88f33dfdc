"""`sharing audit verify`: whether a State's audit logs are complete, in order, unchanged and witnessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.audit.origins import format_origin
from sharing.audit.verification import LogReport
from sharing.cli.audit.seen_checkpoints import read_seen_checkpoints
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import (
    AsJson,
    add_row,
    err,
    make_table,
    out,
    print_json,
    print_line,
    progress_bar,
    unwrapped_column,
)
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant, read_clock
from sharing.console.audit_logs import describe_reports, format_optional_time, make_audit_source, read_own_checkpoints
from sharing.errors import InputError
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.kafka.audit_reader import LogSelection, ReadCheckpoints, verify_logs

SHOWN_MAX = 100
"""How many findings are printed; JSON has all."""


def verify_audit_logs(
    state: StateOption = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only blocks that were written since this time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only blocks that were written before this time.")
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", min=0, metavar="N", help="Only this partition; may be repeated.")
    ] = None,
    witnesses: Annotated[
        int, typer.Option("--witnesses", min=0, help="How many other States must have cosigned; 0: none.")
    ] = WITNESSES_DEFAULT,
    seen: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that was seen elsewhere; may be repeated."),
    ] = None,
    time_stamp_roots: Annotated[
        Path | None,
        typer.Option("--time-stamp-roots", metavar="FILE", help="Roots of services, PEM: SHARING_TIME_STAMP_ROOTS."),
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Verify the logs of decisions and acts of a State, against its checkpoints. Exit with 1 if anything is wrong."""
    since_ms = None if since is None else parse_instant(since, "--since")
    until_ms = None if until is None else parse_instant(until, "--until")
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InputError("--since must be earlier than --until")
    console = connect_console(bootstrap, state)
    partitions = None if not partition else set(partition)
    elsewhere = read_seen_checkpoints(seen, console.state, partitions)
    now = read_clock()
    stamp_roots = read_time_stamp_roots(console.settings, time_stamp_roots)
    checkpoints = read_own_checkpoints(console, now, witnesses, elsewhere, stamp_roots)
    if checkpoints is None and elsewhere:
        raise InputError("--checkpoint needs pinned roots: set SHARING_TRUST_FILE")
    _print_what_is_left_out(checkpoints, verifies_stamps=bool(stamp_roots))
    selection = LogSelection(console.state, partitions=partitions, since_ms=since_ms, until_ms=until_ms)
    with progress_bar(console.state, 1.0, as_percentage=True) as set_done:
        reports = verify_logs(
            make_audit_source(console),
            selection,
            checkpoints,
            now,
            required=witnesses,
            show=lambda _topic, done, total: set_done(done / max(total, 1)),
        )
    document = describe_reports(reports, checkpoints)
    if as_json:
        print_json(document)
    else:
        _print_reports(reports, document, shows_stamps=bool(stamp_roots))
    if not document["ok"]:
        raise typer.Exit(1)


def _print_what_is_left_out(checkpoints: ReadCheckpoints | None, *, verifies_stamps: bool) -> None:
    if checkpoints is None:
        err.print(
            "no roots are pinned (SHARING_TRUST_FILE): checkpoints are not checked, and nothing counts as witnessed"
        )
    elif checkpoints.stamped and not verifies_stamps:
        err.print(
            f"checkpoints with time stamps that are not verified: {checkpoints.stamped}; name the roots of the service "
            "with --time-stamp-roots FILE, or set SHARING_TIME_STAMP_ROOTS"
        )


def _print_reports(reports: Sequence[LogReport], document: dict[str, Any], *, shows_stamps: bool) -> None:
    if document["logs"]:
        _print_table(document["logs"])
    for finding in document["findings"][:SHOWN_MAX]:
        offset = "" if finding["offset"] is None else f"@{finding['offset']}"
        print_line(f"{finding['kind']} {finding['topic']} {finding['partition']}{offset}: {finding['says']}")
    left = len(document["findings"]) - SHOWN_MAX
    if left > 0:
        print_line(f"… and {left} more; `--json` lists all")
    for report in reports:
        if report.findings:
            sure = (
                "nothing"
                if report.sure_at is None
                else f"{report.sure_blocks} blocks, at {format_optional_time(report.sure_at)}"
            )
            print_line(f"{format_origin(report.place)} was last sure in full with {sure}")
    for log in document["logs"] if shows_stamps else ():
        print_line(f"{log['log']}: {_describe_stamps(log)}")
    verdict = "complete, in order and unchanged" if document["ok"] else f"{len(document['findings'])} findings"
    if document["ok"] and not document["records"]:
        verdict = "there is nothing to verify"
    print_line(f"{document['records']} records, {document['witnessed']} witnessed: {verdict}")


def _print_table(logs: Sequence[dict[str, Any]]) -> None:
    table = make_table(unwrapped_column("log"), "blocks", "records", "witnessed", "until block", "witnessed at")
    for log in logs:
        witnessed_at = log["witnessed_at"] or "never"
        counts = (log["blocks"], log["records"], log["witnessed"], log["witnessed_blocks"])
        add_row(table, log["log"], *counts, witnessed_at)
    out.print(table)


def _describe_stamps(log: dict[str, Any]) -> str:
    """Return up to where a log is time-stamped, in words."""
    if log["stamped_at"] is None:
        return "no checkpoint has a time stamp"
    first = "" if log["stamped_since"] == log["stamped_at"] else f"; the first time stamp is of {log['stamped_since']}"
    return f"time-stamped until block {log['stamped_blocks']}, at {log['stamped_at']}{first}"
