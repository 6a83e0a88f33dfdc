"""What the checker of conversations reads of one providing State, and of what other States made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import Revision
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.conversation_state.item_keys import ITEM_PREFIXES
from sharing.ids import make_item_id
from sharing.rulings.act import Act
from sharing.rulings.ruling import Ruling
from sharing.topology.topics import ACTS, AMENDMENTS, CONVERSATIONS, NOTICES, OFFERS, QUARANTINE, REPLIES, URGENT
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.item_agencies import get_agency
from tests.faults.records import OpenValue, read_topic
from tests.faults.sealed.officer_journal import JournaledRuling

Entry = KeptConversation | ReceivedItem
Place = tuple[str, int, int]


class PlacedAct(NamedTuple):
    """An act, and where it is in its topic.

    Attributes:
        partition, offset: The position of its block.
        at_ms: The timestamp of the block, in UTC milliseconds.
        act: The act.
        entry: Its number in the block, from 0.
    """

    partition: int
    offset: int
    at_ms: int
    act: Act
    entry: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        """Where the act is: of one partition, the acts are in the order of their places."""
        return self.partition, self.offset, self.entry


@dataclass(slots=True)
class ConversationContents:
    """Everything about the conversations of one State, as provider and as receiver.

    Attributes:
        state: The State.
        items: Ids of its own items, by indicator.
        agencies: The agency of each of them.
        publishers: The officer who has published an item, by the item; without those of automated feeds.
        decisions, drafts, amendments: The records of these topics.
        notices, offers: What other States have received of it, on any topic; not what was forged.
        replies: The replies that it has received, and those that it has sent.
        acts: Its acts, in the order of their places.
        entries: What its worker keeps now, by key.
        rulings: What its officers have signed, as far as the broker has confirmed it.
        signed: All that they have signed, by its digest.
        quarantined: Where records are that its worker has quarantined: topic, partition and offset.
        refused: Ids of the messages, to any State, of which a copy was refused by their receiver.
    """

    state: str
    items: dict[str, str] = field(default_factory=dict)
    agencies: dict[str, str] = field(default_factory=dict)
    publishers: dict[str, str] = field(default_factory=dict)
    decisions: list[CommittedRecord] = field(default_factory=list)
    drafts: list[CommittedRecord] = field(default_factory=list)
    amendments: list[CommittedRecord] = field(default_factory=list)
    notices: list[CommittedRecord] = field(default_factory=list)
    offers: list[CommittedRecord] = field(default_factory=list)
    replies: list[CommittedRecord] = field(default_factory=list)
    acts: list[PlacedAct] = field(default_factory=list)
    entries: dict[bytes, Entry] = field(default_factory=dict)
    rulings: list[JournaledRuling] = field(default_factory=list)
    signed: Mapping[str, Ruling] = field(default_factory=dict)
    quarantined: set[Place] = field(default_factory=set)
    refused: frozenset[str] = frozenset()

    def index_conversations(self) -> Mapping[str, Conversation]:
        """Return the conversations about the State's own items, by item."""
        kept = (entry.conversation for entry in self.entries.values() if isinstance(entry, KeptConversation))
        return {conversation.item: conversation for conversation in kept}

    def list_received(self) -> Iterator[ReceivedItem]:
        """Yield what is kept about other States' items."""
        return (entry for entry in self.entries.values() if isinstance(entry, ReceivedItem))

    def group_decisions(self) -> Mapping[tuple[str, Revision], list[CommittedRecord]]:
        """Return the decisions by item and revision. An item that was published again has several."""
        groups: dict[tuple[str, Revision], list[CommittedRecord]] = defaultdict(list)
        for record in self.decisions:
            groups[self.items.get(str(record.data["indicator_id"]), ""), get_revision(record)].append(record)
        return groups


def get_revision(record: CommittedRecord) -> Revision:
    """Return the revision that a record is about."""
    return Revision(int(record.data["version"]), int(record.data["amendment"]))


def get_outcome(decision: CommittedRecord, state: str) -> str:
    """Return the outcome of a decision for a State; "" if the decision does not consider it."""
    return next((str(each["outcome"]) for each in decision.data["recipients"] if each["state"] == state), "")


def read_conversations(
    bootstrap: str,
    records: Mapping[str, TopicContents],
    rulings: Mapping[str, Iterable[JournaledRuling]],
    signed: Mapping[str, Mapping[str, Ruling]],
    open_value: OpenValue,
) -> dict[str, ConversationContents]:
    """Return the conversations of each State.

    Args:
        bootstrap: Kafka bootstrap servers.
        records: The records of each State's gate.
        rulings: What each State's officers have signed, as the broker has confirmed it.
        signed: All that they have signed, by its digest.
        open_value: Opens sealed values.
    """
    read: Callable[..., list[CommittedRecord]] = read_topic
    ordinary = {state: read(bootstrap, REPLIES, state, open_value=open_value) for state in records}
    first = next(iter(records.values()))
    replies = [
        record
        for by_state in (ordinary, first.urgent_replies)
        for received in by_state.values()
        for record in received
        if not record.poison
    ]
    quarantined = {state: _read_quarantined(bootstrap, state) for state in records}
    refused = _list_refused(first, ordinary, frozenset().union(*quarantined.values()))
    return {
        state: ConversationContents(
            state,
            items=_map_items(state, contents),
            publishers=_map_publishers(state, contents),
            agencies={str(each.data["id"]): get_agency(each) for each in contents.indicators if not each.poison},
            decisions=contents.decisions,
            drafts=contents.drafts,
            amendments=read(bootstrap, AMENDMENTS, state, open_value=open_value),
            notices=_select_sent(state, contents.notices, contents.urgent),
            offers=_select_sent(state, contents.offers, contents.urgent_offers),
            replies=[each for each in replies if state in {each.data["from_state"], each.data["to_state"]}],
            acts=[
                PlacedAct(each.partition, each.offset, each.at_ms, Act.from_record(each.data), each.entry)
                for each in read(bootstrap, ACTS, state)
            ],
            entries=_read_entries(bootstrap, state),
            rulings=list(rulings[state]),
            signed=signed[state],
            quarantined=quarantined[state],
            refused=refused,
        )
        for state, contents in records.items()
    }


def _list_refused(
    contents: TopicContents, replies: Mapping[str, list[CommittedRecord]], places: AbstractSet[Place]
) -> frozenset[str]:
    """Return the ids of the messages of which a copy is at one of the places that were quarantined."""
    by_kind = (
        (NOTICES, contents.notices), (OFFERS, contents.offers), (URGENT, contents.urgent),
        (URGENT, contents.urgent_offers), (URGENT, contents.urgent_replies), (REPLIES, replies),
    )  # fmt: skip
    return frozenset(
        str(record.data["id"])
        for kind, by_state in by_kind
        for state, received in by_state.items()
        for record in received
        if not record.poison and (kind.topic(state), record.partition, record.offset) in places
    )


def _map_items(state: str, contents: TopicContents) -> dict[str, str]:
    return {
        str(record.data["id"]): make_item_id(state, get_agency(record), str(record.data["id"]))
        for record in contents.indicators
        if not record.poison
    }


def _map_publishers(state: str, contents: TopicContents) -> dict[str, str]:
    return {
        make_item_id(state, get_agency(record), str(record.data["id"])): str(record.data["source"]["officer"])
        for record in contents.indicators
        if not record.poison and record.data["source"]["officer"] is not None
    }


def _select_sent(state: str, *topics: Mapping[str, list[CommittedRecord]]) -> list[CommittedRecord]:
    return [
        record
        for by_state in topics
        for records in by_state.values()
        for record in records
        if record.data["from_state"] == state
    ]


def _read_entries(bootstrap: str, state: str) -> dict[bytes, Entry]:
    newest = {
        record.key: record.raw
        for record in read_topic(bootstrap, CONVERSATIONS, state, decode=False)
        if record.key.startswith(ITEM_PREFIXES)
    }
    return {key: decode_entry(key, raw) for key, raw in newest.items() if raw}


def _read_quarantined(bootstrap: str, state: str) -> set[Place]:
    return {
        (str(record.data["topic"]), int(record.data["partition"]), int(record.data["offset"]))
        for record in read_topic(bootstrap, QUARANTINE, state)
    }
