"""The replies that the effects of a conversation ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sharing.conversation.effects import Answered, Effect, Ended, Opened
from sharing.conversation.received_events import ReceivedEffect, Reply
from sharing.conversation.vocabulary import AskStatus
from sharing.model.vocabulary import Authority, Urgency
from sharing.rulings.reply import ReplyKind, ReplyMessage


@dataclass(frozen=True, slots=True)
class ReplyContext:
    """What a reply needs and an effect does not say.

    Attributes:
        item_id: Id of the item.
        provider: The State that provides the item.
        state: One's own State: the provider, or a State that receives.
        urgency: The item's urgency.
        now: The time, in UTC milliseconds.
        authority: Kind of the authority of the officer whose ruling caused the effect; None if no ruling did.
        conditions_hash: Hash of the conditions that this officer has read; None if there were none.
        root: Signed root of the batch in which the message came that caused the effect; None if no message did.
    """

    item_id: str
    provider: str
    state: str
    urgency: Urgency
    now: int
    authority: Authority | None = None
    conditions_hash: str | None = None
    root: bytes | None = None


def make_reply(effect: Effect | ReceivedEffect, context: ReplyContext) -> ReplyMessage | None:
    """Return the reply that an effect asks for; None if it asks for none.

    The receiving State's side sends answers, and a receipt for each Ask that its people got. The providing
    State's side sends results, and withdrawals of Asks that it has cancelled. An Ask that has expired needs none: both
    sides know the instant.

    Raises:
        InputError: The effect needs a part that the context does not have.
    """
    receives = context.state != context.provider
    match effect:
        case Reply(ask, to_state, answer):
            return _build(
                context, ReplyKind.ANSWER, ask, to_state, answer=answer, authority=context.authority,
                conditions_hash=context.conditions_hash,
            )  # fmt: skip
        case Answered(ask, state, result):
            return _build(context, ReplyKind.RESULT, ask, state, result=result)
        case Opened(ask) if receives:
            return _build(context, ReplyKind.RECEIPT, ask.id, context.provider, root=context.root)
        case Ended(ask) if not receives and ask.row.asks_recipient and ask.status is AskStatus.CANCELLED:
            return _build(context, ReplyKind.WITHDRAWAL, ask.id, ask.state)
        case _:
            return None


def _build(context: ReplyContext, kind: ReplyKind, ask: str, to_state: str, **parts: Any) -> ReplyMessage:
    return ReplyMessage(kind, context.item_id, ask, context.state, to_state, context.now, context.urgency, **parts)
