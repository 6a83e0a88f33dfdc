"""One batch of the conversation's loop, part by part: what has arrived, what is due, and what is written because of it.

The loop reads what other States send (notices, offers, replies, on the urgent topic or their own), and the State's own
rulings and drafts. In each part, the messages are opened and given to the conversation first, then the own records.
Each topic of a partition is processed in order, but there is no order between topics: a reply may come before the draft
that it is about, and a recall before its item. After all parts comes what is due. What is sent is sealed and numbered
last.

Before the last output of a batch is handed over, and so before it is committed, everything in it must be accounted for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from processors.audit.checkpoint_writer import CheckpointWriter
from processors.audit.log_writer import BatchLog
from processors.audit.witness import is_checkpoint_topic
from processors.conversation.batch_work import BatchWork, DriverResult
from processors.conversation.conversation_result import ConversationOutcome, is_conserved
from processors.conversation.outcome_events import BatchFollowed
from processors.conversation.steps import ConversationBatch
from processors.conversation.witnessing import WitnessDriver, is_about_witnessing
from processors.exactly_once.batch import ConservationError
from processors.inbox import inbox_result
from processors.inbox.inbox_state import InboxState
from processors.inbox.refusals import RefusalError
from sharing.conversation_state.batch_entries import BatchEntries
from sharing.conversation_state.due_index import DueIndex
from sharing.model.vocabulary import AuditLogName
from sharing.seal.faults import SealError
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import ACTS, DRAFTS, RULINGS

if TYPE_CHECKING:
    from processors.audit.witness import BatchWitness, Witness
    from processors.conversation.conversation_processor import ConversationProcessor
    from processors.conversation.escalation_outbox import EscalationOutbox
    from processors.exactly_once.batch import Batch, ConsumedRecord, OutputRecord
    from processors.exactly_once.overlay import Overlay
    from processors.gate.outcome_blocks import OutcomeBlocks
    from processors.inbox.inbox_processor import InboxProcessor
    from processors.inbox.inbox_state import BatchState
    from sharing.model.bad_batch import BadBatch
    from sharing.seal.inbox_sealing import ReceivedMessage
    from sharing.trust.signatures import SigningKey

PART_RECORDS: Final = 1_000
"""How many records are processed before their outputs are handed over: these are in memory together."""

DUE_PART: Final = 1_000
"""How many entries of the index of due items are examined before the outputs are handed over."""

DUE_MAX: Final = 10_000
"""How many of them a batch examines. The next batch, which comes at once, continues."""


@dataclass(slots=True)
class _Part:
    """A part of a batch, while it is processed."""

    batch: ConversationBatch
    witness: BatchWitness | None = None
    given: list[ConsumedRecord] = field(default_factory=list)
    failure: Exception | None = None


class BatchDriver:
    """Processes the batches of one loop. What it remembers between them can be derived from the state store.

    Args:
        state: The State.
        inbox: Opens messages, and seals what is put into the inbox.
        conversation: Drives the conversations.
        outbox: Keeps what people must be notified of by messages.
        want: Receives, for each partition, when something will be due next, in UTC milliseconds.
        trusts_writers: As in `ConversationBatch`.
        framing: How records are framed.
        outcomes: Tells agencies what became of their items; None if that is switched off.
        witness: Witnesses the audit logs of other States; None if nothing is witnessed.
        pinned: As in `ConversationBatch`.

    Attributes:
        checkpoints: Signs the checkpoints of the audit log of acts.
    """

    def __init__(  # noqa: PLR0913 each is a different part of the conversation
        self,
        state: str,
        inbox: InboxProcessor,
        conversation: ConversationProcessor,
        outbox: EscalationOutbox,
        want: Callable[[Mapping[int, int]], None],
        *,
        trusts_writers: bool = False,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        outcomes: OutcomeBlocks | None = None,
        witness: Witness | None = None,
        pinned: frozenset[str] | None = None,
    ) -> None:
        self._outcomes = outcomes
        self._pinned = pinned
        self._witness = None if witness is None else WitnessDriver(witness, framing)
        self._state = state
        self._framing = framing
        self._acts_topic = ACTS.topic(state)
        self._own_topics = {kind.topic(state) for kind in (RULINGS, DRAFTS)}
        self._drafts_topic = DRAFTS.topic(state)
        self._inbox = inbox
        self._conversation = conversation
        self._outbox = outbox
        self._want = want
        self._trusts_writers = trusts_writers
        self.checkpoints = CheckpointWriter(state, AuditLogName.ACTS, framing)
        self._memory = InboxState()
        self._index = DueIndex()

    def process_batch(self, batch: Batch, work: BatchWork, result: DriverResult) -> Iterator[OutputRecord]:
        """Yield the outputs of a batch, and add what became of it to `result`.

        Args:
            batch: The batch. One without records only finds what is due and what is overdue.
            work: What it is processed with.
            result: Receives the counts.

        Raises:
            ConservationError: The batch is not conserved. The transaction must be aborted.
            DecodeError: An entry of the state store cannot be read.
            SealError: Something cannot be sealed.
        """
        view = batch.store_view
        if view is None:
            raise ConservationError("the conversation has no state store")
        state = self._memory.open_batch(view, batch.now_ms)
        entries = BatchEntries(self._index, view)
        yield from self.checkpoints.write_due(batch, work.sealing.signing_key)
        log = BatchLog(self._state, AuditLogName.ACTS, batch, self._framing, self.checkpoints.add_leaves)
        witness = None
        if self._witness is not None:
            witness = self._witness.open_batch(view, work.keys, work.sealing, batch.now_ms, result.witness)
        unread: Sequence[BadBatch] = batch.unreadable
        for start in range(0, max(len(batch.messages), 1), PART_RECORDS):
            part = self._begin_part(batch, entries, work, witness)
            records = batch.messages[start : start + PART_RECORDS]
            yield from self._process_records(records, start, unread, part, state, work, result)
            yield from self._finish_part(part, work, log, result)
            del part  # before the next part is computed
            unread = ()
        yield from self._process_due(batch, entries, work, log, result)
        if self._outcomes is not None:
            pack = work.law.context.disclosure_filter.pack.reference
            followed = BatchFollowed(self._state, batch.now_ms, pack, work.sealing.limits)
            followed.add(result.conversation.followed)
            yield from followed.write(self._outcomes)
        if witness is not None:
            witness.measure()
        state.save()
        yield from work.sealing.state_counts()
        self._finish_batch(batch, view, work, result)

    def write_last(self, batch: Batch, key: SigningKey) -> Iterator[OutputRecord]:
        """Yield what must still be written before a stop: the checkpoints of what was committed.

        Args:
            batch: A batch without records.
            key: The State's gate key.
        """
        return self.checkpoints.write_due(batch, key, is_last=True)

    def _begin_part(
        self, batch: Batch, entries: BatchEntries, work: BatchWork, witness: BatchWitness | None = None
    ) -> _Part:  # fmt: skip
        return _Part(
            ConversationBatch(
                entries,
                work.law,
                batch.now_ms,
                work.find_officer,
                work.rulings,
                read_until=batch.read_until,
                receiving=work.sealing.directory.receiving_states,
                pinned=self._pinned,
                limits=work.sealing.limits,
                seals_again=bool(work.keys.revoked),
                trusts_writers=self._trusts_writers,
            ),
            witness,
        )

    def _process_records(
        self,
        records: Sequence[ConsumedRecord],
        start: int,
        unread: Sequence[BadBatch],
        part: _Part,
        state: BatchState,
        work: BatchWork,
        result: DriverResult,
    ) -> Iterator[OutputRecord]:
        """Process records, and yield what is put into the inbox, and what is quarantined from the exchange topics."""

        def receive(record: ConsumedRecord, message: ReceivedMessage) -> bool | None:
            return self._receive(record, message, part)

        if part.witness is not None:
            for record in records:
                if is_checkpoint_topic(record.topic()):
                    part.witness.process_record(record)
        messages = [
            record
            for record in records
            if record.topic() not in self._own_topics and not is_checkpoint_topic(record.topic())
        ]
        opened = self._inbox.process_batch(messages, state, work.keys, part.batch.now_ms, unread, receive)
        if part.failure is not None:
            raise part.failure
        if not inbox_result.is_conserved(messages, len(unread), opened):
            raise ConservationError("a batch of the inbox is not conserved: a record is missing or counted twice")
        result.inbox.add_counts(opened)
        for place, record in enumerate(records, start):
            if record.topic() in self._own_topics:
                part.given.append(record)
                self._process_own(record, work.drafts.get(place), part.batch)
        yield from (opened.outputs[place] for place in sorted(opened.outputs))

    def _receive(self, record: ConsumedRecord, message: ReceivedMessage, part: _Part) -> bool | None:
        """Process an opened message, and return whether it is put into the inbox; None if it is refused.

        Raises:
            RefusalError: It is refused.
            Exception: The state store cannot be read, which is not the message's fault.
        """
        try:
            if part.witness is not None and is_about_witnessing(message):
                WitnessDriver.receive(record, message, part.witness)
                return False
            part.given.append(record)
            outcome = self._conversation.process_message(record, message, part.batch)
        except RefusalError:
            raise
        except Exception as error:
            part.failure = error
            raise
        return None if outcome.outcome is ConversationOutcome.REFUSED else outcome.is_in_inbox

    def _process_own(self, record: ConsumedRecord, opened: bytes | SealError | None, batch: ConversationBatch) -> None:
        if record.topic() != self._drafts_topic:
            self._conversation.process_ruling(record, batch)
        elif isinstance(opened, SealError):
            self._conversation.refuse_record(record, opened, batch)
        else:
            self._conversation.process_draft(record, opened, batch)

    def _process_due(
        self, batch: Batch, entries: BatchEntries, work: BatchWork, log: BatchLog, result: DriverResult
    ) -> Iterator[OutputRecord]:
        for _ in range(0, DUE_MAX, DUE_PART):
            part = self._begin_part(batch, entries, work)
            if not self._conversation.process_due(part.batch, DUE_PART):
                return
            yield from self._finish_part(part, work, log, result)

    def _finish_part(self, part: _Part, work: BatchWork, log: BatchLog, result: DriverResult) -> Iterator[OutputRecord]:
        """Check a part, and yield what the conversation writes: its acts as audit log blocks, everything else sealed.

        This comes after what is put into the inbox, so that a deletion there follows its item.
        """
        caused = part.batch.result
        if not is_conserved(part.given, caused):
            raise ConservationError(
                "a batch of the conversation is not conserved: a record, a state or an act is missing or counted twice"
            )
        result.conversation.add(caused)
        acts: dict[int, list[bytes]] = {}
        for output in caused.outputs:
            if output.topic == self._acts_topic:
                acts.setdefault(output.partition, []).append(output.value or b"")
        others = [output for output in caused.outputs if output.topic != self._acts_topic]
        if part.witness is not None and self._witness is not None:
            part.witness.finish()
            others += part.witness.take_outputs()
            others += self._witness.build_messages(part.witness, part.batch.now_ms)
        sealed, message_roots = work.sealing.seal_records(others)
        yield from log.add_entries(acts, message_roots)
        yield from sealed

    def _finish_batch(self, batch: Batch, view: Overlay, work: BatchWork, result: DriverResult) -> None:
        own = sum(record.topic() in self._own_topics for record in batch.messages)
        if len(result.inbox.outcomes) + own + result.witness.records != len(batch.messages) + len(batch.unreadable):
            raise ConservationError("a batch of the conversation is not conserved: its parts do not match the batch")
        result.inbox.overdue = self._memory.list_overdue(batch.now_ms, work.keys.trusted)
        result.items = self._index.count_items()
        result.settle = self._outbox.keep(view, result.conversation.alerts)
        self._want(self._index.list_next_due())
