"""The acts of effects: turns each effect of a conversation into its record in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from sharing.conversation.asks import Ask
from sharing.conversation.effects import (
    Amend,
    Answered,
    Changed,
    Effect,
    Ended,
    Escalate,
    GivenUp,
    Opened,
    Overdue,
    ReceiptNoted,
    Refused,
    Send,
    SentAgain,
)
from sharing.conversation.received_events import Blocked, PutInInbox, ReceivedEffect, Reply, ResultTold, Shred
from sharing.rulings.act import Act, ActAnswer, ActKind
from sharing.rulings.vocabulary import RefusalGround
from sharing.seal.rulings import KeptRulingKey

_Described = tuple[ActKind, dict[str, Any]]
_AskEffect = Opened | Changed | Ended
_SharedEffect = _AskEffect | Escalate | Overdue | Refused
_ProviderEffect = SentAgain | Send | Amend | GivenUp | Answered | ReceiptNoted
_ReceiverEffect = Reply | PutInInbox | Blocked | Shred | ResultTold


@dataclass(frozen=True, slots=True)
class ActContext:
    """What an act needs and an effect does not say.

    Attributes:
        item_id: Id of the item.
        provider: The State that provides the item.
        state: The State that acts: this one.
        now: The time, in UTC milliseconds.
        officer: Id of the officer whose ruling caused the effect; None if no ruling did.
        ruling: Digest of that ruling.
        ruling_key: The key of its sealed record, as the State keeps it; None if it was not sealed.
        grounds: The grounds that it names for a refusal.
        own_rule: Id of the rule of the State's own law, for the ground OWN_LAW.
        root: Signed root of the batch in which the message came that caused the effect; None if no message did.
    """

    item_id: str
    provider: str
    state: str
    now: int
    officer: str | None = None
    ruling: str | None = None
    ruling_key: KeptRulingKey | None = None
    grounds: tuple[RefusalGround, ...] = ()
    own_rule: str | None = None
    root: bytes | None = None


def to_act(effect: Effect | ReceivedEffect, context: ActContext, *, is_delivered: bool = True) -> Act:
    """Return the record of an effect. Every effect has one.

    Args:
        effect: The effect.
        context: What it does not say.
        is_delivered: Whether the State to which it sends something can get it.
    """
    match effect:
        case Opened() | Changed() | Ended() | Escalate() | Overdue() | Refused():
            kind, parts = _describe_shared(effect, context)
        case SentAgain() | Send() | Amend() | GivenUp() | Answered() | ReceiptNoted():
            kind, parts = _describe_provider(effect, context)
        case Reply() | PutInInbox() | Blocked() | Shred() | ResultTold():
            kind, parts = _describe_receiver(effect)
            if isinstance(effect, PutInInbox):
                parts = {**parts, "root": context.root}
        case _:
            assert_never(effect)
    if not is_delivered:
        kind = ActKind.UNDELIVERED
    fields: dict[str, Any] = {
        "officer": context.officer, "ruling": context.ruling, "ruling_key": context.ruling_key,
        "grounds": context.grounds, "own_rule": context.own_rule,
    } | parts  # fmt: skip
    return Act(kind, context.item_id, context.provider, context.state, context.now, **fields)


def _describe_shared(effect: _SharedEffect, context: ActContext) -> _Described:
    """Return what an effect of either side does, and the parts of its record."""
    match effect:
        case Opened(ask):
            return ActKind.ASK_OPENED, _describe_ask(ask, context)
        case Changed(ask, is_unclaimed):
            return ActKind.ASK_UNCLAIMED if is_unclaimed else ActKind.ASK_CHANGED, _describe_ask(ask, context)
        case Ended(ask):
            return ActKind.ASK_ENDED, _describe_ask(ask, context)
        case Escalate(ask_id, step):
            return ActKind.ESCALATED, {"ask": ask_id, "step": step}
        case Overdue(ask_id):
            return ActKind.OVERDUE, {"ask": ask_id or None}
        case Refused(ask_id, officer, reason):
            return ActKind.RULING_REFUSED, {"ask": ask_id or None, "officer": officer, "reason": reason}
        case _:
            assert_never(effect)


def _describe_provider(effect: _ProviderEffect, context: ActContext) -> _Described:
    """Return what an effect of the providing State's side does, and the parts of its record."""
    match effect:
        case SentAgain(ask):
            return ActKind.ASK_REPEATED, _describe_ask(ask, context)
        case Send(state, revision, kind):
            return ActKind.NOTICE_SENT, {"states": (state,), "revision": revision, "notice_kind": kind}
        case Amend(revision, ask_id, facts):
            return ActKind.AMENDED, {"ask": ask_id or None, "revision": revision, "facts": tuple(sorted(facts))}
        case GivenUp(ask):
            return ActKind.ASK_GIVEN_UP, _describe_ask(ask, context)
        case Answered(ask_id, state, result):
            return ActKind.REPLY_RESULT, {"ask": ask_id, "states": (state,), "result": result}
        case ReceiptNoted(ask_id, state, root):
            return ActKind.RECEIPT_RECORDED, {"ask": ask_id, "states": (state,), "root": root}
        case _:
            assert_never(effect)


def _describe_receiver(effect: _ReceiverEffect) -> _Described:
    """Return what an effect of the receiving State's side does, and the parts of its record."""
    match effect:
        case Reply(ask_id, state, answer):
            return ActKind.REPLIED, {"ask": ask_id, "states": (state,), "answer": answer}
        case PutInInbox(revision):
            return ActKind.PUT_IN_INBOX, {"revision": revision}
        case Blocked(revision):
            return ActKind.BLOCKED, {"revision": revision}
        case Shred(revision):
            return ActKind.SHREDDED, {"revision": revision}
        case ResultTold(ask_id, result):
            return ActKind.RESULT_TOLD, {"ask": ask_id, "result": result}
        case _:
            assert_never(effect)


def _describe_ask(ask: Ask, context: ActContext) -> dict[str, Any]:
    return {
        "ask": ask.id,
        "ask_kind": ask.kind,
        "ask_status": ask.status,
        "round": ask.round,
        "asked": ask.state,
        "authority": ask.authority,
        "claimed_by": ask.find_claimant(context.now),
        "answers": tuple(ActAnswer(given.officer, given.answer, given.at) for given in ask.given),
        "states": tuple(sorted(ask.recipients)),
        "revision": ask.revision,
    }
