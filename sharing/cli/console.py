"""What a command says, and where: results on standard output, everything else on standard error."""

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
_LINE_MAX = 100_000


class _Console(Console):
    """As wide as its terminal; where it is not a terminal, a line stays one line, for `grep` and `diff`."""

    @property  # type: ignore[misc]  # Rich's can be set as well; nobody does
    def size(self) -> ConsoleDimensions:
        found = super().size
        if self.is_terminal or self._width is not None or "COLUMNS" in os.environ:
            return found
        return ConsoleDimensions(_LINE_MAX, found.height)

    def on_broken_pipe(self) -> NoReturn:
        """End well: the reader of our output has gone, as in `sharing … | head`, and nothing is left to say."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


out = _Console(highlight=False, emoji=False)
err = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document on one line, at once."""
    try:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def printable(text: object) -> str:
    """Return a text on one line and without control characters: it may be another State's, or an offender's."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "?" for character in str(text)
    )


def say(text: object, *, indent: int = 0, style: str = "") -> None:
    """Print a line of a result as it is: nothing in it is markup."""
    out.print(Padding(Text(printable(text), style=style), (0, 0, 0, indent), expand=False))


def say_labelled(label: str, text: object, *, indent: int = 2, style: str = "") -> None:
    """Print a label (of at most 9 characters) and a text; the text's further lines begin below its first."""
    grid = Table.grid(Column(width=9 + max(indent, 3), no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    grid.add_row(Text(" " * indent + label), Text(printable(text)), style=style)
    out.print(grid)


def make_table(*columns: str | Column) -> Table:
    """Return an empty table; a column given by its name alone may be folded to fit the terminal."""
    wrapping = (Column(column, overflow="fold") if isinstance(column, str) else column for column in columns)
    return Table(
        *wrapping, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )


def whole(name: str) -> Column:
    """Return a column whose entries are never broken: ids, names of topics and settings, figures."""
    return Column(name, no_wrap=True, overflow="fold")


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain texts: nothing in them is markup."""
    table.add_row(*(Text(printable(cell)) for cell in cells))


@contextmanager
def progress_bar(label: str, total: float, *, share: bool = False) -> Iterator[Any]:
    """Show progress on standard error where that is a terminal; yield a function that takes how much is done.

    Args:
        label: What is being done.
        total: How much there is to do.
        share: Whether it is shown in per cent, else as so many of so many.
    """
    figures = TaskProgressColumn() if share else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), figures, TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)
