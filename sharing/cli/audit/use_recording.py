"""Records what commands for supervisors and auditors open with the State's own keys."""

from __future__ import annotations

from sharing.console.connection import ConsoleConnection
from sharing.kafka.use_log import UseContext, UseLog


def open_use_log(console: ConsoleConnection, command: str) -> UseLog:
    """Return the log of what a command opens with the State's own keys; nothing is connected yet.

    Args:
        console: The connection.
        command: The command, such as `audit subject`.

    Raises:
        InputError: The configured name or purpose of the reader cannot be recorded.
    """
    settings = console.settings
    context = UseContext(settings.reader_name or "supervisor", "", command, settings.reader_purpose or "")
    return UseLog(console.servers, console.state, context, console.properties, console.framing)
