"""Names that all measurements share."""

from __future__ import annotations

from sharing.topology.topics import DECISIONS, INDICATORS, TopicScope, topics_for

STATE = "CH"
STATES = ("CH", "DE", "FR", "JP", "NL", "US")
PARTITIONS = 4
SOURCE = INDICATORS.topic(STATE)
MINUTES = DECISIONS.topic(STATE)
"""One record for each indicator, so this topic is watched."""

GATE_GROUP = "national.ch.gate"


def output_topics() -> list[str]:
    """Return the topics that a gate of CH writes to, with these States."""
    return [
        name
        for name, topic in topics_for(STATES, PARTITIONS).items()
        if name != SOURCE and (topic.state == STATE or topic.kind.scope is TopicScope.EXCHANGE)
    ]
