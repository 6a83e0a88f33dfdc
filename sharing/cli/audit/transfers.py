"""`sharing audit transfers`: what left the State, to whom, by which law, on which basis, without items and persons."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Annotated, Any

import typer

from sharing.audit.block import read_block
from sharing.audit.transfers import TRANSFERS, TransferCounts, TransferKind, TransferRow, count_yearly
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant
from sharing.console.connection import ConsoleConnection
from sharing.conversation_state.entries import decode_conversation
from sharing.conversation_state.item_keys import OUT_PREFIX
from sharing.errors import DecodeError, InputError
from sharing.kafka.conversation_reader import EntryTable, name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.serialization.codec import get_codec
from sharing.topology.topics import ACTS, DECISIONS, TopicKind

_COLUMNS = ("month", "state", "what", "basis", "law", "count")
_YEARLY_COLUMNS = ("year", "basis", *(kind.lower() for kind in TransferKind))


def list_transfers(
    state: StateOption = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only what was done since then.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only what was done before then.")
    ] = None,
    withheld: Annotated[
        bool, typer.Option("--withheld", help="Also what was offered, held or withheld, and by which law.")
    ] = False,
    yearly: Annotated[
        bool, typer.Option("--yearly", help="Statistics of each year by treaty, refusals included.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values with a header.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Count what left the State: to whom, by which law, on which basis and in which month; no item, no person.

    It reads the audit logs, so it needs no key. Times are those of the broker.
    """
    if as_csv and as_json:
        raise InputError("--csv and --json exclude each other")
    console = connect_console(bootstrap, state)
    since_ms = None if since is None else parse_instant(since, "--since")
    until_ms = None if until is None else parse_instant(until, "--until")
    counted = count_transfers(console, since_ms, until_ms)
    if yearly:
        _print_yearly(count_yearly(counted), as_csv=as_csv, as_json=as_json)
        return
    shown = {row: count for row, count in sorted(counted.items()) if withheld or row.kind in TRANSFERS}
    if not shown and not as_csv and not as_json:
        err.print(f"{console.state}: nothing was sent to another State in this time")
        return
    _print_rows(shown, as_csv=as_csv, as_json=as_json)


def count_transfers(
    console: ConsoleConnection, since_ms: int | None, until_ms: int | None
) -> Counter[TransferRow]:  # fmt: skip
    """Return how often each row occurred between two instants, in UTC milliseconds.

    Raises:
        DecodeError: A record of a log cannot be read: the counts would not be complete.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    counts = TransferCounts()
    indicators = _read_indicators(console)
    counts.add_acts(_read_log(console, ACTS, since_ms, until_ms), console.state, indicators)
    for decision in _read_log(console, DECISIONS, since_ms, until_ms):
        counts.add_decision(decision)
    if since_ms is not None and counts.lacks_grounds:
        for decision in _read_log(console, DECISIONS, None, since_ms):
            counts.add_decision(decision, is_counted=False)
    return counts.finish(indicators)


def _read_indicators(console: ConsoleConnection) -> dict[str, str]:
    """Return the id of the indicator of each own item about which there is a conversation."""

    def keep(key: bytes, entry: bytes) -> tuple[str, str] | None:
        if not key.startswith(OUT_PREFIX):
            return None
        conversation = decode_conversation(key, entry).conversation
        return conversation.item, conversation.indicator

    table: EntryTable[tuple[str, str]] = EntryTable(console.servers, console.state, keep, console.properties)
    table.read()
    return dict(entry.value for entry in table.entries.values())


def _read_log(
    console: ConsoleConnection, kind: TopicKind, since_ms: int | None, until_ms: int | None
) -> Iterator[Mapping[str, Any]]:
    """Yield the decoded entries of a log."""
    topic = kind.topic(console.state)
    group = name_console_group(console.state, "audit")
    opened = TopicRange(console.servers, topic, group, since_ms, until_ms, properties=console.properties)
    with closing(opened):
        for batch in opened.read_batches():
            for message in batch:
                try:
                    block = read_block(console.framing.to_single_object(message.value()))
                    codec = get_codec(block.log.entry_schema)
                    yield from map(codec.decode, block.entries)
                except DecodeError as error:
                    place = f"{topic}[{message.partition()}] at offset {message.offset()}"
                    raise DecodeError(f"{place}: {error}", cause=error.cause) from None
    if opened.bad_batches:
        raise DecodeError(
            f"{topic}: {len(opened.bad_batches)} batches cannot be read, so the counts would not be complete; "
            "`sharing audit verify` says where",
            cause="UNREADABLE",
        )


def _print_rows(rows: Mapping[TransferRow, int], *, as_csv: bool, as_json: bool) -> None:
    cells = [
        (row.month, row.state, row.kind.lower(), row.grounds.basis, row.grounds.law, count)
        for row, count in rows.items()
    ]
    if as_json:
        for each in cells:
            print_json(dict(zip(_COLUMNS, each, strict=True)))
    elif as_csv:
        _print_csv(_COLUMNS, cells)
    else:
        table = make_table(unwrapped_column("month"), "to", "what", "basis", "law", unwrapped_column("count"))
        for month, to_state, what, basis, law, count in cells:
            add_row(table, month, to_state, what, basis or "none", law or "no rule permits it", count)
        out.print(table)


def _print_yearly(
    years: Mapping[tuple[str, str], Counter[TransferKind]], *, as_csv: bool, as_json: bool
) -> None:  # fmt: skip
    cells = [(year, basis, *(counts[kind] for kind in TransferKind)) for (year, basis), counts in years.items()]
    if as_json:
        for each in cells:
            print_json(dict(zip(_YEARLY_COLUMNS, each, strict=True)))
    elif as_csv:
        _print_csv(_YEARLY_COLUMNS, cells)
    else:
        table = make_table(unwrapped_column("year"), "basis", *map(unwrapped_column, _YEARLY_COLUMNS[2:]))
        for year, basis, *counts in cells:
            add_row(table, year, basis or "none", *counts)
        out.print(table)


def _print_csv(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    sys.stdout.flush()
