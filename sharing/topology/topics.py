"""The one table of topics: names, keys, schemas, partitions, retention. Everything else about topics is made from it.

Keys and headers are never encrypted: no value, name or case reference in them. A State's topics carry its code in
lower case, so that one prefix ACL covers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
FOREVER = -1

AGENCY_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
"""An agency's id: a part of topic names, of principals and of the CN of certificates."""


class TopicScope(StrEnum):
    """Whose topic it is."""

    NATIONAL = "national"
    EXCHANGE = "exchange"
    DIRECTORY = "directory"  # one for all


class Role(StrEnum):
    """As what somebody connects (`sharing.topology.acls`)."""

    AGENCY = "agency"
    GATE = "gate"
    CONSOLE = "console"
    PARTNER = "partner"
    OPERATOR = "operator"


EVERYONE = frozenset(Role)


@dataclass(frozen=True, slots=True)
class TopicKind:
    """One line of the table.

    Attributes:
        name: Last part of the topic's name.
        schema: Name of the Avro schema of its records; "" where they are empty.
        key: What a record's key is.
        writer: Who writes, in words.
        reader: Who reads, in words.
        writers: The roles that may write: of the State itself, for exchange topics of the others.
        readers: The roles that may read.
        compacted: Whether only the last record of a key is kept.
        retention_ms: How long records are kept; FOREVER for minutes.
        single: Whether it has one partition whatever the rest has.
        by_agency: Whether each agency has one of its own, where agencies are listed.
        broker_time: Whether the broker stamps records with its own clock, whatever their writer says.
    """

    name: str
    scope: TopicScope
    schema: str
    key: str
    writer: str
    reader: str
    writers: frozenset[Role]
    readers: frozenset[Role]
    retention_ms: int
    compacted: bool = False
    single: bool = False
    by_agency: bool = False
    broker_time: bool = False

    def topic(self, state: str = "", agency: str = "") -> str:
        """Return the topic's name for a State, or one of its agencies: `national.ch.indicators.fedpol`."""
        if self.scope is TopicScope.DIRECTORY:
            return f"exchange.{self.name}"
        return ".".join((self.scope, state.lower(), self.name, *([agency] if agency else [])))

    def config(self) -> dict[str, str]:
        """Return the topic's configuration as Kafka names it."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_ms),
            **({"message.timestamp.type": "LogAppendTime"} if self.broker_time else {}),
        }


_GATE = frozenset({Role.GATE})
_OFFICERS = frozenset({Role.CONSOLE})
_RECEIVERS = frozenset({Role.PARTNER, Role.CONSOLE})

INDICATORS = TopicKind(
    "indicators", TopicScope.NATIONAL, "indicator", "indicator id", "agencies", "gate", frozenset({Role.AGENCY}), _GATE,
    30 * DAY_MS, by_agency=True,
)  # fmt: skip
DECISIONS = TopicKind(
    "decisions",
    TopicScope.NATIONAL,
    "decision",
    "indicator id",
    "gate",
    "supervisors, auditors",
    _GATE,
    _OFFICERS,
    FOREVER,
)
DRAFTS = TopicKind(
    "drafts", TopicScope.NATIONAL, "draft", "indicator id", "gate", "conversation", _GATE, _GATE, 365 * DAY_MS
)
# It holds records as they came. Until they are sealed, the State's officers read it, and no operator.
QUARANTINE = TopicKind(
    "quarantine", TopicScope.NATIONAL, "quarantine", "quarantine id", "gate", "officers", _GATE, _OFFICERS, 365 * DAY_MS
)
OFFERS = TopicKind(
    "offers", TopicScope.EXCHANGE, "offer", "indicator id", "other States", "the State", _GATE, _RECEIVERS, 365 * DAY_MS
)
NOTICES = TopicKind(
    "notices",
    TopicScope.EXCHANGE,
    "notice",
    "indicator id",
    "other States",
    "the State",
    _GATE,
    _RECEIVERS,
    365 * DAY_MS,
)
URGENT = TopicKind(
    "urgent",
    TopicScope.EXCHANGE,
    "notice",
    "indicator id",
    "other States",
    "the State",
    _GATE,
    _RECEIVERS,
    365 * DAY_MS,
)
DIRECTORY = TopicKind(
    "directory", TopicScope.DIRECTORY, "directory_entry", "State code", "each State, for itself", "everyone",
    frozenset({Role.CONSOLE}), EVERYONE, FOREVER, compacted=True, single=True,
)  # fmt: skip
# The broker's confirmation of an empty record tells its time; nobody has to read it.
CLOCK = TopicKind(
    "clock", TopicScope.DIRECTORY, "", "none", "`sharing doctor`", "nobody", EVERYONE, frozenset(), HOUR_MS,
    single=True, broker_time=True,
)  # fmt: skip

TABLE = (INDICATORS, DECISIONS, DRAFTS, QUARANTINE, OFFERS, NOTICES, URGENT, DIRECTORY, CLOCK)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a cluster."""

    name: str
    kind: TopicKind
    state: str
    partitions: int


def topics_for(
    states: Iterable[str], partitions: int, agencies: Mapping[str, Iterable[str]] = MappingProxyType({})
) -> Mapping[str, Topic]:
    """Return every topic that a cluster with these States has, by name.

    Args:
        states: Country codes.
        partitions: Partitions of each topic but the single ones. All that a gate joins have the same number.
        agencies: By State, those that have a topic of their own.
    """
    found = {}
    codes = sorted(set(states))
    for kind in TABLE:
        for state in codes if kind.scope is not TopicScope.DIRECTORY else [""]:
            own = sorted(agencies.get(state, ())) if kind.by_agency else []
            for agency in own or [""]:
                name = kind.topic(state, agency)
                found[name] = Topic(name, kind, state, 1 if kind.single else partitions)
    return found
