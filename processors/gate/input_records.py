"""The input of a gate: consumed records, with their keys, values and partitions read once, and sealed ones opened."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc

from processors.exactly_once.batch import ConsumedRecord
from sharing.seal.faults import SealError

_T = TypeVar("_T")

OpenAmendment = Callable[[bytes, bytes], bytes]
"""Opens the value of an amendment with this key. Raises a `SealError` if it is refused."""

OpenValues = Callable[
    [Sequence[bytes | None], Sequence[bytes | None]], tuple[Sequence[bytes | None], Mapping[int, SealError]]
]
"""Opens the values of records with these keys: returns the opened values, and by position why some are refused."""


class AmendmentSource(NamedTuple):
    """The source of amendments.

    Attributes:
        topic: Their topic.
        open: Opens one.
    """

    topic: str
    open: OpenAmendment


@dataclass(frozen=True, slots=True)
class InputRecords:
    """Records of a batch, or of a part of it.

    Attributes:
        messages: The records.
        keys: Their keys.
        values: Their values, opened if they were sealed; None for one that is empty or refused. `messages` has the
            values as they were received.
        partitions: The partitions that they were read from.
        partition_count: Number of partitions of each topic that is read; 0 if unknown.
        refusals: Why a record is refused before anything of it is read, by its position.
        amendments: The records that are amendments, opened, by their position. They have no value in `values`: they are
            processed on the record path. None for one that is empty or refused.
    """

    messages: Sequence[ConsumedRecord]
    keys: list[bytes | None]
    values: Sequence[bytes | None] = field(repr=False)
    partitions: array[int]
    partition_count: int = 0
    refusals: Mapping[int, SealError] = field(default_factory=dict)
    amendments: Mapping[int, bytes | None] = field(default_factory=dict, repr=False)

    @classmethod
    def read(
        cls,
        messages: Iterable[ConsumedRecord],
        partition_count: int = 0,
        open_values: OpenValues | None = None,
        partitions: array[int] | None = None,
        amendment_source: AmendmentSource | None = None,
    ) -> InputRecords:
        """Return these records with their keys, values and partitions.

        Args:
            messages: The records.
            partition_count: Number of partitions of each topic that is read; 0 if unknown.
            open_values: Opens sealed values; None if none is sealed.
            partitions: The partition of each record; None to read it from the records.
            amendment_source: The source of amendments; None if none are read.
        """
        messages = list(messages)
        if partitions is None:
            partitions = array("I", [message.partition() for message in messages])
        keys = [message.key() for message in messages]
        received: list[bytes | None] = [message.value() for message in messages]
        amendments: Mapping[int, bytes | None] = {}
        refused: Mapping[int, SealError] = {}
        if amendment_source is not None:
            amendments, refused = _take_amendments(amendment_source, messages, keys, received)
        values: Sequence[bytes | None] = received
        refusals: Mapping[int, SealError] = {}
        if open_values is not None:
            values, refusals = open_values(received, keys)
        if refused:
            refusals = {**refusals, **refused}
        return cls(messages, keys, values, partitions, partition_count, refusals, amendments)

    def __len__(self) -> int:
        return len(self.messages)

    def slice(self, start: int, stop: int) -> InputRecords:
        """Return the records from a position up to another one, which is excluded."""
        if start <= 0 and stop >= len(self):
            return self
        return InputRecords(
            self.messages[start:stop],
            self.keys[start:stop],
            self.values[start:stop],
            self.partitions[start:stop],
            self.partition_count,
            _shift(self.refusals, start, stop),
            _shift(self.amendments, start, stop),
        )

    def group_keys(self) -> dict[int, set[bytes]]:
        """Return the distinct keys of each partition."""
        groups: dict[int, set[bytes | None]] = defaultdict(set)
        for partition, start, end in iter_runs(self.partitions):
            groups[partition].update(self.keys[start:end])
        for keys in groups.values():
            keys.discard(None)
        return cast("dict[int, set[bytes]]", groups)


def _take_amendments(
    source: AmendmentSource,
    messages: Sequence[ConsumedRecord],
    keys: Sequence[bytes | None],
    values: list[bytes | None],
) -> tuple[dict[int, bytes | None], dict[int, SealError]]:
    """Open the amendments among records, and take them out of the values. Return them, and why some are refused."""
    topics = [message.topic() for message in messages]
    amendments: dict[int, bytes | None] = {}
    refused: dict[int, SealError] = {}
    if source.topic not in topics:  # nearly always
        return amendments, refused
    for position, topic in enumerate(topics):
        if topic == source.topic:
            value, values[position] = values[position], None
            amendments[position] = None
            try:
                amendments[position] = None if value is None else source.open(value, keys[position] or b"")
            except SealError as error:
                refused[position] = error
    return amendments, refused


def _shift(by_position: Mapping[int, _T], start: int, stop: int) -> Mapping[int, _T]:
    """Return the entries for the positions from one up to another, by the position relative to `start`."""
    if not by_position:
        return by_position
    return {position - start: each for position, each in by_position.items() if start <= position < stop}


def iter_runs(partitions: array[int]) -> Iterator[tuple[int, int, int]]:
    """Yield runs of equal partitions: the partition, the first position, and the position after the last."""
    runs = pc.run_end_encode(to_column(partitions), pa.int32())
    ends = runs.run_ends.to_pylist()
    yield from zip(runs.values.to_pylist(), [0, *ends], ends, strict=False)


def to_column(partitions: array[int]) -> pa.Array:
    """Return partitions as an Arrow array, without copying them."""
    return pa.Array.from_buffers(pa.uint32(), len(partitions), [None, pa.py_buffer(partitions)])
