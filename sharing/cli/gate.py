"""`sharing gate`: one State's processors, the same as `faust -A processors.app worker`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sharing.cli.connection import Bootstrap, settings_with_broker
from sharing.errors import SettingsError


def gate(
    state: Annotated[str | None, typer.Option("--state", help="The State; else SHARING_STATE.")] = None,
    bootstrap: Bootstrap = None,
) -> None:
    """Run one State's gate until it is told to stop (Ctrl-C or SIGTERM)."""
    settings, _ = settings_with_broker(bootstrap, state=state)
    if settings.state is None:
        raise SettingsError("whose gate? give --state CH, or set SHARING_STATE")
    # The library never imports Faust: the worker is a program of its own, which takes this one's place.
    environment = {
        **os.environ,
        "SHARING_STATE": settings.state,
        "SHARING_BOOTSTRAP": str(settings.bootstrap),
    }
    os.execve(sys.executable, [sys.executable, "-m", "processors"], environment)  # noqa: S606 our own interpreter and module
