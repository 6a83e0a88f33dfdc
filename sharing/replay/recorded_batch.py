"""A batch of recorded indicators, whatever it was read from, and which of its records are admitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sharing.columnar.column_batch import ColumnBatch
from sharing.columnar.indicators import IndicatorReader
from sharing.errors import InputError
from sharing.model.indicator_record import WireRecord
from sharing.replay.admission import AdmissionStats

ProgressCallback = Callable[[int], object]
"""Called with the progress: bytes of the files, or offsets of the topic."""

LocatedRecord = tuple[str, WireRecord | InputError]
"""The location of a record, and the record or why it cannot be read."""


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """Recorded indicators in order. They can be read in columnar form or record by record.

    Attributes:
        source: The file or topic.
        size: Number of records; 0 if they can only be read record by record.
        read_columns: Reads the clearly valid records in columnar form, as of a time in UTC milliseconds.
        iter_records: Yields the records in order, before admission (`AdmissionStats.admit`).
    """

    source: str
    size: int
    read_columns: Callable[[IndicatorReader, int], Iterable[ColumnBatch]]
    iter_records: Callable[[], Iterator[LocatedRecord]]


def admit_records(batches: Iterable[RecordedBatch], admission: AdmissionStats) -> Iterator[WireRecord]:
    """Yield the records that are admitted; the others are counted as rejected."""
    for batch in batches:
        for location, result in batch.iter_records():
            record = admission.admit_or_count(batch.source, location, result)
            if record is not None:
                yield record
