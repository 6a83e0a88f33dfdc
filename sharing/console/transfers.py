"""What left a State, counted from its audit logs, for the command line and the desk: no item, no person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from sharing.audit.block import read_block
from sharing.audit.transfers import TransferCounts, TransferKind, TransferRow
from sharing.console.connection import ConsoleConnection
from sharing.conversation_state.entries import decode_conversation
from sharing.conversation_state.item_keys import OUT_PREFIX
from sharing.errors import DecodeError
from sharing.kafka.conversation_reader import EntryTable, name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches, add_unreadable
from sharing.serialization.codec import get_codec
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import ACTS, DECISIONS

TRANSFER_COLUMNS: Final = ("month", "state", "what", "basis", "law", "count")
YEARLY_COLUMNS: Final = ("year", "basis", *(kind.lower() for kind in TransferKind))


def count_transfers(console: ConsoleConnection, since_ms: int | None, until_ms: int | None) -> Counter[TransferRow]:
    """Return how often each row occurred between two instants, in UTC milliseconds.

    Raises:
        DecodeError: A record of a log cannot be read: the counts would not be complete.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    counts = TransferCounts()
    indicators = _read_indicators(console)
    counts.add_acts(read_log(console, ACTS, since_ms, until_ms), console.state, indicators)
    for decision in read_log(console, DECISIONS, since_ms, until_ms):
        counts.add_decision(decision)
    if since_ms is not None and counts.lacks_grounds:
        for decision in read_log(console, DECISIONS, None, since_ms):
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


def read_log(
    console: ConsoleConnection,
    kind: TopicKind,
    since_ms: int | None,
    until_ms: int | None,
    unreadable: Unreadable | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Yield the decoded entries of a log of the State, in order within each partition.

    Args:
        console: The connection.
        kind: The topic of the log.
        since_ms: Only blocks that were written since then, in UTC milliseconds.
        until_ms: Only blocks that were written before then.
        unreadable: Is given what cannot be read; None if that is an error.

    Raises:
        DecodeError: A record cannot be read, and there is no list for it: what is made of the entries would not be
            complete.
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    topic = kind.topic(console.state)
    group = name_console_group(console.state, "audit")
    opened = TopicRange(console.servers, topic, group, since_ms, until_ms, properties=console.properties)
    with closing(opened):
        for batch in opened.read_batches():
            for message in batch:
                try:
                    block = read_block(console.framing.to_single_object(message.value()))
                    entries = list(map(get_codec(block.log.entry_schema).decode, block.entries))
                except DecodeError as error:
                    add_unreadable(unreadable, message, error)
                else:
                    yield from entries
    if opened.bad_batches and unreadable is None:
        raise DecodeError(
            f"{topic}: {len(opened.bad_batches)} batches cannot be read, so the result would not be complete; "
            "`sharing audit verify` says where",
            cause="UNREADABLE",
        )
    add_bad_batches(unreadable, opened.bad_batches)


def list_transfer_cells(rows: Mapping[TransferRow, int]) -> list[tuple[str, str, str, str, str, int]]:
    """Return the cells of a table of transfers, in the order of `TRANSFER_COLUMNS`."""
    return [
        (row.month, row.state, row.kind.lower(), row.grounds.basis, row.grounds.law, count)
        for row, count in rows.items()
    ]


def list_yearly_cells(years: Mapping[tuple[str, str], Counter[TransferKind]]) -> list[tuple[str | int, ...]]:
    """Return the cells of the statistics of each year, in the order of `YEARLY_COLUMNS`."""
    return [(year, basis, *(counts[kind] for kind in TransferKind)) for (year, basis), counts in years.items()]
