"""What people must be notified of by message, and the state store's entries about messages that have not been sent yet.

An escalation is about one open Ask. Its entry is written with the batch that causes it, and removed once the message
was sent. So it is sent at least once, no matter what stops in between, and what the message says is read from the Ask
itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import AskKind
from sharing.conversation_state.entries import decode_entry
from sharing.conversation_state.item_keys import ESCALATION_PREFIX, UUID_BYTES, pack_uuid
from sharing.errors import DecodeError
from sharing.model.vocabulary import Urgency

STEP_MAX: Final = 255
_KEY: Final = re.compile(rb"%b((?:out|in/[^/]+)/.{%d})/(.+)" % (re.escape(ESCALATION_PREFIX), UUID_BYTES), re.DOTALL)
_CAUSE_BYTES: Final = 2


class EscalationCause(StrEnum):
    """Why people are notified.

    Attributes:
        OPENED: An urgent question was opened.
        UNANSWERED: It is waiting, and a fraction of its time has passed.
        OVERDUE: It must be answered, was not, and was asked again.
    """

    OPENED = "OPENED"
    UNANSWERED = "UNANSWERED"
    OVERDUE = "OVERDUE"


_CAUSES: Final = {cause.value[:2].encode(): cause for cause in EscalationCause}


class EscalationKey(NamedTuple):
    """Which Ask.

    Attributes:
        partition: The partition of the item.
        entry: The key of the item's entry.
        ask: Id of the Ask.
    """

    partition: int
    entry: bytes
    ask: str

    def encode(self) -> bytes:
        """Return the key of the escalation's entry."""
        return b"%b%b/%b" % (ESCALATION_PREFIX, self.entry, self.ask.encode())


class EscalationMark(NamedTuple):
    """What the entry says.

    Attributes:
        cause: Why people are notified.
        step: Number of the escalation, from 0; 0 if it is none.
    """

    cause: EscalationCause
    step: int = 0

    def encode(self) -> bytes:
        """Return the value of the entry."""
        return self.cause.value[:_CAUSE_BYTES].encode() + bytes([min(self.step, STEP_MAX)])


@dataclass(frozen=True, slots=True)
class Escalation:
    """What people must be notified of about an open Ask. Nothing here says what the item contains.

    Attributes:
        key: Which Ask.
        mark: Why.
        kind: What is asked.
        state: The State whose people are notified: this State.
        is_own: Whether its own people are asked; otherwise those of another State, which is not named.
        urgency: The item's urgency.
        expires_at: Until when an answer counts, in UTC milliseconds.
        is_last_step: Whether the superior is notified: the last escalation has come, or the Ask is overdue.
    """

    key: EscalationKey
    mark: EscalationMark
    kind: AskKind
    state: str
    is_own: bool
    urgency: Urgency
    expires_at: int
    is_last_step: bool

    @property
    def shown_id(self) -> str | None:
        """The Ask's id; None if it is not a UUID: another State has chosen the text, and it could say anything."""
        return self.key.ask if pack_uuid(self.key.ask) is not None else None


def read_escalation_key(partition: int, key: bytes) -> EscalationKey:
    """Return the Ask of an entry.

    Raises:
        DecodeError: The key is malformed.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise _refuse()
    try:
        return EscalationKey(partition, match[1], match[2].decode())
    except UnicodeDecodeError:
        raise _refuse() from None


def read_escalation_mark(value: bytes) -> EscalationMark:
    """Return what an entry says.

    Raises:
        DecodeError: The value is malformed.
    """
    cause = _CAUSES.get(value[:_CAUSE_BYTES])
    if cause is None or len(value) != _CAUSE_BYTES + 1:
        raise _refuse()
    return EscalationMark(cause, value[_CAUSE_BYTES])


def find_escalation(key: EscalationKey, mark: EscalationMark, item_entry: bytes | None) -> Escalation | None:
    """Return what people must be notified of; None if the Ask is no longer open.

    Args:
        key: Which Ask.
        mark: Why.
        item_entry: The entry of the item; None if nothing is kept.

    Raises:
        DecodeError: The entry of the item is malformed, or has a value that this release does not know.
    """
    if item_entry is None:
        return None
    kept = decode_entry(key.entry, item_entry)
    side = kept if isinstance(kept, ReceivedItem) else kept.conversation
    ask = side.asks.get(key.ask)
    if ask is None or not ask.is_open:
        return None
    is_last = mark.cause is EscalationCause.OVERDUE or (
        mark.cause is EscalationCause.UNANSWERED and mark.step >= len(ask.row.escalations) - 1
    )
    is_own = ask.state == side.state
    return Escalation(key, mark, ask.kind, side.state, is_own, ask.urgency, ask.expires_at, is_last)


def _refuse() -> DecodeError:
    return DecodeError(
        "an entry of an escalation is malformed; it is removed, and the Ask escalates at its next step",
        cause="MALFORMED",
    )
