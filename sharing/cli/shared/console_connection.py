"""Which State's topics a command of officers reaches: from its options and the settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.shared.connection import load_client_settings
from sharing.cli.shared.states import read_state
from sharing.console.connection import ConsoleConnection
from sharing.errors import SettingsError
from sharing.serialization.schema_registry import load_framing

StateOption = Annotated[
    str | None, typer.Option("--state", metavar="STATE", help="The officers' State. Default: SHARING_STATE.")
]


def connect_console(bootstrap: str | None, state: str | None, **overrides: Any) -> ConsoleConnection:
    """Return the connection that options and settings name. Nothing is connected yet.

    Args:
        bootstrap: The option `--bootstrap`.
        state: The option `--state`.
        overrides: Settings from further options; None leaves a setting as it is.

    Raises:
        SettingsError: No State or no servers are configured, or the certificate is unusable.
        InputError: It is no State.
    """
    chosen = None if state is None else read_state("--state", state)
    settings, servers, tls = load_client_settings(bootstrap, state=chosen, **overrides)
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    return ConsoleConnection(settings, settings.state, servers, tls, load_framing(settings, settings.state))
