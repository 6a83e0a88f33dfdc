"""The settings that every broker of a bus needs, derived from the topic table. Deployments and `doctor` use them.

Kafka's defaults are made for other uses: they forget a group's offsets after a week, and let a client keep a
transaction open, which hides all later records from every reader, for a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping

from sharing.topology.topic_kinds import FOREVER
from sharing.topology.topics import TOPIC_KINDS

TRANSACTION_TIMEOUT_MS = 30_000
"""How long a gate's transaction may stay open unless a setting says otherwise, in milliseconds."""

TRANSACTION_TIMEOUT_MAX_MS = 2 * TRANSACTION_TIMEOUT_MS
"""The longest transaction timeout that a client may request, in milliseconds. This is also the default of Kafka's own
clients."""

CONNECTIONS_PER_IP_MAX = 200
"""Connections from one address to one broker. A gate opens fewer than ten; agencies may share an address."""

CONNECTIONS_MAX = 5_000
"""All connections to one broker: 193 gates, their agencies, consoles and partners, with room to reconnect."""

CONNECTION_RATE_MAX = 100
"""New connections in one second to one broker, each with a TLS handshake. Further ones wait; none is refused."""

_MINUTE_MS = 60_000


def compute_offsets_retention_minutes() -> int:
    """Return how long the offsets of a group without members are kept: as long as the longest finite retention.

    A gate or subscriber whose offsets are gone reads its topics from the beginning again.
    """
    longest_ms = max(kind.retention_ms for kind in TOPIC_KINDS if kind.retention_ms != FOREVER)
    return -(-longest_ms // _MINUTE_MS)


def list_required_settings() -> Mapping[str, str]:
    """Return the settings that every broker must have, by Kafka's configuration keys; `sharing doctor` checks them."""
    return {
        "offsets.retention.minutes": str(compute_offsets_retention_minutes()),
        "transaction.max.timeout.ms": str(TRANSACTION_TIMEOUT_MAX_MS),
        # A replica that lags must never become the leader: confirmed records would be lost.
        "unclean.leader.election.enable": "false",
        # A topic that a client creates by naming it would not have the table's settings.
        "auto.create.topics.enable": "false",
    }


def list_connection_limits() -> Mapping[str, str]:
    """Return the limits on connections of a broker in a deployment, by Kafka's configuration keys."""
    return {
        "max.connections": str(CONNECTIONS_MAX),
        "max.connections.per.ip": str(CONNECTIONS_PER_IP_MAX),
        "max.connection.creation.rate": str(CONNECTION_RATE_MAX),
    }
