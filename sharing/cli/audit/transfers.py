"""`sharing audit transfers`: what left the State, to whom, by which law, on which basis, without items and persons."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from sharing.audit.transfers import TRANSFERS, TransferKind, TransferRow, count_yearly
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant
from sharing.console.safe_csv import format_csv
from sharing.console.transfer_plot import draw_transfers
from sharing.console.transfers import (
    TRANSFER_COLUMNS,
    YEARLY_COLUMNS,
    count_transfers,
    list_transfer_cells,
    list_yearly_cells,
)
from sharing.errors import InputError
from sharing.keystore.files import PUBLIC_MODE, write_new_file


def list_transfers(
    state: StateOption = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what was done since this time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only what was done before this time.")
    ] = None,
    withheld: Annotated[
        bool, typer.Option("--withheld", help="Also what was offered, held or withheld, and by which law.")
    ] = False,
    yearly: Annotated[
        bool, typer.Option("--yearly", help="Statistics of each year by treaty, refusals included.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values with a header.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw it, by State, into a new SVG file.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Count what left the State: to whom, by which law, on which basis and in which month; no item, no person.

    It reads the audit logs, so it needs no key. Times are those of the broker.
    """
    if as_csv and as_json:
        raise InputError("--csv and --json exclude each other")
    if plot is not None and yearly:
        raise InputError("--plot and --yearly exclude each other: the plot shows States, and the statistics do not")
    console = connect_console(bootstrap, state)
    since_ms = None if since is None else parse_instant(since, "--since")
    until_ms = None if until is None else parse_instant(until, "--until")
    counted = count_transfers(console, since_ms, until_ms)
    if yearly:
        _print_yearly(count_yearly(counted), as_csv=as_csv, as_json=as_json)
        return
    shown = {row: count for row, count in sorted(counted.items()) if withheld or row.kind in TRANSFERS}
    if plot is not None:
        write_new_file(plot, draw_transfers(console.state, shown).encode(), PUBLIC_MODE)
    if not shown and not as_csv and not as_json:
        err.print(f"{console.state}: nothing was sent to another State in this time")
        return
    _print_rows(shown, as_csv=as_csv, as_json=as_json)


def _print_rows(rows: Mapping[TransferRow, int], *, as_csv: bool, as_json: bool) -> None:
    cells = list_transfer_cells(rows)
    if as_json:
        for each in cells:
            print_json(dict(zip(TRANSFER_COLUMNS, each, strict=True)))
    elif as_csv:
        _print_csv(TRANSFER_COLUMNS, cells)
    else:
        table = make_table(unwrapped_column("month"), "to", "what", "basis", "law", unwrapped_column("count"))
        for month, to_state, what, basis, law, count in cells:
            add_row(table, month, to_state, what, basis or "none", law or "no rule permits it", count)
        out.print(table)


def _print_yearly(
    years: Mapping[tuple[str, str], Counter[TransferKind]], *, as_csv: bool, as_json: bool
) -> None:  # fmt: skip
    cells = list_yearly_cells(years)
    if as_json:
        for each in cells:
            print_json(dict(zip(YEARLY_COLUMNS, each, strict=True)))
    elif as_csv:
        _print_csv(YEARLY_COLUMNS, cells)
    else:
        table = make_table(unwrapped_column("year"), "basis", *map(unwrapped_column, YEARLY_COLUMNS[2:]))
        for year, basis, *counts in cells:
            add_row(table, year, basis or "none", *counts)
        out.print(table)


def _print_csv(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    sys.stdout.write(format_csv(columns, rows))
    sys.stdout.flush()
