"""Tells agencies what became of their items: in blocks, one for each topic and input partition of a batch.

A block has a row for each record of the batch, in their order, so it is checked before it is written: each record is in
exactly one row, or belongs to an agency that has no topic.
"""

from __future__ import annotations

import struct
from binascii import unhexlify
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast, final

from processors.exactly_once.batch import ConservationError, OutputRecord
from processors.gate.input_records import iter_runs
from processors.gate.outcome_tags import find_block_limit
from sharing.outcomes.block_writing import ID_BYTES, SCHEMA, BlockPlace, RowTag, iter_blocks
from sharing.outcomes.outcome import OutcomeWriter
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import OUTCOMES

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch, OutputLimits
    from processors.gate.batch_result import BatchResult
    from sharing.model.decision import PackReference


@final
class OutcomeTopics:
    """The topics from which the agencies of a State learn what became of their items.

    Args:
        state: The State.
        agencies: The agencies that have topics of their own; empty if all share one.
    """

    def __init__(self, state: str, agencies: Collection[str] = ()) -> None:
        self.state = state
        self._shared = None if agencies else OUTCOMES.topic(state)
        self._own = {agency: OUTCOMES.topic(state, agency) for agency in agencies}

    def find(self, agency: str) -> str | None:
        """Return the topic of an agency; None if it has none: each of the other topics is read by one other agency.

        Args:
            agency: The agency; "" if it is not known.
        """
        return self._shared or self._own.get(agency)


@dataclass(slots=True)
class _Rows:
    """The rows of one partition.

    Attributes:
        keys: The key of each record.
        tags: What else is in each row.
    """

    keys: list[bytes | None] = field(default_factory=list)
    tags: list[RowTag] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OutcomeBlocks:
    """Where blocks are written, and how.

    Attributes:
        topics: The topics.
        framing: The framing of records.
    """

    topics: OutcomeTopics
    framing: Framing = SINGLE_OBJECT_FRAMING


class BatchOutcomes:
    """The outcomes of one batch of the gate.

    Args:
        blocks: Where they are written; None if nothing is reported.
        batch: The batch.
        pack: The law that it applies.
        limits: How large outputs may be.
    """

    def __init__(self, blocks: OutcomeBlocks | None, batch: Batch, pack: PackReference, limits: OutputLimits) -> None:
        self._blocks = blocks
        self._batch = batch
        self._pack = pack
        self._limits = limits
        self._rows: dict[int, _Rows] = defaultdict(_Rows)

    def add_part(self, part: BatchResult) -> None:
        """Add the records of a finished part, which follow those added before.

        Raises:
            ConservationError: A record of the part has no outcome.
        """
        if self._blocks is None:
            return
        outputs = part.outputs
        if len(outputs.tags) != len(outputs.keys) or not all(outputs.tags):
            raise ConservationError("a batch is not conserved: a record has no outcome for its agency")
        for partition, start, end in iter_runs(outputs.partitions):
            rows = self._rows[partition]
            rows.keys += outputs.keys[start:end]
            rows.tags += cast("list[RowTag]", outputs.tags[start:end])

    def add_unreadable(self, part: BatchResult) -> None:
        """Add what could not be read: one row each.

        Raises:
            ConservationError: Something that could not be read has no outcome.
        """
        if self._blocks is None:
            return
        tags = part.outputs.tags
        if len(tags) != len(self._batch.unreadable):
            raise ConservationError("a batch is not conserved: what could not be read has no outcome")
        for unreadable, tag in zip(self._batch.unreadable, tags, strict=True):
            if tag is not None:
                rows = self._rows[unreadable.partition]
                rows.keys.append(None)
                rows.tags.append(tag)

    def finish(self, result: BatchResult) -> Iterator[OutputRecord]:
        """Yield the blocks.

        Args:
            result: The result of the whole batch.

        Raises:
            ConservationError: A record of the batch is in no row, or in several. The transaction must be aborted.
        """
        if self._blocks is None:
            return
        counts = Counter[RowTag]()
        for told in self._rows.values():
            counts.update(told.tags)
        rows = counts.total()
        decided = sum(count for tag, count in counts.items() if tag.is_decided)
        counted = result.outcomes.total(), result.quarantined.total()
        if (decided, rows - decided) != counted or rows != len(self._batch.messages) + len(self._batch.unreadable):
            raise ConservationError("a batch is not conserved: its records and the outcomes for their agencies differ")
        for partition, told in sorted(self._rows.items()):
            state = self._blocks.topics.state
            place = BlockPlace(state, OutcomeWriter.GATE, partition, self._batch.now_ms, self._pack)
            yield from write_blocks(self._blocks, place, _pack_ids(told), told.tags, find_block_limit(self._limits))


def write_blocks(
    blocks: OutcomeBlocks, place: BlockPlace, ids: Sequence[bytes], tags: Sequence[RowTag], bytes_max: int
) -> Iterator[OutputRecord]:
    """Yield the records with these rows, for each topic by itself. Rows of an agency without a topic are left out.

    Args:
        blocks: The topics, and how records are framed.
        place: Where the rows belong.
        ids: The id of each row, as bytes.
        tags: What else is in each row.
        bytes_max: How large a block may be, in bytes.
    """
    topic_of = {tag: blocks.topics.find(tag.agency) for tag in dict.fromkeys(tags)}
    header = blocks.framing.get_header(SCHEMA)
    for topic in sorted({topic for topic in topic_of.values() if topic is not None}):
        chosen_ids, chosen_tags = ids, tags
        if any(other != topic for other in topic_of.values()):
            chosen = [place for place, tag in enumerate(tags) if topic_of[tag] == topic]
            chosen_ids, chosen_tags = [ids[row] for row in chosen], [tags[row] for row in chosen]
        for block in iter_blocks(place, chosen_ids, chosen_tags, bytes_max=bytes_max - len(header)):
            yield OutputRecord(topic, None, header + block, None, place.partition)


def _pack_ids(rows: _Rows) -> Sequence[bytes]:
    """Return the id of each row as bytes. The key of a decided record is its id: a UUID of 36 characters.

    Raises:
        ConservationError: It is not.
    """
    keys = rows.keys
    if any(tag.id is not None for tag in dict.fromkeys(rows.tags)):
        keys = [key if tag.id is None else tag.id.hex().encode() for key, tag in zip(keys, rows.tags, strict=True)]
    try:
        packed = unhexlify(b"".join(cast("list[bytes]", keys)).translate(None, b"-"))
        return struct.unpack(f"{ID_BYTES}s" * len(keys), packed)
    except (TypeError, ValueError, struct.error):
        raise ConservationError("a batch is not conserved: the key of a decided record is not an id") from None
