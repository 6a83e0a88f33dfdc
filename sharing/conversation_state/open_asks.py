"""The open Asks, in both directions, as consoles list them. Made from the entries alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sharing.conversation.asks import Ask
from sharing.conversation.receiver import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind, Consequence
from sharing.conversation_state.entries import NEVER, decode_entry, read_due
from sharing.conversation_state.item_keys import is_log_key
from sharing.model.times import format_time


@dataclass(frozen=True, slots=True)
class OpenAsk:
    """A question that waits for an answer.

    Attributes:
        id: Its id.
        kind: What is asked.
        items: Ids of the items that it is about.
        from_state: The State that asks: the providing one.
        to_state: The State whose people are asked.
        role: The role that may answer; None for any officer of that State who may answer.
        authority: Kind of the authority that is asked; None for the contact point.
        recipients: The receiving States whose deliveries it is about.
        opened_at: When it was opened, in UTC milliseconds.
        deadline: Until when an answer counts, in UTC milliseconds.
        answers: The answers that it takes.
        silence: What happens when nobody answers.
        claimed_by: Id of the officer who deals with it; None if nobody does, or the claim has expired.
    """

    id: str
    kind: AskKind
    items: tuple[str, ...]
    from_state: str
    to_state: str
    role: str | None
    authority: str | None
    recipients: tuple[str, ...]
    opened_at: int
    deadline: int
    answers: tuple[Answer, ...]
    silence: Consequence
    claimed_by: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, with instants in RFC 3339 form. What no entry contains is not in it: dossier and law."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "items": list(self.items),
            "from": self.from_state,
            "to": self.to_state,
            "role": self.role,
            "authority": self.authority,
            "recipients": list(self.recipients),
            "opened_at": format_time(self.opened_at),
            "deadline": format_time(self.deadline),
            "answers": [answer.value for answer in self.answers],
            "silence": self.silence.value,
            "claimed_by": self.claimed_by,
        }


def list_open_asks(entries: Iterable[tuple[bytes, bytes]], now_ms: int) -> Iterator[OpenAsk]:
    """Yield the open Asks of the entries, in their order.

    Args:
        entries: Keys and values of the state store.
        now_ms: The time in UTC milliseconds: a claim that has expired by then is not shown.

    Raises:
        DecodeError: An entry is malformed, or has a kind or a value that this release does not know.
    """
    for key, entry in entries:
        if not may_have_open_asks(key, entry):
            continue
        kept = decode_entry(key, entry)
        if isinstance(kept, ReceivedItem):
            item, from_state, asks = kept.item, kept.from_state, kept.asks
        else:
            item, from_state, asks = kept.conversation.item, kept.conversation.state, kept.conversation.asks
        yield from (_show(ask, item, from_state, now_ms) for ask in asks.values() if ask.is_open)


def may_have_open_asks(key: bytes, entry: bytes) -> bool:
    """Return whether an entry may have open Asks, without decoding it: each of them has something due.

    Raises:
        DecodeError: It is no entry of a conversation, or of a schema that this release does not know.
    """
    return not is_log_key(key) and read_due(entry) != NEVER


def _show(ask: Ask, item: str, from_state: str, now_ms: int) -> OpenAsk:
    return OpenAsk(
        id=ask.id,
        kind=ask.kind,
        items=(item,),
        from_state=from_state,
        to_state=ask.state,
        role=ask.role,
        authority=ask.authority,
        recipients=tuple(sorted(ask.recipients)),
        opened_at=ask.opened_at,
        deadline=ask.expires_at,
        answers=tuple(ask.row.answers),
        silence=ask.row.silence,
        claimed_by=ask.find_claimant(now_ms),
    )
