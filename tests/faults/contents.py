"""The records that a checker has read, with their positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class CommittedRecord(NamedTuple):
    """One committed record.

    Attributes:
        partition, offset: Its position.
        at_ms: Its timestamp, in UTC milliseconds.
        key: The key in bytes.
        raw: The value in bytes.
        data: The decoded value; empty for invalid records (see `poison`).
        poison: For an invalid record, the cause with which it must be quarantined; else "". A batch that cannot be
            decompressed counts as one invalid record.
        headers: The values of its headers, joined.
        sealed: For a record that was sealed, its value as it is on the topic; then `raw` is what was opened.
        entry: For an entry of an audit log, its number in its block, from 0: entries of a block share its position.
    """

    partition: int
    offset: int
    at_ms: int
    key: bytes
    raw: bytes
    data: Mapping[str, Any]
    poison: str = ""
    headers: bytes = b""
    sealed: bytes = b""
    entry: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        """Where the record is, or the entry of an audit log: in the order of places, each partition is in order."""
        return self.partition, self.offset, self.entry

    @property
    def unsealed(self) -> bytes:
        """The bytes that anyone reads who reads the topic: never content."""
        return b" ".join((self.key, self.headers, self.sealed))


class DeletedLog(NamedTuple):
    """An input topic that was deleted.

    Attributes:
        topic_id: Its id.
        records: Its records.
        accepted: The indicators (id and version) that had been confirmed to the publisher.
    """

    topic_id: str
    records: Sequence[CommittedRecord]
    accepted: frozenset[tuple[str, int]]


@dataclass(slots=True)
class TopicContents:
    """The records on a providing State's topics, and those on the topics of the receiving States.

    Attributes:
        indicators, decisions, drafts, quarantined: Records of the provider. The indicators include those of deleted
            topics that the gate had processed, by its own account.
        notices, urgent, offers: Records of every provider, by receiving State; without invalid ones. Of the urgent
            topic, notices only.
        urgent_offers, urgent_replies: The offers and the replies on the urgent topic, by receiving State.
        unreadable: Invalid records on the topics of notices, as `topic/partition@offset`, by receiving State.
        broken_blocks: Where the provider's log of decisions is broken.
        deleted: Indicators (id and version) that were confirmed and deleted with their topic before the gate processed
            them.
    """

    indicators: list[CommittedRecord] = field(default_factory=list)
    decisions: list[CommittedRecord] = field(default_factory=list)
    drafts: list[CommittedRecord] = field(default_factory=list)
    quarantined: list[CommittedRecord] = field(default_factory=list)
    notices: dict[str, list[CommittedRecord]] = field(default_factory=dict)
    urgent: dict[str, list[CommittedRecord]] = field(default_factory=dict)
    offers: dict[str, list[CommittedRecord]] = field(default_factory=dict)
    unreadable: dict[str, list[str]] = field(default_factory=dict)
    broken_blocks: list[str] = field(default_factory=list)
    deleted: set[tuple[str, int]] = field(default_factory=set)
    urgent_offers: dict[str, list[CommittedRecord]] = field(default_factory=dict)
    urgent_replies: dict[str, list[CommittedRecord]] = field(default_factory=dict)

    def list_notices(self, state: str) -> list[CommittedRecord]:
        """Return all notices that a State received."""
        return self.notices[state] + self.urgent[state]

    def list_offers(self, state: str) -> list[CommittedRecord]:
        """Return all offers that a State received."""
        return self.offers[state] + self.urgent_offers.get(state, [])
