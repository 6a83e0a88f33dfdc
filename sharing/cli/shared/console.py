"""Terminal output of the commands: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console, ConsoleDimensions
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, or JSON lines for a stream.")]
_PIPE_WIDTH = 100_000


class _Console(Console):
    """As wide as the terminal. In a pipe, lines are never wrapped, for `grep` and `diff`."""

    @property  # type: ignore[misc]  # Rich's property also has a setter; it is not used here
    def size(self) -> ConsoleDimensions:
        size = super().size
        if self.is_terminal or self._width is not None or "COLUMNS" in os.environ:
            return size
        return ConsoleDimensions(_PIPE_WIDTH, size.height)

    def on_broken_pipe(self) -> NoReturn:
        """Exit with 0: the reader of the output has closed the pipe, as in `sharing … | head`."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


out = _Console(highlight=False, emoji=False)
err = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document on one line, and flush.

    Characters that a terminal does not print, such as those that change the direction of the text, are escaped: they
    may come from another State or an offender. To a program the document is the same.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def to_printable(text: object) -> str:
    """Return a text on one line and without control characters: it may come from another State or an offender."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "?" for character in str(text)
    )


def print_line(text: object, *, indent: int = 0, style: str = "") -> None:
    """Print one line of a result verbatim; markup in it is not interpreted."""
    out.print(Padding(Text(to_printable(text), style=style), (0, 0, 0, indent), expand=False))


def print_labelled(label: str, text: object, *, indent: int = 2, style: str = "") -> None:
    """Print a label (at most 9 characters) and a text; continuation lines align with the first line of the text."""
    grid = Table.grid(Column(width=9 + max(indent, 3), no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    grid.add_row(Text(" " * indent + label), Text(to_printable(text)), style=style)
    out.print(grid)


def make_table(*columns: str | Column) -> Table:
    """Return an empty table. A column given as a string wraps its cells to fit the terminal."""
    built = (Column(column, overflow="fold") if isinstance(column, str) else column for column in columns)
    return Table(
        *built, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )


def unwrapped_column(name: str) -> Column:
    """Return a column whose cells are never wrapped: ids, topic names, settings, numbers."""
    return Column(name, no_wrap=True, overflow="fold")


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain texts; markup in them is not interpreted."""
    table.add_row(*(Text(to_printable(cell)) for cell in cells))


@contextmanager
def progress_bar(label: str, total: float, *, as_percentage: bool = False) -> Iterator[Any]:
    """Show a progress bar if standard error is a terminal; yield a function that sets the amount done.

    Args:
        label: Name of the task.
        total: The total amount.
        as_percentage: Show a percentage instead of a count such as "3/10".
    """
    amount = TaskProgressColumn() if as_percentage else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)
