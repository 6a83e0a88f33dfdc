"""The outcomes that are reported to agencies: what was decided, what was quarantined, and what followed.

They contain only ids, codes, names of facts and times. Less is reported to an agency than supervisors can read: no
officer's id, nothing about another agency's items, and no reason why a State was considered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from sharing.conversation.revision import Revision
from sharing.model.decision import PackReference
from sharing.model.effects import EXPLAINING_EFFECTS, FORBIDDING_EFFECTS
from sharing.model.recipient_terms import RuleReference, UndecidedRule, describe_undecided
from sharing.model.times import from_milliseconds, to_milliseconds
from sharing.model.vocabulary import Outcome

Fields = Mapping[str, Any]

AGENCY_BYTES: Final = 16
UNKNOWN_AGENCY: Final = bytes(AGENCY_BYTES)
"""Used instead of the digest of an agency that is not known."""


@lru_cache(maxsize=1024)
def digest_agency(name: str) -> bytes:
    """Return the digest by which an agency is named; `UNKNOWN_AGENCY` if the name is empty.

    Where agencies share a topic, it tells their items apart, and keeps their names, which are free texts, out of it.
    """
    return blake2b(name.encode(), digest_size=AGENCY_BYTES).digest() if name else UNKNOWN_AGENCY


class OutcomeWriter(StrEnum):
    """Which loop of a worker has written a block."""

    GATE = "GATE"
    CONVERSATION = "CONVERSATION"


class FollowedKind(StrEnum):
    """What followed after a decision.

    Attributes:
        ASKED: People were asked. They have until a given time to answer.
        OFFERED: The item was offered to a State, which must accept its conditions first.
        ANSWERED: A question was answered.
        EXPIRED: Nobody has answered a question in time.
        CANCELLED: A question no longer matters.
        SENT: The item was sent.
        CORRECTED: A correction of what a State has was sent.
        RECALLED: A State was told to use the item no longer.
        UNDELIVERED: What was to be sent was not: nothing can be sent to the State.
        AMENDED: What an officer stated about the item was handed to the gate, which decides again.
        CLOSED: The version is withheld from a State for good.
    """

    ASKED = "ASKED"
    OFFERED = "OFFERED"
    ANSWERED = "ANSWERED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SENT = "SENT"
    CORRECTED = "CORRECTED"
    RECALLED = "RECALLED"
    UNDELIVERED = "UNDELIVERED"
    AMENDED = "AMENDED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class DecidedGroup:
    """States for which the same was decided.

    Attributes:
        states: The States.
        outcome: The outcome for each of them.
        is_sent: Whether the notice or the offer was sent together with the decision.
        is_asked: Whether people are asked for the facts that are missing.
        basis: Treaty basis; None if no common treaty is known.
        approver: Role that must approve; None if none must.
        rules: Rules that led to the outcome.
        undecided: Rules that could not be decided, and the missing fact.
        conditions: Codes of the conditions that bind these States.
        redacted: Fields that the law redacts.
    """

    states: tuple[str, ...]
    outcome: Outcome
    is_sent: bool
    is_asked: bool
    basis: str | None
    approver: str | None
    rules: tuple[RuleReference, ...]
    undecided: tuple[UndecidedRule, ...]
    conditions: tuple[str, ...]
    redacted: tuple[str, ...]

    @property
    def explanation(self) -> str:
        """The rules that led to the outcome, or the missing facts and the rules that failed, on one line."""
        rules = ", ".join(f"{rule.citation} [{rule.id}]" for rule in self.rules if rule.effect in EXPLAINING_EFFECTS)
        if self.outcome is not Outcome.WITHHOLD or any(rule.effect in FORBIDDING_EFFECTS for rule in self.rules):
            return rules
        return describe_undecided(self.undecided) or "no rule permits it"

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema describes."""
        return {
            "states": self.states,
            "outcome": self.outcome,
            "is_sent": self.is_sent,
            "is_asked": self.is_asked,
            "basis": self.basis,
            "approver": self.approver,
            "rules": [asdict(rule) for rule in self.rules],
            "undecided": [asdict(rule) for rule in self.undecided],
            "conditions": self.conditions,
            "redacted": self.redacted,
        }

    @classmethod
    def from_record(cls, record: Fields) -> DecidedGroup:
        """Return the group of a decoded record."""
        return cls(
            tuple(record["states"]),
            Outcome(record["outcome"]),
            record["is_sent"],
            record["is_asked"],
            record["basis"],
            record["approver"],
            tuple(map(RuleReference.from_record, record["rules"])),
            tuple(UndecidedRule(each["rule"], each["fact"]) for each in record["undecided"]),
            tuple(record["conditions"]),
            tuple(record["redacted"]),
        )


@dataclass(frozen=True, slots=True)
class DecidedOutcome:
    """The gate has decided on a version of an item, or on an amendment of it.

    Attributes:
        is_closed: Whether nothing follows: only a new version can change it.
        groups: Every State that was considered, each in one group; empty if there was none.
        is_shortened: Whether the groups are left out, because they would not fit into a record.
    """

    is_closed: bool
    groups: tuple[DecidedGroup, ...]
    is_shortened: bool = False

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema describes."""
        groups = [group.to_record() for group in self.groups]
        return {"is_closed": self.is_closed, "is_shortened": self.is_shortened, "groups": groups}


@dataclass(frozen=True, slots=True)
class QuarantinedOutcome:
    """A record could not be processed.

    Attributes:
        stage: Where it was rejected: READ, OPEN, DECODE, CHECK or DECIDE.
        cause: Why, as a short code.
        message: What is wrong and what to do, without content.
        offset: Offset of the record on the partition of its topic, where its id is not known; None otherwise.
    """

    stage: str
    cause: str
    message: str
    offset: int | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema describes."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FollowedOutcome:
    """What followed after the decision.

    Attributes:
        what: What, by the names of `FollowedKind`. A later release may know more of them.
        states: The receiving States that it is about.
        ask: Kind of the question, such as APPROVE; None if it is not about one.
        until: Until when an answer counts, in UTC milliseconds.
        role: The role that may answer.
        answer: The answer that was given.
        facts: Names of the facts that are asked for, or were stated.
    """

    what: str
    states: tuple[str, ...] = ()
    ask: str | None = None
    until: int | None = None
    role: str | None = None
    answer: str | None = None
    facts: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema describes."""
        return {**asdict(self), "until": None if self.until is None else from_milliseconds(self.until)}

    @classmethod
    def from_record(cls, record: Fields) -> FollowedOutcome:
        """Return what a decoded record says."""
        until = None if record["until"] is None else to_milliseconds(record["until"])
        return cls(
            record["what"], tuple(record["states"]), record["ask"], until, record["role"], record["answer"],
            tuple(record["facts"]),
        )  # fmt: skip


Told = DecidedOutcome | QuarantinedOutcome | FollowedOutcome
"""What is reported to an agency about an item."""


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of one item, at one instant.

    Attributes:
        indicator_id: Id of the indicator; None where it is not known.
        revision: The version, and the amendment of it. Version 0 where it is not known.
        agency: Digest of the name of its agency; `UNKNOWN_AGENCY` where the record names none that can be relied on.
        told: What became of it.
        at: When, in UTC milliseconds.
        partition: Its partition.
    """

    indicator_id: str | None
    revision: Revision
    agency: bytes
    told: Told
    at: int
    partition: int

    def is_of(self, agency: str) -> bool:
        """Return whether it is about an item of an agency, as far as that is known."""
        return self.agency in {UNKNOWN_AGENCY, digest_agency(agency)}


@dataclass(frozen=True, slots=True)
class OutcomeBlock:
    """What one batch of the State's worker says about the items of one partition.

    Attributes:
        state: The State.
        writer: Which loop has written it, by the names of `OutcomeWriter`.
        partition: The input partition.
        written_at: Instant of the batch, in UTC milliseconds.
        pack: The law that the batch has applied.
        items: What became of the items, in the order in which the batch has processed them.
    """

    state: str
    writer: str
    partition: int
    written_at: int
    pack: PackReference
    items: tuple[ItemOutcome, ...]
