"""Which received items are recalled, for commands: where the conversations may not be read, the inbox alone tells."""

from __future__ import annotations

from typing import Final

from sharing.cli.shared.console import err
from sharing.console.connection import ConsoleConnection
from sharing.console.recalls import Recalled, read_recalled
from sharing.errors import InfrastructureError
from sharing.kafka.unreadable_records import Unreadable

RECALLS_UNKNOWN: Final = (
    "an item that is not marked may be recalled: do not use it before the operators have restored the topic "
    "(docs/maintain.md)"
)


def read_known_recalls(console: ConsoleConnection, unreadable: Unreadable) -> Recalled:
    """Return what is recalled, as the worker keeps it.

    Where the topic may not be read, as with the certificate of a case system, recalls in the inbox are all that is
    known, and this says so.

    Args:
        console: The connection.
        unreadable: Is given what cannot be read: a recall may be in it.
    """
    try:
        return read_recalled(console, unreadable)
    except InfrastructureError as error:
        err.print(f"recalls are known from the inbox alone: {error}")
        return {}
