"""The input of a gate: consumed records, with their keys and partitions read once."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from processors.exactly_once.batch import ConsumedRecord


@dataclass(frozen=True, slots=True)
class InputRecords:
    """Records of a batch, or of a part of it.

    Attributes:
        messages: The records.
        keys: Their keys.
        partitions: The partitions that they were read from.
        partition_count: Number of partitions of each topic that is read; 0 if unknown.
    """

    messages: Sequence[ConsumedRecord]
    keys: Sequence[bytes | None]
    partitions: array[int]
    partition_count: int = 0

    @classmethod
    def read(cls, messages: Iterable[ConsumedRecord], partition_count: int = 0) -> InputRecords:
        """Return these records with their keys and partitions."""
        messages = list(messages)
        partitions = array("I", [message.partition() for message in messages])
        return cls(messages, [message.key() for message in messages], partitions, partition_count)

    def __len__(self) -> int:
        return len(self.messages)

    def slice(self, start: int, stop: int) -> InputRecords:
        """Return the records from a position up to another one, which is excluded."""
        if start <= 0 and stop >= len(self):
            return self
        return InputRecords(
            self.messages[start:stop], self.keys[start:stop], self.partitions[start:stop], self.partition_count
        )

    def group_keys(self) -> dict[int, set[bytes]]:
        """Return the distinct keys of each partition."""
        groups: dict[int, set[bytes | None]] = defaultdict(set)
        for partition, start, end in iter_runs(self.partitions):
            groups[partition].update(self.keys[start:end])
        for keys in groups.values():
            keys.discard(None)
        return cast("dict[int, set[bytes]]", groups)


def iter_runs(partitions: array[int]) -> Iterator[tuple[int, int, int]]:
    """Yield runs of equal partitions: the partition, the first position, and the position after the last."""
    runs = pc.run_end_encode(to_column(partitions), pa.int32())
    ends = runs.run_ends.to_pylist()
    yield from zip(runs.values.to_pylist(), [0, *ends], ends, strict=False)


def to_column(partitions: array[int]) -> pa.Array:
    """Return partitions as an Arrow array, without copying them."""
    return pa.Array.from_buffers(pa.uint32(), len(partitions), [None, pa.py_buffer(partitions)])
