"""What was decided and sent, by outcome, law, State and month: no item and no person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sharing.audit.transfers import TransferKind, TransferRow, count_yearly
from sharing.console.connection import ConsoleConnection
from sharing.console.safe_csv import format_csv
from sharing.console.transfers import (
    TRANSFER_COLUMNS,
    YEARLY_COLUMNS,
    count_transfers,
    list_transfer_cells,
    list_yearly_cells,
)

ROWS_SHOWN_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class FigureChoice:
    """Which rows are shown.

    Attributes:
        month: Only this month, such as 2026-11; "" for all.
        state: Only this State; "" for all.
        kind: Only this outcome; "" for all.
    """

    month: str = ""
    state: str = ""
    kind: str = ""

    def includes(self, row: TransferRow) -> bool:
        """Return whether a row is shown."""
        return (
            self.month in {"", row.month}
            and self.state in {"", row.state}
            and self.kind in {"", row.kind.value}
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts.

    Attributes:
        rows: How often each row occurred, in order.
    """

    rows: Mapping[TransferRow, int]

    def list_choices(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[TransferKind, ...]]:
        """Return the months that have rows, the newest first, the States, and the outcomes in their order."""
        months = tuple(sorted({row.month for row in self.rows}, reverse=True))
        states = tuple(sorted({row.state for row in self.rows}))
        found = {row.kind for row in self.rows}
        return months, states, tuple(kind for kind in TransferKind if kind in found)

    def choose(self, choice: FigureChoice) -> dict[TransferRow, int]:
        """Return the rows that are chosen, the newest month first."""
        chosen = [(row, count) for row, count in self.rows.items() if choice.includes(row)]
        chosen.sort(key=lambda each: each[0])
        chosen.sort(key=lambda each: each[0].month, reverse=True)
        return dict(chosen)

    def format_csv(self, choice: FigureChoice) -> str:
        """Return the rows that are chosen as comma-separated values."""
        return format_csv(TRANSFER_COLUMNS, list_transfer_cells(self.choose(choice)))

    def format_yearly_csv(self) -> str:
        """Return the statistics of each year by treaty as comma-separated values."""
        return format_csv(YEARLY_COLUMNS, list_yearly_cells(count_yearly(self.rows)))


def count_kinds(rows: Iterable[tuple[TransferRow, int]]) -> dict[TransferKind, int]:
    """Return how often each outcome occurred, in their order; those that did not are left out."""
    counts: Counter[TransferKind] = Counter()
    for row, count in rows:
        counts[row.kind] += count
    return {kind: counts[kind] for kind in TransferKind if counts[kind]}


def read_figures(console: ConsoleConnection) -> Figures:
    """Count from the audit logs, from their beginning. It may take minutes.

    Raises:
        DecodeError: A record of a log cannot be read: the counts would not be complete.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    return Figures(dict(sorted(count_transfers(console, None, None).items())))
