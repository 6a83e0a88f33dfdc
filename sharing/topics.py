"""The one table of topics: names, keys, schemas, partitions, retention. Everything else about topics is made from it.

Keys and headers are never encrypted: no value, name or case reference in them. A State's topics carry its code in
lower case, so that one prefix ACL covers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 24 * 60 * 60 * 1000
FOREVER = -1


class Scope(StrEnum):
    """Whose topic it is."""

    NATIONAL = "national"
    EXCHANGE = "exchange"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class TopicKind:
    """One line of the table.

    Attributes:
        name: Last part of the topic's name.
        schema: Name of the Avro schema of its records.
        key: What a record's key is.
        writer: Who writes.
        reader: Who reads.
        compacted: Whether only the last record of a key is kept.
        retention_ms: How long records are kept; FOREVER for minutes.
        single: Whether it has one partition whatever the rest has.
    """

    name: str
    scope: Scope
    schema: str
    key: str
    writer: str
    reader: str
    retention_ms: int
    compacted: bool = False
    single: bool = False

    def topic(self, state: str = "") -> str:
        """Return the topic's name for a State: `national.ch.indicators`."""
        return f"exchange.{self.name}" if self.scope is Scope.DIRECTORY else f"{self.scope}.{state.lower()}.{self.name}"

    def config(self) -> dict[str, str]:
        """Return the topic's configuration as Kafka names it."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_ms),
        }


INDICATORS = TopicKind("indicators", Scope.NATIONAL, "indicator", "indicator id", "agencies", "gate", 30 * DAY_MS)
DECISIONS = TopicKind("decisions", Scope.NATIONAL, "decision", "indicator id", "gate", "supervisors, auditors", FOREVER)
DRAFTS = TopicKind("drafts", Scope.NATIONAL, "draft", "indicator id", "gate", "conversation", 365 * DAY_MS)
QUARANTINE = TopicKind(
    "quarantine", Scope.NATIONAL, "quarantine", "quarantine id", "gate", "publisher, operator", 365 * DAY_MS
)
OFFERS = TopicKind("offers", Scope.EXCHANGE, "offer", "indicator id", "other States", "the State", 365 * DAY_MS)
NOTICES = TopicKind("notices", Scope.EXCHANGE, "notice", "indicator id", "other States", "the State", 365 * DAY_MS)
URGENT = TopicKind("urgent", Scope.EXCHANGE, "notice", "indicator id", "other States", "the State", 365 * DAY_MS)
DIRECTORY = TopicKind(
    "directory", Scope.DIRECTORY, "directory_entry", "State code", "each State, for itself", "everyone", FOREVER,
    compacted=True, single=True,
)  # fmt: skip

TABLE = (INDICATORS, DECISIONS, DRAFTS, QUARANTINE, OFFERS, NOTICES, URGENT, DIRECTORY)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a cluster."""

    name: str
    kind: TopicKind
    state: str
    partitions: int


def topics_for(states: Iterable[str], partitions: int) -> Mapping[str, Topic]:
    """Return every topic that a cluster with these States has, by name.

    Args:
        states: Country codes.
        partitions: Partitions of each topic but the directory. All that a gate joins have the same number.
    """
    found = {}
    codes = sorted(set(states))
    for kind in TABLE:
        for state in codes if kind.scope is not Scope.DIRECTORY else [""]:
            name = kind.topic(state)
            found[name] = Topic(name, kind, state, 1 if kind.single else partitions)
    return found
