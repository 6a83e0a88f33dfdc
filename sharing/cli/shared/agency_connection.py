"""What a command of an agency reads with: its State, the topic of its outcomes, and how records are framed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sharing.kafka.outcome_reader import OutcomeReader, OutcomeTopic, find_outcome_topic
from sharing.kafka.tls import read_identity
from sharing.kafka.unreadable_records import Unreadable
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.topology.topic_kinds import Role


@dataclass(frozen=True, slots=True)
class AgencyConnection:
    """The topic of an agency's outcomes, as the agency reaches it.

    Attributes:
        topic: The topic.
        servers: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
    """

    topic: OutcomeTopic
    servers: str
    properties: Mapping[str, Any]
    framing: Framing

    def open_reader(self, positions: Mapping[int, int], unreadable: Unreadable | None = None) -> closing[OutcomeReader]:
        """Return a reader that begins at these offsets, by partition, and is closed at the end of a `with` block.

        Args:
            positions: The offsets.
            unreadable: Is given what cannot be read, and reading goes on after it; None if it is an error.

        Raises:
            InfrastructureError: No broker answers.
        """
        return closing(
            OutcomeReader(self.servers, self.topic, positions, self.properties, self.framing, unreadable=unreadable)
        )


def connect_agency(
    settings: Settings, state: str, agency: str, servers: str, properties: Mapping[str, Any]
) -> AgencyConnection:
    """Return the connection of an agency.

    Raises:
        InfrastructureError: No broker answers, or there is no topic of outcomes that is visible here.
    """
    topic = find_outcome_topic(servers, state, agency, properties)
    return AgencyConnection(topic, servers, properties, load_framing(settings, state))


def is_officer(settings: Settings) -> bool:
    """Return whether the client certificate is that of a State's officers, who read more than an agency.

    Raises:
        SettingsError: The certificate is unusable.
    """
    identity = read_identity(settings)
    return identity is not None and identity.principal is not None and identity.principal.role is Role.CONSOLE
