"""What the topic table says about a kind of topic: who owns it, who uses it, and how Kafka keeps its records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharing.model.times import DAY_MS

FOREVER = -1
"""The retention of a topic whose records are never deleted."""

COMPACTION_LAG_MAX_MS = DAY_MS
"""How long a record may stay after its tombstone, on a topic whose records are deleted one by one."""

FOREIGN_BATCH_BYTES_MAX = 280_000
"""For topics that agencies or other States write to: one record of `RECORD_BYTES_MAX`, padded, sealed, with headers.

A broker limits compressed bytes, and gzip inflates up to a thousandfold. So this also bounds the memory used by a batch
that is written to exhaust its readers: 290 MB, and the same again while librdkafka's copy becomes Python's.
"""

DIRECTORY_BATCH_BYTES_MAX = 120_000
"""One directory entry, with headers. Every client of every State reads these topics, and gzip inflates a batch up to a
thousandfold."""

USES_BATCH_BYTES_MAX = 280_000
"""Many programs write to this topic, and only supervisors read it."""

CHECKPOINT_BATCH_BYTES_MAX = 120_000
"""A checkpoint with its cosignatures, or a few: every State reads these topics, and gzip inflates a batch."""

OUTPUT_BATCH_BYTES_MAX = 1_000_000
"""For topics that only the State's own gate writes to."""


class TopicScope(StrEnum):
    """Who owns the topics of a kind.

    Attributes:
        NATIONAL: One topic for each State, used inside that State.
        EXCHANGE: One topic for each State, to which the gates of the other States write.
        DIRECTORY: One topic for each State, to which only that State writes and which all States read. Not under
            `exchange.`, the prefix that every gate may write to.
        CHECKPOINTS: One topic for each State, to which only its gate writes and which all States read.
        SHARED: One topic for all States.
    """

    NATIONAL = "national"
    EXCHANGE = "exchange"
    DIRECTORY = "directory"
    CHECKPOINTS = "checkpoints"
    SHARED = "shared"

    @property
    def has_one_writer(self) -> bool:
        """Whether a State writes its own topic and everyone reads those of all: the name ends with the State's code."""
        return self in {TopicScope.DIRECTORY, TopicScope.CHECKPOINTS}


class Role(StrEnum):
    """The role of a client that connects (see `sharing.topology.acls`)."""

    AGENCY = "agency"
    GATE = "gate"
    CONSOLE = "console"
    PARTNER = "partner"
    OPERATOR = "operator"


ALL_ROLES = frozenset(Role)


@dataclass(frozen=True, slots=True)
class TopicKind:
    """One line of the table.

    Attributes:
        name: Last part of the topic's name.
        scope: Who owns the topics.
        schema: Name of the Avro schema of its records; "" if they are empty.
        key: What the record key contains, in words.
        writer_text: The writers, in words.
        reader_text: The readers, in words.
        writers: Roles that may write: those of the State itself, and for exchange topics those of every State.
        readers: Roles that may read.
        retention_ms: How long records are kept, in milliseconds; FOREVER for the audit log.
        compacted: Whether only the last record of each key is kept, so that a tombstone deletes a record.
        erases: Whether a record is erased within a day of its tombstone, although others are kept forever.
        single_partition: Whether the topic has one partition, no matter how many the other topics have.
        by_agency: Whether each agency has a separate topic, in States that list agencies.
        max_message_bytes: Size limit of a record batch as it is stored, compressed, in bytes.
    """

    name: str
    scope: TopicScope
    schema: str
    key: str
    writer_text: str
    reader_text: str
    writers: frozenset[Role]
    readers: frozenset[Role]
    retention_ms: int
    compacted: bool = False
    erases: bool = False
    single_partition: bool = False
    by_agency: bool = False
    max_message_bytes: int = OUTPUT_BATCH_BYTES_MAX

    def topic(self, state: str = "", agency: str = "") -> str:
        """Return the name of the topic of a State or of one of its agencies: `national.ch.indicators.fedpol`."""
        if self.scope is TopicScope.SHARED:
            return f"exchange.{self.name}"
        if self.scope.has_one_writer:
            return f"{self.scope}.{state.lower()}"
        return ".".join((self.scope, state.lower(), self.name, *([agency] if agency else [])))

    def config(self) -> dict[str, str]:
        """Return the topic's configuration, by Kafka's configuration keys.

        Records have the broker's timestamp: retention by a writer's clock would delete unread records that a slow clock
        stamped.
        """
        policies = ["compact"] * self.compacted + ["delete"] * (not self.compacted or self.retention_ms != FOREVER)
        config = {
            "cleanup.policy": ",".join(policies),
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(self.max_message_bytes),
        }
        if len(policies) > 1 or self.erases:
            config["max.compaction.lag.ms"] = str(COMPACTION_LAG_MAX_MS)
        return config
