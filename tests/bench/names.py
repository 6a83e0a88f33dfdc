"""Names that all benchmarks share."""

from __future__ import annotations

from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import (
    CHECKPOINTS,
    DECISIONS,
    GATE_STATE,
    INDICATORS,
    OUTCOMES,
    list_output_kinds,
    list_topics,
)

STATE = "CH"
STATES = ("CH", "DE", "FR", "JP", "NL", "US")
PARTITIONS = 4
SOURCE_TOPIC = INDICATORS.topic(STATE)
DECISIONS_TOPIC = DECISIONS.topic(STATE)
"""Where the peers write a record for each indicator, so their progress is measured on it. The gate writes blocks."""

GATE_GROUP = "national.ch.gate"


def list_output_topics() -> list[str]:
    """Return the topics to which the gate of CH writes its outputs, with the States of the benchmark.

    The gate's own state store is none of them: the loop writes it, and it has a record of each partition, not of each
    indicator. Nor are outcomes and checkpoints, which no other engine writes.
    """
    kinds = set(list_output_kinds()) - {GATE_STATE, OUTCOMES, CHECKPOINTS}
    return [
        name
        for name, topic in list_topics(STATES, PARTITIONS).items()
        if topic.kind in kinds and (topic.state == STATE or topic.kind.scope is TopicScope.EXCHANGE)
    ]
