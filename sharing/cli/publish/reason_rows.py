"""The rows of a table of outcomes and reasons.

Items of which different facts are missing have nearly as many reasons as there are items. Where a State has more than a
few of them, they are one row, which says of how many items each fact is missing: what to supply first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from sharing.model.recipient_terms import MISSING

_REASONS_MAX: Final = 3
_FACTS_SHOWN: Final = 10


class ReasonRow(NamedTuple):
    """A row.

    Attributes:
        state: ISO 3166-1 alpha-2 code of the receiving State; "" for none.
        outcome: The outcome, as a code.
        why: The reason.
        items: How many items have that outcome for that reason.
    """

    state: str
    outcome: str
    why: str
    items: int


def list_reason_rows(counts: Iterable[tuple[tuple[str, str, str], int]]) -> list[ReasonRow]:
    """Return the rows by State and outcome, those with most items first.

    Args:
        counts: State, outcome and reason, and the number of items; each only once.
    """
    rows = []
    incomplete: dict[tuple[str, str, str], list[ReasonRow]] = defaultdict(list)
    for (state, outcome, why), count in counts:
        row = ReasonRow(state, outcome, why, count)
        if why.startswith(MISSING):
            incomplete[state, outcome, why.partition("; ")[2]].append(row)
        else:
            rows.append(row)
    for (*_, rest), found in incomplete.items():
        rows += [_join(found, rest)] if len(found) > _REASONS_MAX else found
    return sorted(rows, key=lambda row: (row.state, row.outcome, -row.items, row.why))


def _join(rows: list[ReasonRow], rest: str) -> ReasonRow:
    """Return one row for several that differ in the missing facts only."""
    items = sum(row.items for row in rows)
    facts: Counter[str] = Counter()
    for row in rows:
        for fact in row.why.partition("; ")[0].removeprefix(MISSING).split(", "):
            facts[fact] += row.items
    ordered = sorted(facts.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = ", ".join(f"{fact} ({count})" for fact, count in ordered[:_FACTS_SHOWN])
    more = f" and {len(ordered) - _FACTS_SHOWN} more facts" if len(ordered) > _FACTS_SHOWN else ""
    why = f"{MISSING}different facts, with the number of items: {shown}{more}"
    return rows[0]._replace(why="; ".join([why, *([rest] if rest else [])]), items=items)
