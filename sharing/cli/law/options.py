"""The options that several law commands share, and how their values are read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.instants import parse_instant

PacksOption = Annotated[
    Path | None, typer.Option("--packs", help="A folder of packs. Default: SHARING_PACKS, else the shipped packs.")
]

AdoptedPackOption = Annotated[
    str | None,
    typer.Option("--pack", help="The pack that the State adopted, such as EU. Default: SHARING_PACK, else its own."),
]

DecisionTimeOption = Annotated[
    str | None, typer.Option("--at", help="Time of the decision, RFC 3339 with a zone. Default: the current minute.")
]

DirectoryOption = Annotated[
    Path | None, typer.Option("--directory", help="YAML file with directory entries. Default: a sample.")
]


def read_decision_time(text: str | None) -> int:
    """Return the time given with `--at`, or the current time, in UTC milliseconds.

    The current time is rounded to the minute, so that a repeated run prints the same bytes.

    Raises:
        InputError: The given time is not valid or has no zone.
    """
    return int(time.time()) // 60 * 60_000 if text is None else parse_instant(text, "--at")
