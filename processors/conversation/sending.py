"""What the conversation writes when an effect sends something: a notice, a recall, an offer, a reply, an amended item.

Pure, and fail-closed: the law in force is evaluated again for the legal terms of what is sent, and a message never has
fewer conditions or redactions than the terms under which people released it.

**When.** The records of an effect are written before the state that it belongs to is stored. If one cannot be written,
the record that caused it is refused by reference, and nothing of it is stored: neither its state nor its acts nor other
messages. What time alone causes needs neither a draft nor the law, so it can always be written: a recall names the item
and has no content, and neither does a withdrawal.

**A State without a verified seal key** cannot be sent anything. The law must be evaluated with a directory without such
States (`LoopSealing`): it withholds items from them, so an officer decides again. If something that the State already
has cannot be recalled, or a reply cannot be sent, the act says so (`UNDELIVERED`): the recall is sent again when its
Ask expires. An officer's own answer to such a State is refused, so that it can be given again. Only a recall of a State
that has left, whose root is no longer pinned, can be acknowledged without telling it: the copies are deleted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

from processors.conversation.amending import build_amendment
from processors.conversation.message_building import MessageBuilder, MessagePlace
from processors.conversation.release_terms import decide_again, open_kept_item
from processors.exactly_once.batch import DEFAULT_LIMITS, OutputLimits, OutputRecord
from processors.inbox.refusals import RefusalError
from sharing.conversation.effects import Amend, Answered, Effect, Ended, Opened, Send, SentAgain
from sharing.conversation.received_events import ReceivedEffect, Reply
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus
from sharing.model.vocabulary import NoticeKind, Urgency
from sharing.rulings.reply_making import ReplyContext, make_reply
from sharing.rulings.ruling import Answering

if TYPE_CHECKING:
    from processors.conversation.kept_law import KeptLaw
    from sharing.conversation.asks import Ask
    from sharing.conversation.deliveries import Conversation
    from sharing.model.decision import PackReference
    from sharing.rulings.signing import VerifiedRuling
    from sharing.serialization.framing import Framing


class Written(NamedTuple):
    """What was written for one effect.

    Attributes:
        records: The records, not sealed yet.
        is_delivered: Whether the addressee can get it.
    """

    records: tuple[OutputRecord, ...]
    is_delivered: bool = True


@dataclass(frozen=True, slots=True)
class SendingContext:
    """The context of everything that one record, or time, causes for one item.

    Attributes:
        provider: The State that provides the item.
        place: Item, partition and time.
        after: What must be stored: the state that the effects belong to.
        pack: The law in force.
        receiving: The States that can get something; None if all can.
        law: The law about the item; None if the item belongs to another State.
        ruling: The ruling that caused the effects; None if no ruling did.
        limits: How large a record may be before it is sealed.
        root: Signed root of the batch of the message that caused the effects; None if no message did.
        pinned: The States whose roots this State has pinned: any other has left. None if none is pinned.
    """

    provider: str
    place: MessagePlace
    after: Conversation | ReceivedItem
    pack: PackReference
    receiving: Collection[str] | None
    law: KeptLaw | None = None
    ruling: VerifiedRuling | None = None
    limits: OutputLimits = DEFAULT_LIMITS
    root: bytes | None = None
    pinned: frozenset[str] | None = None


@final
class MessageWriter:
    """Writes what the effects of one State's conversations send.

    Args:
        state: The State.
        framing: How records are framed.
    """

    def __init__(self, state: str, framing: Framing) -> None:
        self._state = state
        self._framing = framing
        self._builder = MessageBuilder(state, framing)

    def write(self, effect: Effect | ReceivedEffect, context: SendingContext) -> Written:
        """Return what an effect sends. An effect that sends nothing has no records.

        Args:
            effect: The effect.
            context: What it belongs to.

        Raises:
            RefusalError: It cannot be sent. Then nothing of its cause may be stored or written.
            Exception: The draft cannot be opened, or is malformed. Then the same applies.
        """
        if isinstance(effect, SentAgain):
            effect = effect.repeated
        addressee = find_addressee(effect, context.provider, self._state)
        if addressee is None and not isinstance(effect, Amend):
            return Written(())
        if addressee is not None and context.receiving is not None and addressee not in context.receiving:
            has_left = context.pinned is not None and addressee not in context.pinned
            return _leave_undelivered(effect, addressee, has_left=has_left)
        record = self._write(effect, context)
        records = () if record is None else (record,)
        for each in records:
            _check_size(each, context.limits)
        return Written(records)

    def _write(self, effect: Effect | ReceivedEffect, context: SendingContext) -> OutputRecord | None:
        owns = self._state == context.provider
        match effect:
            case Send(kind=NoticeKind.RECALL):
                return None  # the recall is the record of the Ask for its acknowledgement
            case Send():
                return self._write_notice(effect, context)
            case Amend():
                return self._write_amendment(effect, context)
            case Opened(ask) if owns and ask.kind is AskKind.ACK_RECALL:
                indicator = _get_conversation(context).indicator
                return self._builder.build_recall(context.place, indicator, ask, context.pack)
            case Opened(ask) if owns and ask.kind is AskKind.ACCEPT:
                return self._write_offer(ask, context)
            case _:
                return self._write_reply(effect, context)

    def _write_notice(self, effect: Send, context: SendingContext) -> OutputRecord:
        delivery = _get_conversation(context).deliveries.get((effect.state, effect.revision))
        if delivery is None or delivery.status is not DeliveryStatus.SENT or delivery.guards:
            raise ValueError("an item would be sent although something blocks it")
        draft, recipient = decide_again(context.law, delivery)
        return self._builder.build_notice(
            context.place, draft.record, recipient, effect.revision, effect.kind, context.pack
        )

    def _write_offer(self, ask: Ask, context: SendingContext) -> OutputRecord:
        delivery = _get_conversation(context).deliveries.get((ask.state, ask.revision))
        if delivery is None or ask.id not in delivery.guards:
            raise ValueError("nothing waits for the acceptance of an offer")
        draft, recipient = decide_again(context.law, delivery)
        return self._builder.build_offer(context.place, draft.record, recipient, ask, context.pack)

    def _write_amendment(self, effect: Amend, context: SendingContext) -> OutputRecord:
        if context.ruling is None:
            raise ValueError("only a ruling amends an item")
        draft, _ = open_kept_item(context.law)
        return build_amendment(
            effect, draft.record, context.ruling, self._state, context.place.partition, self._framing
        )

    def _write_reply(self, effect: Effect | ReceivedEffect, context: SendingContext) -> OutputRecord:
        item, _, now = context.place
        reply = make_reply(
            effect,
            ReplyContext(
                item_id=item,
                provider=context.provider,
                state=self._state,
                urgency=_find_urgency(effect, context.after),
                now=now,
                authority=None if context.ruling is None else context.ruling.authority,
                conditions_hash=_find_read(effect, context),
                root=context.root,
            ),
        )
        if reply is None:
            raise ValueError("this version does not know what an effect sends")
        return self._builder.build_reply(context.place, reply)


def find_addressee(effect: Effect | ReceivedEffect, provider: str, state: str) -> str | None:
    """Return the State to which an effect sends something; None if nothing leaves this State.

    Args:
        effect: The effect.
        provider: The State that provides the item.
        state: This State. If it receives the item, only an answer, and what its people were asked, are sent to
            the State that asks.
    """
    receives = state != provider
    match effect:
        case Send(to_state) | Answered(_, to_state, _) | Reply(_, to_state, _):
            return to_state
        case Opened() if receives:
            return provider
        case Opened(ask, is_sent) if ask.row.asks_recipient and not is_sent:
            return ask.state
        case Ended(ask) if not receives and ask.row.asks_recipient and ask.status is AskStatus.CANCELLED:
            return ask.state
        case _:
            return None


def _leave_undelivered(effect: Effect | ReceivedEffect, addressee: str, *, has_left: bool) -> Written:
    """Return a result that sends nothing because nothing can be sent to the addressee of an effect.

    Args:
        effect: The effect.
        addressee: The State that should get something.
        has_left: Whether that State will never get anything again.

    Raises:
        RefusalError: It would be lost: an item, an offer, or an officer's answer.
    """
    match effect:
        case Reply(answer=Answer.ACKNOWLEDGED) if has_left:
            is_lost = False  # what it recalls is deleted here anyway
        case Send(kind=NoticeKind.ITEM | NoticeKind.CORRECTION) | Reply():
            is_lost = True
        case Opened(ask):
            is_lost = ask.kind is AskKind.ACCEPT and ask.state == addressee
        case _:
            is_lost = False
    if is_lost:
        raise RefusalError(
            "NO_SEAL_KEY",
            f"{addressee}: nothing can be sent there, because it has no verified seal key in force or no topics; "
            "try again once its directory statement names one",
        )
    return Written((), is_delivered=False)


def _get_conversation(context: SendingContext) -> Conversation:
    if isinstance(context.after, ReceivedItem):
        raise TypeError("an item of another State is neither sent nor recalled")
    return context.after


def _find_read(effect: Effect | ReceivedEffect, context: SendingContext) -> str | None:
    """Return the hash of the conditions of an officer's answer; if the answer is sent again, that of the offer."""
    act, after = None if context.ruling is None else context.ruling.ruling.act, context.after
    if isinstance(act, Answering):
        return act.conditions_hash
    if isinstance(effect, Reply) and isinstance(after, ReceivedItem):
        return after.conditions.get(effect.ask)
    return None


def _find_urgency(effect: Effect | ReceivedEffect, after: Conversation | ReceivedItem) -> Urgency:
    """Return the urgency of what a reply is about. A reply to an unknown Ask is not urgent."""
    match effect:
        case Opened(ask) | Ended(ask):
            return ask.urgency
        case Answered(ask_id) | Reply(ask_id):
            known = after.asks.get(ask_id)
            return Urgency.ORDINARY if known is None else known.urgency
        case _:
            raise ValueError("this effect does not send a reply")


def _check_size(record: OutputRecord, limits: OutputLimits) -> None:
    """Refuse a record that would be too large once it is sealed: it would stop the loop permanently."""
    length = len(record.value or b"")
    if length > limits.get_value_bytes_max(record.topic):
        raise RefusalError(
            "TOO_LARGE",
            f"a record for {record.topic} would have {length:,} bytes, more than the topic takes once it is sealed; "
            "shorten the texts of the item, or raise max.message.bytes of the topic",
        )
