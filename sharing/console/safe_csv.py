"""Comma-separated values that a spreadsheet shows and does not execute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from sharing.console.printable import to_printable

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With these a spreadsheet begins a formula, the full-width forms included."""


def make_cell(value: str | int) -> str | int:
    """Return a cell that is no formula: a text that begins like one gets an apostrophe in front.

    Control characters become spaces or question marks, because a tab or line break may begin a formula too.
    """
    if isinstance(value, int):
        return value
    text = to_printable(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text


def format_csv(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Return a header and rows as comma-separated values (RFC 4180, with line feeds)."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([make_cell(value) for value in row] for row in rows)
    return written.getvalue()
