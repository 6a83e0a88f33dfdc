"""Reads recorded indicators from Avro object container files. What follows damage is lost, and is reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from sharing.columnar.column_batch import ColumnBatch
from sharing.columnar.indicators import IndicatorReader
from sharing.errors import InputError
from sharing.replay.avro_containers import ContainerBlock, DamagedContainerError, read_blocks
from sharing.replay.recorded_batch import LocatedRecord, ProgressCallback, RecordedBatch

_BATCH_RECORDS = 5_000


def read_container(file: IO[bytes], name: str, report_progress: ProgressCallback) -> Iterator[RecordedBatch]:
    """Yield batches of some thousands of records. Damage is reported after the records before it, and ends reading."""
    progress = _ContainerProgress(name)
    blocks: list[ContainerBlock] = []
    try:
        for block in read_blocks(file, name):
            blocks.append(block)
            if sum(read.record_count for read in blocks) >= _BATCH_RECORDS:
                yield progress.make_batch(blocks)
                if progress.is_damaged:
                    return
                report_progress(file.tell())
                blocks = []
    except DamagedContainerError as error:
        yield progress.make_batch(blocks)
        if not progress.is_damaged:
            yield progress.make_batch([], error)
    else:
        yield progress.make_batch(blocks)


@dataclass(slots=True)
class _ContainerProgress:
    """The progress of reading a container.

    Attributes:
        done: Number of records in the batches made so far.
        is_damaged: Whether damage was found, so that reading ends.
    """

    name: str
    done: int = 0
    is_damaged: bool = False

    def make_batch(
        self, blocks: Sequence[ContainerBlock], damage: DamagedContainerError | None = None
    ) -> RecordedBatch:
        """Return the next blocks as a batch.

        Args:
            blocks: The next blocks.
            damage: The damage that follows them, if any.
        """
        first, self.done = self.done, self.done + sum(block.record_count for block in blocks)
        current = [block.current_schema_block for block in blocks if block.current_schema_block is not None]

        def read_columns(reader: IndicatorReader, now_ms: int) -> Iterable[ColumnBatch]:
            return reader.read_blocks(current, now_ms) if current else ()

        return RecordedBatch(
            self.name, self.done - first, read_columns, lambda: self._iter_records(blocks, first, damage)
        )

    def _iter_records(
        self, blocks: Sequence[ContainerBlock], first: int, damage: DamagedContainerError | None
    ) -> Iterator[LocatedRecord]:
        number = first
        try:
            for block in blocks:
                for record in block.iter_records():
                    number += 1
                    yield f"record {number}", record
            if damage is not None:
                raise damage
        except DamagedContainerError as error:
            self.is_damaged = True
            reason = f"the rest of the file is damaged ({error}); record it again"
            yield f"after record {number}", InputError(reason)
