"""`sharing gate`: run the gate of one State, as `faust -A processors.app worker` does."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.errors import SettingsError


def gate(
    state: Annotated[str | None, typer.Option("--state", help="The State, such as CH. Default: SHARING_STATE.")] = None,
    bootstrap: Bootstrap = None,
) -> None:
    """Run one State's gate until Ctrl-C or SIGTERM."""
    settings, _ = load_broker_settings(bootstrap, state=state)
    if settings.state is None:
        raise SettingsError("no State is configured: give --state CH, or set SHARING_STATE")
    # `sharing` never imports Faust: the worker is a separate program that replaces this process.
    environment = {
        **os.environ,
        "SHARING_STATE": settings.state,
        "SHARING_BOOTSTRAP": str(settings.bootstrap),
    }
    os.execve(sys.executable, [sys.executable, "-m", "processors"], environment)  # noqa: S606 our own interpreter and module
