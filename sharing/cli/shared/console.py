"""Terminal output of the commands: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from sharing.console.printable import to_printable

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, or JSON lines for a stream.")]
_PIPE_WIDTH = 100_000
TAB = "\t"
_PROGRESS_SECONDS = 0.1
_ENTRIES_AT_ONCE = 1_000


class _Console(Console):
    """As wide as the terminal. In a pipe, lines are never wrapped, for `grep` and `diff`.

    Attributes:
        was_closed: Whether that was noticed when something was printed.
    """

    was_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the program that reads the output has closed it. What goes on for ever ends then."""
        return self.was_closed or await_closed_output(0)

    @property
    def is_pipe(self) -> bool:
        """Whether a program reads the output: it is no terminal, and nobody has asked for a width."""
        return not self.is_terminal and self._width is None and "COLUMNS" not in os.environ

    @property  # type: ignore[misc]  # Rich's property also has a setter; it is not used here
    def size(self) -> ConsoleDimensions:
        size = super().size
        return ConsoleDimensions(_PIPE_WIDTH, size.height) if self.is_pipe else size

    def on_broken_pipe(self) -> None:
        """Discard what is still printed: the reader has closed the pipe, as in `sharing … | head`.

        The command goes on: what it does is not done by halves, and its exit code says what it has found.
        """
        self.was_closed = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


out = _Console(highlight=False, emoji=False)
err = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def await_closed_output(seconds: float) -> bool:
    """Return whether the program that reads standard output has closed it; wait for that, at most some seconds.

    It can be noticed without printing: the write end of a pipe reports an error once nobody can read.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # it is no file, as in a test
        return False
    poller = select.poll()
    poller.register(descriptor, 0)  # errors are reported in any case
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poller.poll(int(seconds * 1_000)))


def print_json(document: Any) -> None:
    """Print one JSON document on one line, and flush."""
    try:
        sys.stdout.write(format_json(document))
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def print_json_stream(document: Mapping[str, Any]) -> None:
    """Print one JSON document on one line, and flush. A value that is an iterator is written as a list, bit by bit."""
    try:
        for text in _iterate_json(document):
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def _iterate_json(document: Mapping[str, Any]) -> Iterator[str]:
    separator = "{"
    for name, value in document.items():
        yield f"{separator}{format_json(name)[:-1]}:"
        separator = ","
        if not isinstance(value, Iterator):
            yield format_json(value)[:-1]
            continue
        opening = "["
        while entries := list(islice(value, _ENTRIES_AT_ONCE)):
            yield f"{opening}{format_json(entries)[1:-2]}"
            opening = ","
        yield "[]" if opening == "[" else "]"
    yield "}\n"


def format_json(document: Any) -> str:
    """Return a JSON document on one line, with its end.

    Characters that a terminal does not print, such as those that change the direction of the text, are escaped: they
    may come from another State or an offender. To a program the document is the same.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)
    return f"{text}\n"


def print_line(text: object, *, indent: int = 0, style: str = "") -> None:
    """Print one line of a result verbatim; markup in it is not interpreted."""
    out.print(Padding(Text(to_printable(text), style=style), (0, 0, 0, indent), expand=False))


def print_labelled(label: str, text: object, *, indent: int = 2, style: str = "") -> None:
    """Print a label (at most 9 characters) and a text; continuation lines align with the first line of the text."""
    grid = Table.grid(Column(width=9 + max(indent, 3), no_wrap=True), Column(overflow="fold"), padding=(0, 1))
    grid.add_row(Text(" " * indent + label), Text(to_printable(text)), style=style)
    out.print(grid)


class _PipeTable(Table):
    """A table that a program reads in a pipe: a line for each row, tabs between cells, and nothing that pads them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not isinstance(console, _Console) or not console.is_pipe:
            yield from super().__rich_console__(console, options)
            return
        rows = zip(*(column.cells for column in self.columns), strict=True)
        for row in ([column.header for column in self.columns], *rows):
            yield Segment(f"{TAB.join(map(str, row))}\n")  # a `Text` would replace the tabs


def make_table(*columns: str | Column) -> Table:
    """Return an empty table. A column given as a string wraps its cells to fit the terminal."""
    built = (Column(column, overflow="fold") if isinstance(column, str) else column for column in columns)
    return _PipeTable(
        *built, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )


def unwrapped_column(name: str) -> Column:
    """Return a column whose cells are never wrapped: ids, topic names, settings, numbers."""
    return Column(name, no_wrap=True, overflow="fold")


def add_row(table: Table, *cells: object) -> None:
    """Add a row of plain texts; markup in them is not interpreted."""
    table.add_row(*(Text(to_printable(cell)) for cell in cells))


@contextmanager
def progress_bar(
    label: str, total: float, *, as_percentage: bool = False, count_done: Callable[[], int] | None = None
) -> Iterator[Callable[[float], None]]:
    """Show a progress bar if standard error is a terminal; yield a function that sets the amount done.

    Args:
        label: Name of the task.
        total: The total amount.
        as_percentage: Show a percentage instead of a count such as "3/10".
        count_done: Returns the number of things that are done, to show their rate. None for the rate of the amount, or
            for none if that is a percentage.
    """
    if not err.is_terminal:
        yield lambda _: None
        return
    amount = TaskProgressColumn() if as_percentage else MofNCompleteColumn()
    rates = () if as_percentage and count_done is None else (_RateColumn(count_done),)
    columns = (TextColumn("{task.description}"), BarColumn(), amount, *rates, TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(label, total=total)
        shown_at = 0.0

        def set_done(done: float) -> None:
            nonlocal shown_at
            now = time.monotonic()
            if now - shown_at >= _PROGRESS_SECONDS or done >= total:
                shown_at = now
                progress.update(task, completed=done)

        yield set_done


class _RateColumn(ProgressColumn):
    """How many are done in a second, on average from the beginning."""

    def __init__(self, count_done: Callable[[], int] | None) -> None:
        super().__init__()
        self._count_done = count_done

    def render(self, task: Task) -> Text:
        done = task.completed if self._count_done is None else self._count_done()
        return Text(f"{done / task.elapsed:,.0f}/s" if task.elapsed else "")
