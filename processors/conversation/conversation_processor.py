"""Drives the conversations of one State, on both sides: by rulings, by drafts of the gate, by messages, and by time.

A pure function of records, state, law and time. A ruling is verified before anything in it is used: form, State, time,
officer, signature, partition; then whether it fits each open Ask that it answers. A message of another State was
verified and opened before. A record that fails is quarantined *by reference*: topic, partition, offset and cause, but
no content. It changes nothing and never holds up what follows. If the conversation itself refuses something (role, four
eyes, an Ask that has ended, what the law forbids), an act records the reason.

**What is sent** is written before any state is stored: if it cannot be written, the record that caused it is refused.

**Answers given beforehand** (`covering`) are applied to each Ask as soon as it is opened, as a separate step.

**Repetitions.** A batch that was aborted leaves nothing, so its records are new when they are read again. A draft or a
message that was already processed changes nothing, and a repeated answer is refused: the Ask is not open, or has this
officer's answer. Any other ruling that has changed an item is remembered there until it expires.

An entry of the state store that cannot be read stops the batch: without it, nothing about its item is known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, cast, final

from processors.conversation.conversation_result import ConversationOutcome, MessageOutcome
from processors.conversation.covering import CoverChange, CoverKeeper
from processors.conversation.draft_reading import ReadDraft, read_draft
from processors.conversation.inbox_places import is_for_inbox
from processors.conversation.item_rulings import follow_ruling
from processors.conversation.keeping import PreparedStep, StepKeeper, require_size
from processors.conversation.kept_law import DraftOpener, KeptLaw, list_opening_roles
from processors.conversation.receiving import ReadMessage, read_message, require_plausible
from processors.conversation.refusals import read_broker_time
from processors.conversation.room import require_reply_room, require_room
from processors.conversation.steps import ConversationBatch, Kept, Step, advance_item, advance_received_item
from processors.exactly_once.batch import ConsumedRecord
from sharing.conversation.deliveries import Conversation
from sharing.conversation.events import Decided, Event, Replied, TimePassed
from sharing.conversation.received_events import ReceivedEvent
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.entries import RESERVED_BYTES, KeptConversation
from sharing.conversation_state.item_keys import read_item_key
from sharing.disclosure.decided import make_decided
from sharing.rulings.mapping import to_events
from sharing.rulings.signing import VerifiedRuling, verify_ruling
from sharing.seal.inbox_sealing import ReceivedMessage
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

_REFUSED: Final = MessageOutcome(ConversationOutcome.REFUSED, is_in_inbox=False)


@final
class ConversationProcessor:
    """Drives the conversations of one State.

    Args:
        state: The State.
        open_draft: Opens a stored draft.
        framing: How records are framed.
    """

    def __init__(self, state: str, open_draft: DraftOpener, *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        self._state = state
        self._open_draft = open_draft
        self._framing = framing
        self._keeper = StepKeeper(state, framing)
        self._covers = CoverKeeper(state)

    def process_ruling(self, record: ConsumedRecord, batch: ConversationBatch) -> None:
        """Process a record of the topic of rulings. Everything that it rules on this partition is stored, or nothing.

        Raises:
            DecodeError: An entry of an item that it names cannot be read.
        """
        partition = record.partition()
        try:
            value = self._framing.to_single_object(record.value())
            verified = self._verify(value, record, batch)
            roles = list_opening_roles(batch.law)
            events = to_events(verified.ruling, verified.officer, verified.at_ms, partition=partition, roles=roles)
        except Exception as error:  # noqa: BLE001 what somebody wrote must never stop what follows
            self._keeper.refuse(record, error, batch)
            return
        named = dict.fromkeys((event.provider, event.item) for event in events)
        kept = {each: self._find(partition, *each, batch) for each in named}
        changes: list[CoverChange] = []

        def prepare() -> list[PreparedStep]:
            laws = {place: self._open_law(each, batch) for place, each in kept.items()}
            steps = follow_ruling(verified, events, kept, laws, batch)
            prepared = [self._keeper.prepare(step, laws[step.provider, step.item], batch, verified) for step in steps]
            change = self._covers.change(verified, value or b"", batch)
            changes.extend([] if change is None else [change])
            return [step for each in prepared for step in self._cover(each, batch)]

        if self._keeper.keep_record(record, prepare, batch) is not None:
            for change in changes:
                self._covers.keep(change, partition, batch)

    def process_draft(self, record: ConsumedRecord, opened: bytes | None, batch: ConversationBatch) -> None:
        """Process a record of the topic of drafts: a decision of the gate on a revision of an item.

        Args:
            record: The record. Its value is stored as long as something needs it.
            opened: Its value in clear.
            batch: The batch.

        Raises:
            DecodeError: The entry of its item cannot be read.
        """
        try:
            draft = read_draft(opened, self._state, self._framing)
            event = make_decided(
                draft.record, draft.recipients, batch.law, draft.decided_at,
                amendment=draft.amendment, is_corrected=draft.is_corrected,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 the gate's records are checked like those of others
            self._keeper.refuse(record, error, batch)
            return
        kept = self._find_own(record.partition(), draft.item, batch)
        shown = None if event.revision in kept.drafts else draft  # only what people were shown may be sent

        def prepare() -> list[PreparedStep]:
            return self._cover(self._follow_draft(record, shown, event, kept, batch), batch, shown)

        reserved = RESERVED_BYTES * (
            1 if event.terms is None else 2
        )  # an item can always be withdrawn, even if its entry is full
        self._keeper.keep_record(record, prepare, batch, reserved=reserved)

    def process_message(
        self, record: ConsumedRecord, message: ReceivedMessage, batch: ConversationBatch
    ) -> MessageOutcome:
        """Process a message of another State that was verified and opened.

        Args:
            record: The record in which it came.
            message: The message.
            batch: The batch.

        Raises:
            DecodeError: The entry of its item cannot be read.
        """
        partition, other = record.partition(), message.from_state
        try:
            read = read_message(record, message, self._state, batch.now_ms, trusts_writers=batch.trusts_writers)
        except Exception as error:  # noqa: BLE001 what another State wrote must never stop what follows
            self._keeper.refuse(record, error, batch, other)
            return _REFUSED
        kept = self._find(partition, read.provider, read.item, batch)

        def prepare() -> list[PreparedStep]:
            if isinstance(kept, ReceivedItem):
                return self._cover(self._follow_received(partition, read, other, kept, batch), batch)
            return self._cover(self._follow_reply(partition, read, other, kept, batch), batch)

        prepared = self._keeper.keep_record(record, prepare, batch, other)
        if prepared is None:
            return _REFUSED
        return MessageOutcome(batch.result.outcomes[-1], is_for_inbox(message, kept, prepared[-1].step.after, batch))

    def refuse_record(self, record: ConsumedRecord, error: Exception, batch: ConversationBatch) -> None:
        """Refuse a record that could not be opened. It is quarantined by reference.

        Args:
            record: The record.
            error: Why.
            batch: The batch.
        """
        self._keeper.refuse(record, error, batch)

    def process_due(self, batch: ConversationBatch, limit: int) -> int:
        """Process what is due at the time of the batch. Return how many items were due.

        In a partition that has not been read up to that time, only what was due at the time up to which it was read
        (`read_until`).

        Args:
            batch: The batch.
            limit: How many entries of the index to look at (`BatchEntries.take_due`).

        Raises:
            DecodeError: An entry cannot be read.
            InputError: An entry would become too large to be stored.
        """
        due = batch.entries.take_due(batch.now_ms, limit, batch.read_until)
        for entry in due:
            batch.result.due.append(entry)
            self._pass_time(entry, batch)
        return len(due)

    def _verify(self, value: bytes | None, record: ConsumedRecord, batch: ConversationBatch) -> VerifiedRuling:
        arrived = batch.rulings.open_arrived(value)
        at_ms = read_broker_time(record, trusts_writers=batch.trusts_writers)
        return verify_ruling(
            arrived.record, batch.find_officer, state=self._state, partition=record.partition(), at_ms=at_ms,
            key=arrived.key,
        )  # fmt: skip

    def _find(self, partition: int, provider: str, item: str, batch: ConversationBatch) -> Kept:
        """Return what is stored about an item; if nothing is, the initial state of its conversation."""
        if provider == self._state:
            return self._find_own(partition, item, batch)
        return batch.entries.find_received(partition, provider, item) or ReceivedItem(item, provider, self._state)

    def _find_own(self, partition: int, item: str, batch: ConversationBatch) -> KeptConversation:
        found = batch.entries.find_conversation(partition, item)
        return found or KeptConversation(Conversation(item, self._state))

    def _open_law(self, kept: Kept, batch: ConversationBatch, draft: ReadDraft | None = None) -> KeptLaw | None:
        return None if isinstance(kept, ReceivedItem) else self._open_own_law(kept, batch, draft)

    def _open_own_law(
        self, kept: KeptConversation, batch: ConversationBatch, draft: ReadDraft | None = None
    ) -> KeptLaw:  # fmt: skip
        return KeptLaw(kept, batch.law, batch.now_ms, self._open_draft, self._framing, draft)

    def _cover(
        self, first: PreparedStep, batch: ConversationBatch, draft: ReadDraft | None = None
    ) -> list[PreparedStep]:  # fmt: skip
        """Return a step, and what earlier answers that cover later Asks do with the Asks that it has opened."""

        def prepare(step: Step, law: KeptLaw | None, verified: VerifiedRuling) -> PreparedStep:
            require_size(step)
            return self._keeper.prepare(step, law, batch, verified)

        open_law = partial(self._open_law, batch=batch, draft=draft)
        return self._covers.cover_asks(first, batch, open_law, prepare)

    def _follow_draft(
        self, record: ConsumedRecord, shown: ReadDraft | None, event: Decided, kept: KeptConversation,
        batch: ConversationBatch,
    ) -> PreparedStep:  # fmt: skip
        law = self._open_own_law(kept, batch, shown)
        drafts = {event.revision: record.value() or b"", **kept.drafts}

        def prepare(can_send: bool) -> PreparedStep:  # noqa: FBT001 one argument
            step = advance_item(record.partition(), kept, [event], batch.now_ms, law, can_send=can_send)
            step = step._replace(after=KeptConversation(cast("KeptConversation", step.after).conversation, drafts))
            return self._keeper.prepare(step, law, batch)

        return _prepare_answered(prepare)

    def _follow_received(
        self, partition: int, read: ReadMessage, other: str, kept: ReceivedItem, batch: ConversationBatch
    ) -> PreparedStep:
        """Return what a message does to an item of the State that has sent it."""
        event = cast("ReceivedEvent", read.event)  # `read_message` names the State on whose item the event acts
        require_room(event, kept, batch.entries.count_waiting(partition, other))
        step = advance_received_item(partition, kept, [event], batch.now_ms)
        return self._keeper.prepare(step._replace(root=read.root), None, batch)

    def _follow_reply(
        self, partition: int, read: ReadMessage, other: str, kept: KeptConversation, batch: ConversationBatch
    ) -> PreparedStep:
        """Return what a reply does to an item of this State."""
        event = cast("Event", read.event)  # as above
        if isinstance(event, Replied):
            ask = kept.conversation.asks.get(event.ask)
            require_plausible(event, ask)
            if ask is None:
                require_reply_room(batch.entries.count_waiting(partition, other), other)
        law = self._open_own_law(kept, batch)

        def prepare(can_send: bool) -> PreparedStep:  # noqa: FBT001 one argument
            step = advance_item(partition, kept, [event], batch.now_ms, law, can_send=can_send)
            return self._keeper.prepare(step, law, batch)

        return _prepare_answered(prepare)

    def _pass_time(self, entry: DueItem, batch: ConversationBatch) -> None:
        item, from_state = read_item_key(entry.key)
        partition, now_ms, passed = entry.partition, batch.get_instant(entry.partition), TimePassed(batch.pinned)
        if from_state is None:
            own = self._find_own(partition, item, batch)
            law = self._open_own_law(own, batch)
            prepared = self._keeper.prepare(advance_item(partition, own, [passed], now_ms, law), law, batch)
        else:
            received = self._find(partition, from_state, item, batch)
            step = advance_received_item(partition, cast("ReceivedItem", received), [passed], now_ms)
            prepared = self._keeper.prepare(step, None, batch)
        self._keeper.keep_due(prepared, batch, now_ms)


def _prepare_answered(prepare: Callable[[bool], PreparedStep]) -> PreparedStep:
    """Return a step in which another State's answer counts even if what it releases cannot be written.

    That State gets its one result, and an officer of this State is asked what to do: a key may be missing, or the
    law may have changed since.

    Args:
        prepare: Returns the step, given `can_send` as in `sharing.conversation.provider.advance`.

    Raises:
        Exception: The step cannot be written, regardless of what the answer releases.
    """
    try:
        return prepare(True)  # noqa: FBT003 as above
    except Exception:  # noqa: BLE001 any error is raised again if it has another cause
        return prepare(False)  # noqa: FBT003 as above
