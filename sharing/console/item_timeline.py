"""Where the records of an item are, and what they tell of it in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Message

from sharing.console.connection import ConsoleConnection
from sharing.console.own_items import find_own_item, shorten_name
from sharing.console.timeline import TimelineEvent, list_decided, read_act
from sharing.conversation.deliveries import Conversation
from sharing.conversation.revision import Revision
from sharing.errors import DecodeError, InputError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.item_history import HistoryRecord, list_records, match_ids, read_history
from sharing.kafka.key_partition import find_partition
from sharing.kafka.unreadable_records import Unreadable, add_unreadable_at
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import ACTS, DECISIONS


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """An item, and where its records are.

    Attributes:
        item: Id of the item; of the indicator, if there is no conversation about it.
        indicator: Id of the indicator; "" of an item of another State.
        partition: Its partition.
        conversation: What is kept about it; None if people were never asked about it.
        drafts: The copies of it that the worker keeps, by revision, as it has sealed them.
    """

    item: str
    indicator: str
    partition: int
    conversation: Conversation | None
    drafts: Mapping[Revision, bytes] = field(default_factory=dict, repr=False)


def locate_item(console: ConsoleConnection, name: str, unreadable: Unreadable | None = None) -> ItemPlace:
    """Return where the records of an item of the State's own are.

    The entry of its conversation is on the item's partition. Where there is none, an id of 36 characters may be that of
    an indicator, whose records are on the partition of this key: the gate refuses any that are not.

    Args:
        console: The connection.
        name: Id of the item, or of its indicator.
        unreadable: Is given entries that cannot be read: the conversation may be in one. None if one is an error.

    Raises:
        InputError: It is the id of an indicator of several agencies.
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    topics = [DECISIONS.topic(console.state), ACTS.topic(console.state)]
    present = look_up_topics(console.servers, console.properties)
    require_topics(present, topics, console.state)
    found = find_own_item(console, name, unreadable)
    if found is not None:
        conversation = found.conversation
        return ItemPlace(conversation.item, conversation.indicator, found.partition, conversation, found.drafts)
    return ItemPlace(name, name, find_partition(name.encode(), present[topics[0]]), None)


def require_decided(console: ConsoleConnection, place: ItemPlace, *, is_recorded: bool) -> None:
    """Refuse an item of which nothing is known.

    Args:
        console: The connection.
        place: The item.
        is_recorded: Whether any record is about it.

    Raises:
        InputError: Nothing is.
    """
    if not is_recorded and place.conversation is None:
        raise InputError(
            f"{shorten_name(place.item)}: {console.state} has decided on no such item; give the id of an item or of "
            "its indicator, and name the State with --state"
        )


def list_decisions(
    console: ConsoleConnection, place: ItemPlace, message: Message, unreadable: Unreadable | None = None
) -> list[HistoryRecord]:
    """Return the decisions on an item in a consumed block of decisions.

    Args:
        console: The connection.
        place: The item.
        message: The block.
        unreadable: Is given a block that cannot be read; None if it is an error.

    Raises:
        DecodeError: It cannot be decoded, and there is no list for it.
    """
    return list_records(message, console.open_history(DECISIONS), match_ids({place.indicator: place.item}), unreadable)


def list_acts(
    console: ConsoleConnection, place: ItemPlace, provider: str, message: Message, unreadable: Unreadable | None = None
) -> list[TimelineEvent]:  # fmt: skip
    """Return what a consumed block of acts tells of an item.

    Args:
        console: The connection.
        place: The item.
        provider: The State that provides it: another State may have given an item of its own the same id.
        message: The block.
        unreadable: Is given a block that cannot be read, or that says what this release does not know; None if that is
            an error.

    Raises:
        DecodeError: It cannot be decoded, and there is no list for it.
    """
    records = list_records(message, console.open_history(ACTS), match_ids({place.item: place.item}), unreadable)
    own = (done for done in records if done.fields["provider"] == provider)
    return [event for done in own for event in _tell(console, ACTS, done, unreadable)]


def list_events(
    console: ConsoleConnection, place: ItemPlace, messages: Iterable[Message], unreadable: Unreadable | None = None
) -> Iterator[TimelineEvent]:
    """Yield what consumed blocks of decisions and acts tell of an item of the State's own.

    Args:
        console: The connection.
        place: The item.
        messages: The blocks.
        unreadable: Is given the blocks that cannot be read; None if one is an error.

    Raises:
        DecodeError: One cannot be decoded, and there is no list for it.
    """
    for message in messages:
        if message.topic() == DECISIONS.topic(console.state):
            for decided in list_decisions(console, place, message, unreadable):
                yield from _tell(console, DECISIONS, decided, unreadable)
        else:
            yield from list_acts(console, place, console.state, message, unreadable)


def _tell(
    console: ConsoleConnection, kind: TopicKind, record: HistoryRecord, unreadable: Unreadable | None
) -> list[TimelineEvent]:
    """Return what a decision or an act tells; nothing if it says what this release does not know.

    Raises:
        DecodeError: It does, and there is no list for it.
    """
    try:
        return list(list_decided(record)) if kind is DECISIONS else [read_act(record)]
    except DecodeError as error:
        add_unreadable_at(unreadable, kind.topic(console.state), record.partition, record.offset, error)
        return []


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """What is recorded about an item.

    Attributes:
        events: What happened, in time.
        decisions: The gate's decisions on it that can be read, in their order; none of an item of another State.
    """

    events: tuple[TimelineEvent, ...]
    decisions: tuple[HistoryRecord, ...]


def read_item_history(
    console: ConsoleConnection,
    place: ItemPlace,
    provider: str,
    since_ms: int | None = None,
    unreadable: Unreadable | None = None,
) -> ItemHistory:
    """Return what is recorded about an item.

    Args:
        console: The connection.
        place: The item.
        provider: The State that provides it.
        since_ms: Only what was written since then, in UTC milliseconds.
        unreadable: Is given what cannot be read; None if that is an error.

    Raises:
        DecodeError: A record cannot be decoded, and there is no list for it.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """

    def read(kind: TopicKind, name: str) -> list[HistoryRecord]:
        wanted, topic = match_ids({name: place.item}), console.open_history(kind)
        found = read_history(
            console.servers, topic, place.partition, wanted, console.properties, since_ms=since_ms,
            unreadable=unreadable,
        )  # fmt: skip
        return list(found)

    decided = read(DECISIONS, place.indicator) if provider == console.state else []
    told = [(each, _tell(console, DECISIONS, each, unreadable)) for each in decided]
    acts = [done for done in read(ACTS, place.item) if done.fields["provider"] == provider]
    events = [event for _, said in told for event in said]
    events += [event for done in acts for event in _tell(console, ACTS, done, unreadable)]
    readable = tuple(each for each, said in told if said)  # a decision that can be read says something
    return ItemHistory(tuple(sorted(events, key=lambda event: event.at)), readable)
