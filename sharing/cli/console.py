"""What a command says, and where: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sharing.errors import SettingsError
from sharing.settings import Settings, load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, or JSON lines for a stream.")]
Bootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap", help="Kafka bootstrap servers; else SHARING_BOOTSTRAP.", metavar="HOST:PORT"),
]

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document on one line, at once."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str) + "\n")
    sys.stdout.flush()


def settings_with_broker(bootstrap: str | None, **given: Any) -> tuple[Settings, str]:
    """Return the settings, and the bootstrap servers that the command needs.

    Raises:
        SettingsError: None are named.
    """
    settings = load_settings(bootstrap=bootstrap, **given)
    if settings.bootstrap is None:
        raise SettingsError(
            "no broker is named: give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP "
            "(`sharing broker up` starts one and says where it is)"
        )
    return settings, settings.bootstrap


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Any]:
    """Show progress on standard error where that is a terminal; yield a function that takes how many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)
