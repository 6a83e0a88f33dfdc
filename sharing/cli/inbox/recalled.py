"""Which received items are recalled, for commands: where the conversations may not be read, the inbox alone tells."""

from __future__ import annotations

from sharing.cli.shared.console import err
from sharing.console.connection import ConsoleConnection
from sharing.console.recalls import Recalled, read_recalled
from sharing.errors import InfrastructureError


def read_known_recalls(console: ConsoleConnection) -> Recalled:
    """Return what is recalled, as the worker keeps it.

    Where the topic may not be read, as with the certificate of a case system, recalls in the inbox are all that is
    known, and this says so.

    Raises:
        DecodeError: An entry is malformed, or of a schema that this release does not know.
    """
    try:
        return read_recalled(console)
    except InfrastructureError as error:
        err.print(f"recalls are known from the inbox alone: {error}")
        return {}
