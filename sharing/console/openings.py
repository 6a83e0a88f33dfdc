"""What officers begin about an item without having been asked: recall, correct, withdraw, send again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import join_codes
from sharing.console.own_items import OwnItem
from sharing.console.printable import to_printable
from sharing.conversation.asks import Officer
from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.conversation_state.entries import decode_entry
from sharing.disclosure.amendments import CORRECTABLE
from sharing.errors import InputError
from sharing.kafka.conversation_reader import EntryTable
from sharing.model.validation_errors import suggest_nearest, to_input_error
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.sentences import Sentence, say

_SHOWN_MAX = 40


class SentItem(NamedTuple):
    """An item about which something was sent.

    Attributes:
        item: Its id.
        provider: The State that provides it.
        indicator: Id of the indicator, of an item of the State's own.
        changed_at: When something about it has changed last, in UTC milliseconds.
    """

    item: str
    provider: str
    indicator: str
    changed_at: int


class PlacedItem(NamedTuple):
    """An item about which something was sent, and its partition."""

    partition: int
    sent: SentItem


def make_opening(console: ConsoleConnection, item: str, partition: int, opens: OpeningKind, **parts: Any) -> Opening:
    """Return what an officer begins about an item.

    Args:
        console: The connection.
        item: Id of the item.
        partition: Its partition.
        opens: What is begun.
        **parts: States or facts; `provider`, if it is not the State's own item.

    Raises:
        InputError: It is not one that can be signed.
    """
    try:
        return Opening(**{"provider": console.state, "opens": opens, "item": item, "partition": partition, **parts})
    except ValidationError as error:
        raise to_input_error(error, Opening) from None


def place_item(found: OwnItem) -> dict[int, str]:
    """Return the partition to which a ruling about an item is written, with the item."""
    return {found.partition: found.conversation.item}


def list_opening_roles(console: ConsoleConnection) -> tuple[str, ...]:
    """Return the roles that may begin something about an item: those that approve under the State's law."""
    settings = console.settings
    law = find_law(console.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    return tuple(sorted(law.pack.approvers))


def require_opening_role(console: ConsoleConnection, officer: Officer) -> None:
    """Refuse an officer who may not begin anything about an item.

    Raises:
        InputError: The officer has no such role.
    """
    roles = list_opening_roles(console)
    if not officer.roles & set(roles):
        raise InputError(
            say(
                "officer %(officer)s has no role that may recall, correct or withdraw an item, or have it sent again; "
                "the law of %(state)s names %(roles)s",
                officer=officer.id,
                state=console.state,
                roles=join_codes(roles),
            )
        )


def require_correctable(facts: Iterable[RuledFact]) -> None:
    """Refuse facts that no officer can correct.

    Raises:
        InputError: Only the agency states one.
    """
    for fact in facts:
        if fact.name not in CORRECTABLE:
            raise InputError(
                say(
                    "%(fact)s: only the agency states it, with a new version of the item%(hint)s",
                    fact=fact.name,
                    hint=suggest_nearest(fact.name, CORRECTABLE),
                ),
                field="facts",
            )


def require_reason(text: str) -> str:
    """Return why an item is withdrawn.

    Raises:
        InputError: Nothing says why.
    """
    if not text.strip():
        raise InputError(say("must not be empty: it says why the item is withdrawn"), field="text")
    return text


def list_standing(conversation: Conversation) -> tuple[str, ...]:
    """Return the States that have an item or wait for it: those from which it can be recalled."""
    standing = {
        delivery.state
        for status in (DeliveryStatus.SENT, DeliveryStatus.WAITING)
        for delivery in conversation.list_deliveries(status)
    }
    return tuple(sorted(standing))


def require_recallable(found: OwnItem, states: Collection[str] | None) -> None:
    """Refuse a recall from States that neither have the item nor wait for it.

    Args:
        found: The item.
        states: The States; None for all that have it.

    Raises:
        InputError: None of them does.
    """
    standing = set(list_standing(found.conversation))
    named = standing if states is None else set(states)
    if not named & standing:
        item = found.conversation.item
        have: Sentence | str = ""
        if standing:
            have = (
                say("; %(states)s does", states=join_codes(standing))
                if len(standing) == 1
                else say("; %(states)s do", states=join_codes(standing))
            )
        sentence = say(
            "%(item)s: there is nothing to recall: %(states)s neither has the item nor waits for it%(have)s",
            item=item,
            states=join_codes(named) or say("no State"),
            have=have,
        )
        raise InputError(sentence, field="states")


def read_sent(console: ConsoleConnection) -> list[PlacedItem]:
    """Return all items about which something was sent, in the order of their ids.

    Raises:
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    table: EntryTable[SentItem] = EntryTable(console.servers, console.state, keep_sent, console.properties)
    table.read()
    known = sorted((kept.value, kept.partition) for kept in table.entries.values())
    return [PlacedItem(number, sent) for sent, number in known]


def choose_sent(known: Iterable[PlacedItem], names: Iterable[str]) -> Iterator[PlacedItem]:
    """Yield the items that a user names, by the ids of items or of their indicators.

    Raises:
        InputError: A name is that of no item about which anything was sent.
    """
    placed = list(known)
    for name in names:
        found = [each for each in placed if name in {each.sent.item, each.sent.indicator}]
        if not found:
            shown = to_printable(name)[:_SHOWN_MAX]
            raise InputError(
                say("%(item)s: nothing was sent about such an item, or it ended long ago", item=shown), field="item"
            )
        yield from found


def keep_sent(key: bytes, entry: bytes) -> SentItem | None:
    """Return the item of an entry, if anything was sent about it that can be sent again."""
    kept = decode_entry(key, entry)
    if isinstance(kept, ReceivedItem):
        return SentItem(kept.item, kept.from_state, "", kept.changed_at) if is_answered(kept) else None
    conversation = kept.conversation
    if not is_sent(conversation):
        return None
    return SentItem(conversation.item, conversation.state, conversation.indicator, conversation.changed_at)


def is_sent(conversation: Conversation) -> bool:
    """Return whether anything was sent about an item of the State's own."""
    return any(conversation.list_deliveries(DeliveryStatus.SENT)) or any(
        ask.row.asks_recipient for ask in conversation.asks.values()
    )


def is_answered(received: ReceivedItem) -> bool:
    """Return whether an answer was sent about an item of another State, and its result has not arrived."""
    return any(ask.given and ask_id not in received.results for ask_id, ask in received.asks.items())
