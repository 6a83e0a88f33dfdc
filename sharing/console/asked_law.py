"""By which law Asks are opened: from the gate's decisions on own items, and from the offers of other States."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sharing.clients.inbox_reader import InboxReader
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.console.inbox_items import InboxItem, find_inbox_items
from sharing.console.timeline import read_recipients
from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import Revision
from sharing.errors import DecodeError
from sharing.kafka.item_history import match_ids, read_history
from sharing.kafka.unreadable_records import Unreadable, UnreadableRecord, add_unreadable_at
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.times import DAY_MS
from sharing.rulings.asked_terms import AskedTerms, find_own_terms
from sharing.rulings.ruling import compute_conditions_hash
from sharing.topology.topics import CONVERSATIONS, DECISIONS

Decided = Mapping[tuple[str, Revision], tuple[RecipientDecision, ...]]
"""The decisions on items, by the item and its revision."""


def find_terms(
    console: ConsoleConnection,
    asks: Iterable[FoundAsk],
    reader: InboxReader | None,
    unreadable: Unreadable | None = None,
) -> dict[str, AskedTerms]:
    """Return by which law, and under which conditions, Asks are opened, by their ids.

    Args:
        console: The connection.
        asks: The Asks.
        reader: Opens the inbox; without it, nothing but a hash is known of the conditions of another State.
        unreadable: Is given what cannot be read; None if one is an error. Then the terms of an Ask may not be known.

    Raises:
        DecodeError: A decision cannot be decoded, and there is no list for it.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    own: list[tuple[FoundAsk, Conversation]] = []
    received: list[tuple[FoundAsk, ReceivedItem]] = []
    unknown: dict[str, AskedTerms] = {}
    for found in asks:
        try:
            kept = found.decode_kept()
        except DecodeError as error:
            if unreadable is None:
                raise
            topic, reason = CONVERSATIONS.topic(console.state), f"the entry of item {found.item}: {error}"
            unreadable.append(UnreadableRecord(topic, found.partition, None, None, reason))
            unknown[found.ask.id] = AskedTerms(is_known=False)
            continue
        if isinstance(kept, Conversation):
            own.append((found, kept))
        else:
            received.append((found, kept))
    decided = _read_decided(console, own, unreadable)
    terms = {
        found.ask.id: find_own_terms(kept, found.ask, decided.get((found.item, found.ask.revision), ()))
        for found, kept in own
    }
    return unknown | terms | _read_offered(console, received, reader)


def _read_decided(
    console: ConsoleConnection, asks: Iterable[tuple[FoundAsk, Conversation]], unreadable: Unreadable | None
) -> Decided:
    """Return the decisions on the revisions that Asks are about.

    A decision is written before its first Ask is opened, so what is older than that by more than a day is read only if
    nothing was found.
    """
    places: dict[int, dict[str, Conversation]] = defaultdict(dict)
    for found, conversation in asks:
        places[found.partition][found.item] = conversation
    decided: dict[tuple[str, Revision], tuple[RecipientDecision, ...]] = {}
    for partition, items in places.items():
        opened = min(ask.opened_at for kept in items.values() for ask in kept.asks.values())
        decided |= _read_partition(console, partition, items.values(), opened - DAY_MS, unreadable)
        known = {item for item, _ in decided}
        left = [kept for item, kept in items.items() if item not in known]
        if left:
            decided |= _read_partition(console, partition, left, None, unreadable)
    return decided


def _read_partition(
    console: ConsoleConnection,
    partition: int,
    items: Iterable[Conversation],
    since_ms: int | None,
    unreadable: Unreadable | None,
) -> Decided:
    find_item = match_ids({kept.indicator: kept.item for kept in items})
    records = read_history(
        console.servers, console.open_history(DECISIONS), partition, find_item, console.properties,
        since_ms=since_ms, unreadable=unreadable,
    )  # fmt: skip
    decided: dict[tuple[str, Revision], tuple[RecipientDecision, ...]] = {}
    for record in records:
        try:
            decided[record.item, read_revision(record.fields)] = read_recipients(record)
        except DecodeError as error:
            add_unreadable_at(unreadable, DECISIONS.topic(console.state), partition, record.offset, error)
    return decided


def read_revision(fields: Mapping[str, Any]) -> Revision:
    """Return the revision that a record is about."""
    return Revision(fields["version"], fields["amendment"])


def _read_offered(
    console: ConsoleConnection, asks: list[tuple[FoundAsk, ReceivedItem]], reader: InboxReader | None
) -> dict[str, AskedTerms]:
    wanted = {found.ask.id for found, _ in asks}
    items = {} if reader is None or not asks else find_inbox_items(console, reader, wanted)
    terms = {}
    for found, kept in asks:
        item = items.get(found.ask.id)
        if not isinstance(item, InboxItem):
            terms[found.ask.id] = AskedTerms(conditions_hash=kept.conditions.get(found.ask.id), is_known=False)
            continue
        conditions = tuple(map(Condition.from_record, item.fields["conditions"]))
        terms[found.ask.id] = AskedTerms(
            rules=tuple(map(RuleReference.from_record, item.fields["rules"])),
            conditions=conditions,
            conditions_hash=compute_conditions_hash(conditions),
            codes=frozenset(each.code for each in conditions),
            basis=item.fields["basis"],
            is_obligatory=item.fields["obligation"],
            category=item.fields.get("category"),
        )
    return terms
