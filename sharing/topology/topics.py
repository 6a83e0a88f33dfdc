"""The topic table: names, keys, schemas, partitions, retention. Everything else about topics is derived from it.

Keys and headers are never encrypted, so they contain no value, name or case reference. The names of a State's topics
contain its code in lower case, so that one prefix ACL covers them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sharing.model.times import DAY_MS, HOUR_MS
from sharing.topology.name_patterns import AGENCY_PATTERN
from sharing.topology.topic_kinds import (
    ALL_ROLES,
    CHECKPOINT_BATCH_BYTES_MAX,
    DIRECTORY_BATCH_BYTES_MAX,
    FOREIGN_BATCH_BYTES_MAX,
    FOREVER,
    USES_BATCH_BYTES_MAX,
    Role,
    TopicKind,
    TopicScope,
)

EXCHANGE_RETENTION_MS = 30 * DAY_MS
"""How long messages stay on the topics between States. A State opens them at once, and seal keys end with them; an
older message is a replay."""

_GATE = frozenset({Role.GATE})
_OFFICERS = frozenset({Role.CONSOLE})
_RECEIVERS = frozenset({Role.PARTNER, Role.CONSOLE})
_RECEIVERS_AND_GATE = _RECEIVERS | _GATE

INDICATORS = TopicKind(
    "indicators", TopicScope.NATIONAL, "indicator", "indicator id", "agencies", "gate", frozenset({Role.AGENCY}), _GATE,
    30 * DAY_MS, by_agency=True, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
DECISIONS = TopicKind(
    "decisions",
    TopicScope.NATIONAL,
    "audit_block",
    "none",
    "gate",
    "supervisors, auditors",
    _GATE,
    _OFFICERS,
    FOREVER,
)
# Sealed under the State's wrapping key. The desk opens those of items that an officer is asked about, or has published.
DRAFTS = TopicKind(
    "drafts", TopicScope.NATIONAL, "draft", "item id and version", "gate", "conversation, desk", _GATE,
    _OFFICERS | _GATE, 365 * DAY_MS, compacted=True,
)  # fmt: skip
# What the gate has refused is in it as it was received: sealed, or in clear if an agency did not seal it. So the
# operator may not read it. What another State sent, rulings and drafts are named by reference.
QUARANTINE = TopicKind(
    "quarantine", TopicScope.NATIONAL, "quarantine", "quarantine id", "gate", "officers", _GATE, _OFFICERS, 365 * DAY_MS
)
OFFERS = TopicKind(
    "offers", TopicScope.EXCHANGE, "offer", "indicator id", "other States", "the State", _GATE,
    _RECEIVERS_AND_GATE, EXCHANGE_RETENTION_MS, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
NOTICES = TopicKind(
    "notices", TopicScope.EXCHANGE, "notice", "indicator id", "other States", "the State", _GATE,
    _RECEIVERS_AND_GATE, EXCHANGE_RETENTION_MS, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
URGENT = TopicKind(
    "urgent", TopicScope.EXCHANGE, "notice", "indicator id", "other States", "the State", _GATE,
    _RECEIVERS_AND_GATE, EXCHANGE_RETENTION_MS, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
DIRECTORY = TopicKind(
    "directory", TopicScope.DIRECTORY, "directory_entry", "State code; with keys also root.N and keys", "the State",
    "everyone", frozenset({Role.CONSOLE, Role.GATE}), ALL_ROLES, FOREVER, compacted=True, single_partition=True,
    max_message_bytes=DIRECTORY_BATCH_BYTES_MAX,
)  # fmt: skip
# What officers supply, correct or withdraw after an item was published. On the partition of the item, so that the gate
# decides on the revisions of an item in order.
AMENDMENTS = TopicKind(
    "amendments", TopicScope.NATIONAL, "amendment", "indicator id", "conversation", "gate", _GATE, _GATE, 30 * DAY_MS
)
# What became of an agency's items: it may read neither the decisions nor the conversations. Kept as long as the
# indicators themselves: the outcome of any that is still there can be found, and what must be kept forever is in the
# audit log.
OUTCOMES = TopicKind(
    "outcomes", TopicScope.NATIONAL, "outcome_block", "none", "gate, conversation", "that agency", _GATE,
    frozenset({Role.AGENCY}), 30 * DAY_MS, by_agency=True,
)  # fmt: skip
# The gate's state store: items with a version above 1 or withdrawn, and how far each input partition was processed.
# Also the secrets of the commitments in the audit log, wrapped: officers need them to show what a decision was about,
# and they must be gone when they are deleted.
GATE_STATE = TopicKind(
    "gate_state", TopicScope.NATIONAL, "gate_state", "indicator id, or input topic", "gate", "gate, officers", _GATE,
    _OFFICERS | _GATE, FOREVER, compacted=True, erases=True,
)  # fmt: skip
# What other States sent, verified, opened, and sealed again for the State's own readers. The key names the message, and
# the partition is that of the message, so that a tombstone finds it and the versions of an item stay in order.
INBOX = TopicKind(
    "inbox", TopicScope.NATIONAL, "inbox_item", "message id", "gate", "case systems, desk", _GATE, _RECEIVERS,
    365 * DAY_MS, compacted=True,
)  # fmt: skip
INBOX_URGENT = TopicKind(
    "inbox.urgent", TopicScope.NATIONAL, "inbox_item", "message id", "gate", "case systems, desk", _GATE, _RECEIVERS,
    365 * DAY_MS, compacted=True,
)  # fmt: skip
# The state store of the loop that opens what other States send and drives the conversations: this is its changelog. The
# conversations, from which consoles list the open Asks; the ids of messages, the numbers of received and sent streams,
# and how far each input partition was processed.
CONVERSATIONS = TopicKind(
    "conversations", TopicScope.NATIONAL, "conversation_state",
    "direction and item id, message id, stream, or input topic", "conversation", "conversation, officers", _GATE,
    _OFFICERS | _GATE, FOREVER, compacted=True,
)  # fmt: skip
# Who may answer what. Each record is signed by registrars, so it can be verified no matter who wrote it.
OFFICERS = TopicKind(
    "officers", TopicScope.NATIONAL, "officer_entry", "officer id", "registrars", "gate, officers", _OFFICERS,
    _OFFICERS | _GATE, FOREVER, compacted=True, single_partition=True, max_message_bytes=DIRECTORY_BATCH_BYTES_MAX,
)  # fmt: skip
# What officers have signed. A ruling about items on several partitions is written to each of them.
RULINGS = TopicKind(
    "rulings", TopicScope.NATIONAL, "ruling", "item id", "officers", "gate, officers", _OFFICERS, _OFFICERS | _GATE,
    365 * DAY_MS, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
# The audit log of the conversation: what was done after the decision, and by whom. Kept forever, so it has no text, no
# value and no name of a person.
ACTS = TopicKind(
    "acts", TopicScope.NATIONAL, "audit_block", "none", "conversation", "supervisors, auditors", _GATE, _OFFICERS,
    FOREVER,
)  # fmt: skip
# Who opened which content, and when (LED, article 25). Written by the programs that open it, read by supervisors. It
# has ids and no content. It is about the State's own people, so it is not kept forever.
USES = TopicKind(
    "uses", TopicScope.NATIONAL, "uses", "reader", "readers of the inbox", "supervisors", _RECEIVERS, _OFFICERS,
    365 * DAY_MS, max_message_bytes=USES_BATCH_BYTES_MAX,
)  # fmt: skip
# What the duty desk keeps for its officers: unsent items, answers for the next time, dates of preservations. Sealed
# under the State's wrapping key. One partition, so that the versions of a record have one order.
DESK = TopicKind(
    "desk", TopicScope.NATIONAL, "desk_record", "kind and id", "desk", "desk", _OFFICERS, _OFFICERS, 365 * DAY_MS,
    compacted=True, single_partition=True, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
# Signed checkpoints of the State's audit logs. They are public, so that no State can be shown a different history from
# the others. Kept forever and never compacted, as the logs are: a witness does not miss any, and old entries can be
# proved.
CHECKPOINTS = TopicKind(
    "checkpoints", TopicScope.CHECKPOINTS, "checkpoint", "origin of the log", "the State's gate", "everyone", _GATE,
    ALL_ROLES, FOREVER, max_message_bytes=CHECKPOINT_BATCH_BYTES_MAX,
)  # fmt: skip
# Urgent replies go to the urgent topic, where the kind in the envelope tells them from notices.
REPLIES = TopicKind(
    "replies", TopicScope.EXCHANGE, "reply", "item id", "other States", "the State", _GATE,
    _RECEIVERS_AND_GATE, EXCHANGE_RETENTION_MS, max_message_bytes=FOREIGN_BATCH_BYTES_MAX,
)  # fmt: skip
# The broker's confirmation of an empty record contains the broker's time, so nobody needs to read the topic.
CLOCK = TopicKind(
    "clock", TopicScope.SHARED, "", "none", "gates and `sharing doctor`", "nobody", ALL_ROLES, frozenset(), HOUR_MS,
    single_partition=True, max_message_bytes=10_000,
)  # fmt: skip

TOPIC_KINDS = (
    INDICATORS, DECISIONS, OUTCOMES, DRAFTS, AMENDMENTS, RULINGS, ACTS, CONVERSATIONS, QUARANTINE, GATE_STATE, INBOX,
    INBOX_URGENT, USES, OFFERS, NOTICES, URGENT, REPLIES, DIRECTORY, CHECKPOINTS, OFFICERS, DESK, CLOCK,
)  # fmt: skip


def find_topic_kind(name: str) -> TopicKind | None:
    """Return the line of the table that a topic belongs to, or None if it is not a topic of the bus."""
    parts = name.split(".")
    for kind in TOPIC_KINDS:
        state = parts[1] if len(parts) > 1 and kind.scope is not TopicScope.SHARED else ""
        own = kind.topic(state)
        if name == own or (
            kind.by_agency and name.startswith(f"{own}.") and re.match(AGENCY_PATTERN, name[len(own) + 1 :])
        ):
            return kind
    return None


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a cluster.

    Attributes:
        name: Its name.
        kind: Its line of the table.
        state: Country code of its State; "" for a shared topic.
        partitions: Number of its partitions.
    """

    name: str
    kind: TopicKind
    state: str
    partitions: int


def list_topics(
    states: Iterable[str], partitions: int, agencies: Mapping[str, Iterable[str]] = MappingProxyType({})
) -> Mapping[str, Topic]:
    """Return all topics of a cluster with these States, by name.

    Args:
        states: Country codes.
        partitions: Partitions of each topic, except of kinds with a single one. All topics that a gate reads and
            writes have the same number.
        agencies: Ids of the agencies that have separate topics, by State.
    """
    topics = {}
    codes = sorted(set(states))
    for kind in TOPIC_KINDS:
        for state in codes if kind.scope is not TopicScope.SHARED else [""]:
            listed = sorted(agencies.get(state, ())) if kind.by_agency else []
            for agency in listed or [""]:
                name = kind.topic(state, agency)
                topics[name] = Topic(name, kind, state, 1 if kind.single_partition else partitions)
    return topics


def list_output_kinds() -> tuple[TopicKind, ...]:
    """Return the kinds of topics that the gate's loop writes to, which decides on the State's own indicators."""
    others = (AMENDMENTS, ACTS, CONVERSATIONS, REPLIES, INBOX, INBOX_URGENT, DIRECTORY)
    return tuple(kind for kind in TOPIC_KINDS if Role.GATE in kind.writers and kind.schema and kind not in others)


def list_conversation_kinds() -> tuple[TopicKind, ...]:
    """Return the kinds of topics that the conversation's loop writes to, which opens what other States send."""
    return (
        INBOX, INBOX_URGENT, QUARANTINE, ACTS, AMENDMENTS, CONVERSATIONS, NOTICES, OFFERS, URGENT, REPLIES,
        CHECKPOINTS, OUTCOMES,
    )  # fmt: skip
