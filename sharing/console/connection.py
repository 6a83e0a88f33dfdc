"""A State's topics, as its officers reach them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.item_history import HistoryTopic
from sharing.serialization.framing import Framing
from sharing.settings import Settings
from sharing.topology.topic_kinds import TopicKind


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
