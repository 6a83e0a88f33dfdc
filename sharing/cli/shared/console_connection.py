"""What a command of a State's officers works with: the State, the broker, and how records are framed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from sharing.cli.shared.connection import load_client_settings
from sharing.cli.shared.states import read_state
from sharing.errors import SettingsError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.item_history import HistoryTopic
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.topology.topics import TopicKind

StateOption = Annotated[
    str | None, typer.Option("--state", metavar="STATE", help="The officers' State. Default: SHARING_STATE.")
]


@dataclass(frozen=True, slots=True)
class ConsoleConnection:
    """One State's topics, as its officers reach them.

    Attributes:
        settings: The settings.
        state: The State.
        servers: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
    """

    settings: Settings
    state: str
    servers: str
    properties: Mapping[str, str]
    framing: Framing

    def open_history(self, kind: TopicKind) -> HistoryTopic:
        """Return a topic of records about items."""
        return HistoryTopic(kind, self.state, name_console_group(self.state, "items"), self.framing)


def connect_console(bootstrap: str | None, state: str | None) -> ConsoleConnection:
    """Return the connection that options and settings name. Nothing is connected yet.

    Raises:
        SettingsError: No State or no servers are configured, or the certificate is unusable.
        InputError: It is no State.
    """
    chosen = None if state is None else read_state("--state", state)
    settings, servers, tls = load_client_settings(bootstrap, state=chosen)
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    return ConsoleConnection(settings, settings.state, servers, tls, load_framing(settings, settings.state))
