"""What the page of a received item shows apart from its content: law, conditions, questions, what happened."""

from __future__ import annotations

from dataclasses import dataclass

from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import format_revision
from sharing.console.item_timeline import ItemPlace, read_item_history
from sharing.console.openings import is_answered, list_opening_roles
from sharing.console.received_items import ReceivedPlace
from sharing.console.timeline import TimelineEvent
from sharing.conversation.asks import Ask
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import NO_REVISION
from sharing.desk.board.ask_words import describe_asked, describe_silence
from sharing.desk.contents.received_terms import ReceivedTerms
from sharing.desk.items.law_words import ShownRule, describe_rules
from sharing.desk.items.own_item import ShownAsk
from sharing.desk.web.condition_words import ShownCondition, describe_conditions
from sharing.kafka.unreadable_records import Unreadable
from sharing.officers.entry import OfficerEntry


@dataclass(frozen=True, slots=True)
class ReceivedItemPage:
    """What the page of a received item shows apart from its content.

    Attributes:
        item: Id of the item.
        provider: The State that provides it.
        revision: The newest state of it that was delivered; "" if none was.
        terms: What its notice or offer says apart from the content; None if there is none here.
        rules: By which law it was sent or offered.
        conditions: What binds this State.
        asks: The open Asks to people of this State.
        events: What happened here, in time.
        unreadable: How many records, or damaged batches of them, cannot be read: events may be missing.
        can_resend: Whether an answer was sent whose result has not arrived.
        has_role: Whether the officer may have it sent again.
        roles: The roles that may.
    """

    item: str
    provider: str
    revision: str
    terms: ReceivedTerms | None
    rules: list[ShownRule]
    conditions: list[ShownCondition]
    asks: list[ShownAsk]
    events: tuple[TimelineEvent, ...]
    unreadable: int
    can_resend: bool
    has_role: bool
    roles: tuple[str, ...]


def make_received_page(
    console: ConsoleConnection,
    provider: str,
    item: str,
    place: ReceivedPlace | None,
    terms: ReceivedTerms | None,
    officer: OfficerEntry,
) -> ReceivedItemPage:
    """Return what the page of a received item shows apart from its content.

    Args:
        console: The connection.
        provider: The State that provides it.
        item: Id of the item.
        place: What is kept about it; None if nothing is.
        terms: What its notice or offer says apart from the content; None if there is none here.
        officer: The officer who looks.

    Raises:
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    received, roles = None if place is None else place.received, list_opening_roles(console)
    events: tuple[TimelineEvent, ...] = ()
    unreadable: Unreadable = []
    if place is not None:
        located = ItemPlace(item, "", place.partition, None)
        events = read_item_history(console, located, provider, unreadable=unreadable).events
    return ReceivedItemPage(
        item=item,
        provider=provider,
        revision=_format_delivered(received, terms),
        terms=terms,
        rules=[] if terms is None else describe_rules(console, terms.rules, terms.pack),
        conditions=[] if terms is None else describe_conditions(terms.conditions),
        asks=[] if received is None else [_show_ask(ask, officer) for ask in received.asks.values() if ask.is_open],
        events=events,
        unreadable=len(unreadable),
        can_resend=received is not None and is_answered(received),
        has_role=bool(set(roles) & set(officer.roles)),
        roles=roles,
    )


def _format_delivered(received: ReceivedItem | None, terms: ReceivedTerms | None) -> str:
    if received is not None and received.revision > NO_REVISION:
        return format_revision(*received.revision)
    is_delivered = terms is not None and terms.expires_at is None
    return format_revision(terms.version, terms.amendment) if terms is not None and is_delivered else ""


def _show_ask(ask: Ask, officer: OfficerEntry) -> ShownAsk:
    is_for_role = ask.role is None or ask.role in officer.roles
    is_addressed = is_for_role and (ask.authority is None or ask.authority == officer.authority)
    return ShownAsk(ask, describe_asked(ask), describe_silence(ask), is_addressed)
