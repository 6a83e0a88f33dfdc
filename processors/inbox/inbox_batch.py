"""One batch of the inbox, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from processors.inbox.inbox_result import InboxResult, is_conserved
from sharing.errors import SharingError

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch, OutputRecord
    from processors.inbox.inbox_processor import InboxKeys, InboxProcessor
    from processors.inbox.inbox_state import InboxState

PART_RECORDS: Final = 1_000
"""How many records are opened before their outputs are handed over: they are in memory together."""


class InboxConservationError(SharingError):
    """A record of the batch is missing or counted twice: a defect in this code. None of the batch is committed."""

    exit_code = 1


def open_batch(
    processor: InboxProcessor, memory: InboxState, batch: Batch, keys: InboxKeys, result: InboxResult
) -> Iterator[OutputRecord]:
    """Yield the outputs of a batch, and add what became of its records to `result`, which keeps no output.

    Args:
        processor: Opens the messages.
        memory: What is remembered.
        batch: The batch. One without records only finds what is overdue.
        keys: The keys.
        result: Receives the counts.

    Raises:
        InboxConservationError: The batch is not conserved. The transaction must be aborted.
        SealError: Nothing can be sealed for the readers.
    """
    if batch.store_view is None:
        raise InboxConservationError("the inbox has no state store")
    state = memory.open_batch(batch.store_view, batch.now_ms)
    messages, unreadable = batch.messages, batch.unreadable
    for start in range(0, max(len(messages), 1), PART_RECORDS):
        records = messages[start : start + PART_RECORDS]
        unread = unreadable if start == 0 else ()
        part = processor.process_batch(records, state, keys, batch.now_ms, unread)
        if not is_conserved(records, len(unread), part):
            raise InboxConservationError("a batch of the inbox is not conserved: a record is missing or counted twice")
        result.add_counts(part)
        yield from (part.outputs[place] for place in sorted(part.outputs))
        del part  # before the next part is computed
    if len(result.outcomes) != len(messages) + len(unreadable):
        raise InboxConservationError("a batch of the inbox is not conserved: its parts do not match the batch")
    state.save()
    result.overdue = memory.list_overdue(batch.now_ms)
