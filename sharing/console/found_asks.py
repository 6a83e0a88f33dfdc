"""Asks in the entries of the conversations, found by their ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from sharing.console.connection import ConsoleConnection
from sharing.console.printable import to_printable
from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.entries import decode_entry
from sharing.conversation_state.item_keys import pack_uuid
from sharing.conversation_state.open_asks import decode_asks
from sharing.errors import DecodeError, InputError
from sharing.kafka.conversation_reader import EntryTable, KeptEntry, keep_open_entry
from sharing.model.validation_errors import suggest_nearest, to_input_error
from sharing.model.vocabulary import Urgency
from sharing.rulings.ruling import ASKS_MAX, AskReference
from sharing.sentences import say

DIGITS_MIN: Final = 8
_BEGINNING: Final = re.compile(rf"[0-9a-f-]{{{DIGITS_MIN},36}}", re.ASCII)
_SHOWN_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class FoundAsk:
    """An Ask, and where it was found.

    Attributes:
        ask: The Ask.
        item: Id of the item.
        provider: The State that provides the item.
        partition: Partition of the item.
        key: Key of the entry of the item.
        entry: The entry. Of many Asks, only what a list shows is decoded.
        conditions: What tells its conditions apart from others: codes and hashes, as the entry has them.
    """

    ask: Ask
    item: str
    provider: str
    partition: int
    key: bytes
    entry: bytes
    conditions: frozenset[str]

    def decode_kept(self) -> Conversation | ReceivedItem:
        """Return all that is kept about the item.

        Raises:
            DecodeError: The entry is malformed, or has a value that this release does not know.
        """
        kept = decode_entry(self.key, self.entry)
        return kept if isinstance(kept, ReceivedItem) else kept.conversation

    def to_reference(self) -> AskReference:
        """Return how a ruling names it."""
        return AskReference(
            ask=self.ask.id, nonce=self.ask.nonce, provider=self.provider, item=self.item, partition=self.partition
        )


def find_asks(console: ConsoleConnection, ids: Sequence[str]) -> list[FoundAsk]:
    """Return the Asks that a user names, in that order, also those that have ended.

    Args:
        console: The connection.
        ids: Ids; of an open Ask, the first eight digits or more suffice.

    Raises:
        InputError: An id names no Ask, several, or the same one twice.
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    entries = _read_entries(console, _select_named(ids))
    asks = {found.ask.id: found for found in list_found(entries)}
    chosen = [_choose(console, name, asks) for name in ids]
    if len({found.ask.id for found in chosen}) < len(chosen):
        raise InputError(say("a question is named twice; name each once"))
    return chosen


def list_found(
    entries: Mapping[bytes, KeptEntry[bytes]], refused: dict[bytes, DecodeError] | None = None
) -> Iterator[FoundAsk]:
    """Yield all Asks of entries.

    Args:
        entries: The entries.
        refused: Is given why an entry cannot be decoded, by its key; None if that is an error.

    Raises:
        DecodeError: An entry is malformed, or has a kind or a value that this release does not know.
    """
    for key, kept in entries.items():
        try:
            decoded = decode_asks(key, kept.value)
        except DecodeError as error:
            if refused is None:
                raise
            refused[key] = error
            continue
        for ask in decoded.asks:
            conditions = decoded.conditions.get(ask.id, frozenset())
            yield FoundAsk(ask, decoded.item, decoded.provider, kept.partition, key, kept.value, conditions)


def read_open(console: ConsoleConnection) -> list[FoundAsk]:
    """Return all open Asks.

    Raises:
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    return [found for found in list_found(_read_entries(console, keep_open_entry)) if found.ask.is_open]


def rank_ask(found: FoundAsk) -> tuple[bool, bool, int, str]:
    """Return the place of an Ask in a list: open ones first, of those emergencies, then by the time left."""
    ask = found.ask
    return not ask.is_open, ask.urgency is not Urgency.EMERGENCY, ask.expires_at, ask.id


def make_references(asks: Sequence[FoundAsk]) -> tuple[AskReference, ...]:
    """Return how a ruling names Asks.

    Raises:
        InputError: There are too many, or another State has chosen an id that is none of this bus.
    """
    if len(asks) > ASKS_MAX:
        raise InputError(
            say(
                "%(count)s questions are too many for one ruling; answer at most %(most)s",
                count=len(asks),
                most=ASKS_MAX,
            ),
            field="asks",
        )
    try:
        return tuple(found.to_reference() for found in asks)
    except ValidationError as error:
        raise to_input_error(error, AskReference) from None


def list_partitions(asks: Sequence[FoundAsk]) -> dict[int, str]:
    """Return the partitions to which a ruling about Asks is written, each with an item on it."""
    return {found.partition: found.item for found in asks}


def _read_entries(
    console: ConsoleConnection, keep: Callable[[bytes, bytes], bytes | None]
) -> Mapping[bytes, KeptEntry[bytes]]:
    table = EntryTable(console.servers, console.state, keep, console.properties)
    table.read()
    return table.entries


def _select_named(ids: Sequence[str]) -> Callable[[bytes, bytes], bytes | None]:
    """Return what keeps the entries that may have one of these Asks.

    An entry contains the bytes of an id as they are, so it need not be decoded.
    """
    whole = [packed for name in ids if (packed := pack_uuid(name)) is not None]
    begun = [_pack_beginning(name) for name in ids if pack_uuid(name) is None and _BEGINNING.fullmatch(name)]
    chosen = [name.encode() for name in ids if pack_uuid(name) is None]  # another State may have chosen such an id

    def keep(key: bytes, entry: bytes) -> bytes | None:
        if any(each in entry for each in (*whole, *chosen)):
            return entry
        return keep_open_entry(key, entry) if any(each in entry for each in begun) else None

    return keep


def _pack_beginning(name: str) -> bytes:
    """Return the whole bytes with which ids of that beginning begin."""
    digits = name.replace("-", "")
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _choose(console: ConsoleConnection, name: str, asks: Mapping[str, FoundAsk]) -> FoundAsk:
    if name in asks:
        return asks[name]
    shown = to_printable(name)[:_SHOWN_MAX]
    begun = [ask_id for ask_id in asks if ask_id.startswith(name)] if _BEGINNING.fullmatch(name) else []
    if len(begun) == 1:
        return asks[begun[0]]
    if begun:
        raise InputError(
            say(
                "%(name)s: the ids of %(count)s questions begin with this; give more digits",
                name=shown,
                count=len(begun),
            )
        )
    opened = [found.ask.id for found in read_open(console)]
    raise InputError(
        say(
            "%(name)s: %(state)s has no such question, or it ended long ago%(hint)s; `sharing asks list` shows those "
            "that are open",
            name=shown,
            state=console.state,
            hint=suggest_nearest(name, opened),
        )
    )
