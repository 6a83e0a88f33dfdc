"""Stores what a record or time has changed, together with everything that must be written for it: all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast, final

from processors.conversation.conversation_result import ConversationOutcome, KeptState
from processors.conversation.message_building import MessagePlace
from processors.conversation.outcome_events import list_followed
from processors.conversation.refusals import describe_refusal
from processors.conversation.sending import MessageWriter, SendingContext
from processors.conversation.steps import ActWriter, ConversationBatch, Step
from processors.inbox.refusals import build_quarantine_record
from sharing.conversation.deliveries import is_forgettable
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import is_received_forgettable
from sharing.conversation_state.entries import (
    RESERVED_BYTES,
    KeptConversation,
    encode_conversation,
    encode_received,
    require_entry_size,
)

if TYPE_CHECKING:
    from processors.conversation.kept_law import KeptLaw
    from processors.exactly_once.batch import ConsumedRecord, OutputRecord
    from sharing.conversation.effects import Effect
    from sharing.rulings.signing import VerifiedRuling
    from sharing.serialization.framing import Framing

_NONE_UNDELIVERED: Final[frozenset[int]] = frozenset()


class PreparedStep(NamedTuple):
    """A step, and what is sent because of it.

    Attributes:
        step: The step.
        records: What is sent, not sealed yet.
        undelivered: Positions of the effects whose addressee cannot be sent anything.
        ruling: The ruling that caused it; None if no ruling did.
    """

    step: Step
    records: tuple[OutputRecord, ...]
    undelivered: frozenset[int]
    ruling: VerifiedRuling | None


@final
class StepKeeper:
    """Prepares and stores the steps of the conversations of one State.

    Args:
        state: The State.
        framing: How records are framed.
    """

    def __init__(self, state: str, framing: Framing) -> None:
        self._state = state
        self._framing = framing
        self._acts = ActWriter(state)
        self._messages = MessageWriter(state, framing)

    def prepare(
        self, step: Step, law: KeptLaw | None, batch: ConversationBatch, ruling: VerifiedRuling | None = None
    ) -> PreparedStep:
        """Write what a step sends.

        Args:
            step: The step.
            law: The law about the item; None if the item belongs to another State.
            batch: The batch.
            ruling: The ruling that caused the step; None if no ruling did.

        Raises:
            Exception: It cannot be written. Then nothing of the step may be stored.
        """
        if not step.effects:
            return PreparedStep(step, (), _NONE_UNDELIVERED, ruling)
        after = step.after
        context = SendingContext(
            provider=step.provider,
            place=MessagePlace(step.item, step.entry.partition, batch.now_ms),
            after=after if isinstance(after, ReceivedItem) else after.conversation,
            pack=batch.law.context.disclosure_filter.pack.reference,
            receiving=batch.receiving,
            law=law,
            ruling=ruling,
            limits=batch.limits,
            root=step.root,
            pinned=batch.pinned,
        )
        written = [self._messages.write(effect, context) for effect in step.effects]
        records = tuple(record for each in written for record in each.records)
        undelivered = frozenset(place for place, each in enumerate(written) if not each.is_delivered)
        return PreparedStep(step, records, undelivered, ruling)

    def keep_record(
        self,
        record: ConsumedRecord,
        prepare: Callable[[], Sequence[PreparedStep]],
        batch: ConversationBatch,
        from_state: str = "",
        reserved: int = RESERVED_BYTES,
    ) -> Sequence[PreparedStep] | None:
        """Store what a record has changed; if any of it fails, refuse the record and return None.

        Args:
            record: The record.
            prepare: Returns the steps that it causes.
            batch: The batch.
            from_state: The other State that has written it; "" if it is one of the State's own.
            reserved: How much of an entry it must leave free, in bytes.
        """
        try:
            prepared = prepare()
            entries = [_encode_changed(each.step, reserved) for each in prepared]  # before any of it is stored
        except Exception as error:  # noqa: BLE001 what somebody wrote must never stop what follows
            self.refuse(record, error, batch, from_state)
            return None
        result, outcome = batch.result, ConversationOutcome.UNCHANGED
        for each, entry in zip(prepared, entries, strict=True):
            if entry is not None:
                outcome = ConversationOutcome.CHANGED
                batch.entries.keep_entry(each.step.entry, entry)
                result.kept.append(KeptState(each.step.entry, len(result.outcomes)))
            self._write(each, batch)
        result.outcomes.append(outcome)
        return prepared

    def keep_due(self, prepared: PreparedStep, batch: ConversationBatch, now_ms: int) -> None:
        """Store what time has changed, or forget an item about which nothing needs to be known any longer.

        Args:
            prepared: The step.
            batch: The batch.
            now_ms: The instant to which time has passed, in UTC milliseconds.

        Raises:
            InputError: The entry would become too large to be stored.
        """
        entry, after = prepared.step.entry, prepared.step.after
        if isinstance(after, ReceivedItem):
            is_over = is_received_forgettable(after, now_ms)
        else:
            is_over = is_forgettable(after.conversation, now_ms)
        if is_over:
            batch.entries.forget(entry)
        else:
            batch.entries.keep(entry.partition, after)
        self._write(prepared, batch)
        batch.result.kept.append(KeptState(entry, None))

    def refuse(
        self, record: ConsumedRecord, error: Exception, batch: ConversationBatch, from_state: str = ""
    ) -> None:  # fmt: skip
        """Quarantine a record by reference; arguments as for `keep_record`."""
        refused = describe_refusal(record, error)._replace(claimed_state=from_state)
        batch.result.outputs.append(build_quarantine_record(refused, self._state, batch.now_ms, self._framing))
        batch.result.outcomes.append(ConversationOutcome.REFUSED)
        batch.result.refused.append(refused)

    def _write(self, prepared: PreparedStep, batch: ConversationBatch) -> None:
        result = batch.result
        for record in prepared.records:
            result.sent.append(len(result.outputs))
            result.outputs.append(record)
        if prepared.step.effects:
            self._acts.write(prepared.step, batch, prepared.ruling, prepared.undelivered)
        before, after = prepared.step.before, prepared.step.after
        if isinstance(before, KeptConversation) and isinstance(after, KeptConversation):
            result.followed += list_followed(
                prepared.step.entry.partition,
                before.conversation,
                after.conversation,
                cast("tuple[Effect, ...]", prepared.step.effects),  # those of an item of the State's own
                prepared.undelivered,
            )


def require_size(step: Step) -> None:
    """Refuse what is too large to be stored.

    Raises:
        InputError: It is.
    """
    _encode_changed(step, RESERVED_BYTES)


def _encode_changed(step: Step, reserved: int) -> bytes | None:
    """Return the entry of a step that has changed something; None if it has not.

    Raises:
        InputError: It does not leave that many bytes free.
    """
    if not step.is_changed:
        return None
    after = step.after
    entry = encode_received(after) if isinstance(after, ReceivedItem) else encode_conversation(after)
    return require_entry_size(entry, reserved)
