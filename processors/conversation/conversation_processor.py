"""Drives the providing State's side of conversations: by rulings, by drafts of the gate, and by time.

A pure function of records, state, law and time. A ruling is verified before anything in it is used: form, State, time,
officer, signature, partition; then whether it fits each open Ask that it answers. What fails is quarantined *by
reference*: topic, partition, offset and cause, and nothing of it. It changes nothing and never holds up what follows.
What the conversation itself refuses (role, four eyes, an Ask that has ended, what the law forbids) is an act with the
reason.

**What is repeated.** A batch that was aborted leaves nothing, so its records are new when they are read again. A draft
that came before changes nothing, and an answer that came before is refused: the Ask is not open, or has this officer's
answer. A copy of a claim, of passing on, or of a recall is a ruling as the first was, until it expires: within a day.

An entry of the state store that cannot be read stops the batch: without it, nothing about its item is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import final

from processors.conversation.conversation_result import ConversationOutcome, KeptState
from processors.conversation.draft_reading import ReadDraft, read_draft
from processors.conversation.kept_law import DraftOpener, KeptLaw
from processors.conversation.refusals import describe_refusal, read_broker_time
from processors.conversation.steps import ActWriter, ConversationBatch, Step, advance_item
from processors.exactly_once.batch import ConsumedRecord
from processors.inbox.refusals import build_quarantine_record
from sharing.conversation.deliveries import Conversation
from sharing.conversation.events import Decided, TimePassed
from sharing.conversation.receiver import advance_received
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.entries import KeptConversation, encode_conversation
from sharing.conversation_state.item_keys import make_own_key, read_item_key
from sharing.disclosure.decided import make_decided
from sharing.rulings.mapping import ItemEvent, to_events
from sharing.rulings.ruling import Answering, Opening
from sharing.rulings.signing import VerifiedRuling, verify_ruling
from sharing.rulings.vocabulary import OpeningKind
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing


@final
class ConversationProcessor:
    """Drives the conversations about the items of one State.

    Args:
        state: The State.
        open_draft: Opens a draft as it is kept.
        framing: How records are framed.
    """

    def __init__(self, state: str, open_draft: DraftOpener, *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        self._state = state
        self._open_draft = open_draft
        self._framing = framing
        self._acts = ActWriter(state, framing)

    def process_ruling(self, record: ConsumedRecord, batch: ConversationBatch) -> None:
        """Process a record of the topic of rulings. Either all that it rules on this partition is kept, or nothing.

        Raises:
            DecodeError: An entry of an item that it names cannot be read.
        """
        try:
            verified = self._verify(record, batch)
            events = to_events(verified.ruling, verified.officer, verified.at_ms, partition=verified.partition)
        except Exception as error:  # noqa: BLE001 what somebody wrote must never stop what follows
            self._refuse(record, error, batch)
            return
        if _is_for_gate(verified):
            batch.result.openings.append(verified)
            batch.result.outcomes.append(ConversationOutcome.OPENED)
            return
        kept = self._load_items(record.partition(), events, batch)
        try:
            steps = self._follow_ruling(verified, events, kept, batch)
            for step in steps:
                encode_conversation(step.after)  # what is too large to be kept is found before any of it is kept
        except Exception as error:  # noqa: BLE001 as above
            self._refuse(record, error, batch)
            return
        self._finish_record(record, steps, batch, verified)

    def process_draft(self, record: ConsumedRecord, opened: bytes | None, batch: ConversationBatch) -> None:
        """Process a record of the topic of drafts: a decision of the gate on a revision of an item.

        Args:
            record: The record. Its value is what is kept while something waits.
            opened: Its value in clear.
            batch: The batch.

        Raises:
            DecodeError: The entry of its item cannot be read.
        """
        try:
            draft = read_draft(opened, self._state, self._framing)
            event = make_decided(draft.record, draft.recipients, batch.law, draft.decided_at)
        except Exception as error:  # noqa: BLE001 the gate's records are checked like those of others
            self._refuse(record, error, batch)
            return
        kept = batch.entries.find_conversation(record.partition(), draft.item) or self._begin(draft.item)
        try:
            step = self._follow_draft(record, draft, event, kept, batch)
            self._finish_record(record, [step], batch)  # one item: it is kept, or it is too large and nothing is
        except Exception as error:  # noqa: BLE001 as above
            self._refuse(record, error, batch)

    def process_due(self, batch: ConversationBatch, limit: int) -> int:
        """Let time pass for what is due at the time of the batch. Return how many items were due.

        All records that were written up to that time must have been processed before.

        Args:
            batch: The batch.
            limit: How many entries of the index to look at (`BatchEntries.take_due`).

        Raises:
            DecodeError: An entry cannot be read.
            InputError: An entry would become too large to be kept.
        """
        due = batch.entries.take_due(batch.now_ms, limit)
        for entry in due:
            batch.result.due.append(entry)
            item, from_state = read_item_key(entry.key)
            if from_state is None:
                self._pass_time(entry, item, batch)
            else:
                self._pass_time_received(entry, item, from_state, batch)
            batch.result.kept.append(KeptState(entry, None))
        return len(due)

    def _verify(self, record: ConsumedRecord, batch: ConversationBatch) -> VerifiedRuling:
        value = self._framing.to_single_object(record.value())
        at_ms = read_broker_time(record)
        partition = record.partition()
        return verify_ruling(value, batch.find_officer, state=self._state, partition=partition, at_ms=at_ms)

    def _begin(self, item: str) -> KeptConversation:
        return KeptConversation(Conversation(item, self._state))

    def _load_items(
        self, partition: int, events: Iterable[ItemEvent], batch: ConversationBatch
    ) -> dict[str, KeptConversation]:
        items = dict.fromkeys(event.item for event in events)
        return {item: batch.entries.find_conversation(partition, item) or self._begin(item) for item in items}

    def _follow_ruling(
        self,
        verified: VerifiedRuling,
        events: Sequence[ItemEvent],
        kept: dict[str, KeptConversation],
        batch: ConversationBatch,
    ) -> list[Step]:
        """Return what a ruling does to each item, in the order in which it names them.

        Raises:
            RulingError: It does not fit an open Ask.
        """
        laws = {item: self._open_law(each, batch) for item, each in kept.items()}
        act = verified.ruling.act
        if isinstance(act, Answering):
            for reference in verified.ruling.list_asks(verified.partition):
                ask = kept[reference.item].conversation.asks.get(reference.ask)
                if ask is not None and ask.is_open and not ask.row.asks_recipient:
                    laws[reference.item].require_fit(act, ask)
        return [
            advance_item(each, [event.event for event in events if event.item == item], batch.now_ms, laws[item])
            for item, each in kept.items()
        ]

    def _follow_draft(
        self, record: ConsumedRecord, draft: ReadDraft, event: Decided, kept: KeptConversation, batch: ConversationBatch
    ) -> Step:
        law = batch.law.at(draft.record, batch.now_ms)
        step = advance_item(kept, [event], batch.now_ms, law)
        drafts = {**kept.drafts, event.revision: record.value() or b""}
        return step._replace(after=replace(step.after, drafts=drafts))

    def _open_law(self, kept: KeptConversation, batch: ConversationBatch) -> KeptLaw:
        return KeptLaw(kept, batch.law, batch.now_ms, self._open_draft, self._framing)

    def _finish_record(
        self,
        record: ConsumedRecord,
        steps: Sequence[Step],
        batch: ConversationBatch,
        ruling: VerifiedRuling | None = None,
    ) -> None:
        """Keep what a record has changed, and write its acts."""
        result, partition = batch.result, record.partition()
        outcome = ConversationOutcome.UNCHANGED
        for step in steps:
            entry = DueItem(partition, make_own_key(step.item))
            if step.is_changed:
                outcome = ConversationOutcome.CHANGED
                batch.entries.keep_conversation(partition, step.after)
                result.kept.append(KeptState(entry, len(result.outcomes)))
            self._acts.write(entry, step.item, self._state, step.effects, batch, ruling)
        result.outcomes.append(outcome)

    def _pass_time(self, entry: DueItem, item: str, batch: ConversationBatch) -> None:
        kept = batch.entries.find_conversation(entry.partition, item)
        if kept is None:  # `take_due` has just found it
            raise LookupError("an item that is due has no entry")
        step = advance_item(kept, [TimePassed()], batch.now_ms, self._open_law(kept, batch))
        batch.entries.keep_conversation(entry.partition, step.after)
        self._acts.write(entry, item, self._state, step.effects, batch)

    def _pass_time_received(self, entry: DueItem, item: str, from_state: str, batch: ConversationBatch) -> None:
        received = batch.entries.find_received(entry.partition, from_state, item)
        if received is None:
            raise LookupError("an item that is due has no entry")
        after, effects = advance_received(received, TimePassed(), batch.now_ms)
        batch.entries.keep_received(entry.partition, after)
        self._acts.write(entry, item, from_state, effects, batch)

    def _refuse(self, record: ConsumedRecord, error: Exception, batch: ConversationBatch) -> None:
        refused = describe_refusal(record, error)
        batch.result.outputs.append(build_quarantine_record(refused, self._state, batch.now_ms, self._framing))
        batch.result.outcomes.append(ConversationOutcome.REFUSED)
        batch.result.refused.append(refused)


def _is_for_gate(verified: VerifiedRuling) -> bool:
    """Return whether the gate decides on what a ruling opens: a correction or a withdrawal."""
    act = verified.ruling.act
    return isinstance(act, Opening) and act.opens is not OpeningKind.RECALL
