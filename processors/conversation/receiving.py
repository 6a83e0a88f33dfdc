"""Converts an opened message of another State to an event of the conversation about its item.

The envelope is verified, and the content is what the envelope says (`decode_content`). This module reads its parts and
refuses what does not belong to this bus. Whether a reply is in time is decided by its broker timestamp, never by the
message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from processors.conversation.refusals import read_broker_time
from processors.exactly_once.batch import ConsumedRecord
from processors.inbox.refusals import RefusalError
from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import EARLY_MS
from sharing.conversation.events import ReceiptReceived, Replied
from sharing.conversation.received_events import (
    NoticeReceived,
    OfferReceived,
    OfferWithdrawn,
    ResultReceived,
)
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import AskKind
from sharing.conversation_state.item_keys import pack_uuid
from sharing.errors import InputError
from sharing.model.recipient_terms import Condition
from sharing.model.times import DAY_MS, to_milliseconds
from sharing.model.vocabulary import MessageKind, NoticeKind, Urgency
from sharing.rulings.reply import ReplyMessage
from sharing.rulings.ruling import compute_conditions_hash
from sharing.seal.inbox_sealing import ReceivedMessage
from sharing.serialization.codec import decode_record
from sharing.trust.documents import CLOCK_TOLERANCE_MS

AWAY_MS: Final = 30 * DAY_MS
"""How long before the conversation reads of an Ask the gate may have opened it: older messages of other States do not
count."""

MessageEvent = NoticeReceived | OfferReceived | OfferWithdrawn | ResultReceived | Replied | ReceiptReceived


class ReadMessage(NamedTuple):
    """A message.

    Attributes:
        item: Id of the item.
        provider: The State that provides it.
        event: What it does.
        root: The root of its batch, which the sender has signed.
    """

    item: str
    provider: str
    event: MessageEvent
    root: bytes | None = None


def read_message(
    record: ConsumedRecord, message: ReceivedMessage, state: str, now_ms: int, *, trusts_writers: bool = False
) -> ReadMessage:
    """Return what a message is.

    Args:
        record: The record in which it came.
        message: The message.
        state: This State.
        now_ms: The time, in UTC milliseconds.
        trusts_writers: As in `ConversationBatch`.

    Raises:
        DecodeError: Its content is malformed.
        RefusalError: It is refused for another reason.
    """
    fields = decode_record(message.kind.schema_name, message.content)
    if message.kind is MessageKind.REPLY:
        at_ms = read_broker_time(record, trusts_writers=trusts_writers)
        return _read_reply(_make_reply(fields), state, at_ms, now_ms)
    if pack_uuid(fields["item_id"]) is None or fields["version"] < 1 or fields["amendment"] < 0:
        raise RefusalError(
            "MALFORMED",
            f"{message.from_state}: the message does not name an item or revision of this bus; that State's worker "
            "must be fixed",
        )
    event = _read_offer(message, fields) if message.kind is MessageKind.OFFER else _read_notice(message, fields)
    return ReadMessage(fields["item_id"], message.from_state, event, message.root)


def require_plausible(event: Replied, ask: Ask | None) -> None:
    """Refuse an answer that was written long before its Ask was opened: the broker's clock was wrong.

    Args:
        event: The answer.
        ask: Its Ask, if it is known. The gate may have opened it long before the conversation read of it, such as while
            the worker was down.

    Raises:
        RefusalError: It is refused.
    """
    if ask is None:
        return
    is_put_by_gate = ask.kind is AskKind.ACCEPT and ask.round == 1 and ask.revision.amendment == 0
    read_later_ms = AWAY_MS if is_put_by_gate else EARLY_MS
    if event.at < ask.opened_at - read_later_ms - CLOCK_TOLERANCE_MS:
        raise _refuse_time(event.state)


def _read_reply(reply: ReplyMessage, state: str, at_ms: int, now_ms: int) -> ReadMessage:
    if at_ms > now_ms + CLOCK_TOLERANCE_MS:
        raise _refuse_time(reply.from_state)
    event = reply.to_event(at_ms)
    provider = state if isinstance(event, Replied | ReceiptReceived) else reply.from_state
    return ReadMessage(reply.item_id, provider, event)


def _make_reply(fields: Mapping[str, Any]) -> ReplyMessage:
    try:
        return ReplyMessage.from_record(fields)
    except InputError as error:
        raise RefusalError("MALFORMED", str(error)) from None


def _refuse_time(from_state: str) -> RefusalError:
    return RefusalError(
        "IMPLAUSIBLE_TIME",
        f"{from_state}: the broker's timestamp of the reply is not plausible, so the reply does not count as in time; "
        "correct the clocks of the brokers and of this worker",
    )


def _read_offer(message: ReceivedMessage, fields: Mapping[str, Any]) -> OfferReceived:
    return OfferReceived(
        ask=message.id,
        revision=_read_revision(fields),
        urgency=_read_urgency(fields),
        expires_at=to_milliseconds(fields["expires_at"]),
        authority=fields.get("to_authority"),
        conditions_hash=compute_conditions_hash(map(Condition.from_record, fields["conditions"])),
    )


def _read_notice(message: ReceivedMessage, fields: Mapping[str, Any]) -> NoticeReceived:
    kind, retain_until = NoticeKind(fields["kind"]), fields["retain_until"]
    return NoticeReceived(
        revision=_read_revision(fields),
        kind=kind,
        urgency=_read_urgency(fields),
        ask=message.id if kind is NoticeKind.RECALL else "",
        message=message.id,
        retain_until=None if retain_until is None else to_milliseconds(retain_until),
    )


def _read_revision(fields: Mapping[str, Any]) -> Revision:
    return Revision(fields["version"], fields["amendment"])


def _read_urgency(fields: Mapping[str, Any]) -> Urgency:
    """Return the urgency that counts. An unknown urgency does not justify hurrying anybody."""
    urgency = Urgency(fields["urgency"])
    return Urgency.ORDINARY if urgency is Urgency.UNKNOWN else urgency
