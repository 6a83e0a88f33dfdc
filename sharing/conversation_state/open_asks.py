"""The open Asks, in both directions, as consoles list them. Made from the entries alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sharing.conversation.asks import Ask
from sharing.conversation.vocabulary import Answer, AskKind, Consequence, DeliveryStatus
from sharing.conversation_state.ask_fields import Fields, read_asks, read_id
from sharing.conversation_state.delivery_fields import require_place
from sharing.conversation_state.entry_fields import decode_fields
from sharing.conversation_state.entry_head import count_open_asks
from sharing.conversation_state.item_keys import is_log_key, read_item_key
from sharing.model.times import format_time
from sharing.model.vocabulary import Urgency


@dataclass(frozen=True, slots=True)
class OpenAsk:
    """A question that waits for an answer.

    Attributes:
        id: Its id.
        kind: What is asked.
        items: Ids of the items that it is about.
        from_state: The State that asks, which is the providing State.
        to_state: The State whose people are asked.
        role: The role that may answer; None for any officer of that State who may answer.
        authority: Kind of the authority that is asked; None for the contact point.
        recipients: The receiving States whose deliveries it is about.
        opened_at: When it was opened, in UTC milliseconds.
        deadline: Until when an answer counts, in UTC milliseconds.
        answers: The answers that it accepts.
        silence: What happens when nobody answers.
        claimed_by: Id of the officer who is dealing with it; None if nobody is or the claim has expired.
        urgency: The item's urgency.
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
    urgency: Urgency

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, with instants in RFC 3339 form. It has no dossier and no law: no entry does."""
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
            "urgency": self.urgency.value,
        }


def may_have_open_asks(key: bytes, entry: bytes) -> bool:
    """Return whether an entry has open Asks, without decoding it.

    Raises:
        DecodeError: It is not an entry of a conversation, or has a schema that this release does not know.
    """
    return not is_log_key(key) and count_open_asks(entry) > 0


class ItemAsks(NamedTuple):
    """The Asks of one entry.

    Attributes:
        item: Id of the item.
        provider: The State that provides the item.
        asks: The Asks.
        conditions: By the id of an Ask, what tells their conditions apart: codes and hashes of texts for an item of the
            State's own, and the one hash for an item of another State. None are known for an Ask that is not in it.
    """

    item: str
    provider: str
    asks: tuple[Ask, ...]
    conditions: Mapping[str, frozenset[str]]


def decode_asks(key: bytes, entry: bytes) -> ItemAsks:
    """Return the Asks of an entry. Deliveries, drafts and rulings are not turned into objects, which halves the time.

    Raises:
        DecodeError: It is malformed, or has a kind or a value that this release does not know.
    """
    item, from_state = read_item_key(key)
    fields = decode_fields(key, entry)
    asks = tuple(read_asks(fields["asks"]).values())
    if from_state is not None:
        hashes = {read_id(known["ask"]): frozenset({known["hash"].hex()}) for known in fields["conditions"]}
        return ItemAsks(item, from_state, asks, hashes)
    return ItemAsks(item, fields["state"], asks, _find_codes(fields))


def _find_codes(fields: Fields) -> dict[str, frozenset[str]]:
    """Return codes and hashes of the conditions of the deliveries that Asks guard, by the ids of the Asks."""
    codes: dict[str, frozenset[str]] = {}
    terms = fields["terms"]
    for delivery in fields["deliveries"]:
        if delivery["guards"] and delivery["status"] == DeliveryStatus.WAITING:
            chosen = terms[require_place(delivery["terms"], len(terms))]
            conditions = frozenset((*chosen["conditions"], *(digest.hex() for digest in chosen["texts"])))
            for guard in delivery["guards"]:
                codes.setdefault(read_id(guard), conditions)
    return codes


def show_ask(ask: Ask, item: str, from_state: str, now_ms: int) -> OpenAsk:
    """Return an Ask as consoles list it.

    Args:
        ask: The Ask.
        item: Id of the item.
        from_state: The providing State.
        now_ms: The time in UTC milliseconds.
    """
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
        urgency=ask.urgency,
    )
