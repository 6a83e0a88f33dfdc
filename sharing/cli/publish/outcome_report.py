"""What `sharing publish --wait` prints of what became of the items: decided how, for whom, by which rule."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sharing.cli.publish.reason_rows import list_reason_rows
from sharing.cli.shared.console import add_row, err, make_table, out, print_line, unwrapped_column
from sharing.model.code_words import describe_outcome

if TYPE_CHECKING:
    from sharing.cli.publish.outcome_waiting import WaitResult


def print_outcomes(result: WaitResult, *, quiet: bool) -> None:
    """Print what became of the items; `quiet` only how many."""
    counts = f"{len(result.quarantined)} quarantined, {len(result.missing)} not known yet"
    print_line(f"{result.decided} decided by the gate, {counts}")
    if quiet:
        return
    if result.lines:
        law = "by which law, or why not"
        table = make_table(unwrapped_column("State"), "decided", unwrapped_column("items"), law)
        for row in list_reason_rows(result.lines.items()):
            add_row(table, row.state or "none", describe_outcome(row.outcome), row.items, row.why)
        out.print()
        out.print(table)
    if result.quarantined:
        _print_quarantined(result)


def raise_unsettled(result: WaitResult) -> None:
    """End if it is not known what became of every item.

    Raises:
        SharingError: The time is over, or the topic cannot be read.
        BaseException: The signal that has ended the waiting.
    """
    if result.interruption is not None:
        err.print("interrupted while waiting: the items are published; `sharing items show` says what becomes of them")
        raise result.interruption
    if result.failure is not None:
        raise result.failure


def _print_quarantined(result: WaitResult) -> None:
    table = make_table(unwrapped_column("quarantined"), unwrapped_column("items"), "for example", "why, and what to do")
    counts = Counter((item.told.stage, item.told.cause) for item in result.quarantined)
    for (stage, cause), count in counts.most_common():
        first = next(item for item in result.quarantined if (item.told.stage, item.told.cause) == (stage, cause))
        add_row(table, f"{stage} {cause}", count, first.id, first.told.message)
    out.print()
    out.print(table)
