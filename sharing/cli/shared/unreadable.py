"""What a command says of records that it could not read: each with its place, after the others, and exit code 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import typer

from sharing.cli.shared.console import err
from sharing.console.printable import to_printable
from sharing.kafka.unreadable_records import UnreadableRecord

SHOWN_MAX: Final = 100


def print_unreadable(records: Iterable[UnreadableRecord]) -> int:
    """Print a line for each on standard error, the first hundred of them. Return how many there are."""
    listed = sorted(set(records), key=lambda each: (each.topic, each.partition, each.first_offset or 0))
    for record in listed[:SHOWN_MAX]:
        err.print(f"unreadable: {record.place}: {to_printable(record.reason)}")
    if len(listed) > SHOWN_MAX:
        err.print(f"unreadable: {len(listed) - SHOWN_MAX:,} more")
    return len(listed)


def exit_if_unreadable(records: Iterable[UnreadableRecord], consequence: str) -> None:
    """Print what could not be read and what follows from it.

    Raises:
        typer.Exit: With code 1, if there is any.
    """
    exit_if_incomplete(print_unreadable(records), consequence)


def exit_if_incomplete(count: int, consequence: str) -> None:
    """Print what follows from it that some records could not be read, which were printed before.

    Raises:
        typer.Exit: With code 1, if there are any.
    """
    if count:
        err.print(consequence)
        raise typer.Exit(1)
