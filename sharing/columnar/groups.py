"""Items that are alike: what depends on their shared fields, and on what their values point to, is made once for all.

A cohort shares every field but those that are an item's own. Of these only the value matters further: which States
it points to. So whatever is decided of an item is made once for a cohort and what a value points to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from sharing.columnar.indicators import ColumnBatch, IndicatorReader
from sharing.columnar.values import MISSHAPEN, ValueReader
from sharing.errors import InputError
from sharing.model.record import check_shared
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import Evidence

log = logging.getLogger(__name__)

T = TypeVar("T")

Make = Callable[[Mapping[str, Any], int, tuple[Evidence, ...]], T | None]
"""From an item of a cohort, the instant in UTC milliseconds at which its retention counts, and what a value points to.

None where such items are to be taken one by one. Of the item only shared fields and its retention may be read.
"""

COHORTS_MAX = 20_000
"""A bound against a flood of items of which none is like another: some 100 MB. They are then begun anew."""


@dataclass(frozen=True, slots=True)
class ItemGroup(Generic[T]):
    """Items that share all but their own fields.

    Attributes:
        record: One of them. Its own fields say nothing of the others.
        seen_ms: When it was seen first, in UTC milliseconds: then its retention had expired as that of all others has.
        made: By what a value points to; None where such items are to be taken one by one.
    """

    record: Mapping[str, Any]
    seen_ms: int
    made: dict[tuple[Evidence, ...], T | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupedRows(Generic[T]):
    """What was made for the rows of a part.

    Attributes:
        made: For each kind of row; the same may stand for several. None where rows are to be taken one by one.
        codes: For each row the index in `made`.
    """

    made: Sequence[T | None]
    codes: pa.Array

    def rows(self) -> Iterator[T | None]:
        """Yield for each row what was made for it."""
        return map(self.made.__getitem__, self.codes.to_pylist())

    def counts(self) -> Iterator[tuple[T | None, int]]:
        """Yield what was made, with the number of its rows; the same may come several times."""
        codes, counts = (column.to_pylist() for column in pc.value_counts(self.codes).flatten())
        return zip(map(self.made.__getitem__, codes), counts, strict=True)

    def rows_where(self, test: Callable[[T], bool]) -> Iterator[tuple[int, T]]:
        """Yield the rows of which something was made that passes a test, in their order, with what was made."""
        chosen = {code: each for code, each in enumerate(self.made) if each is not None and test(each)}
        rows = pc.indices_nonzero(pc.is_in(self.codes, pa.array(list(chosen), self.codes.type)))
        codes = self.codes.take(rows).to_pylist()
        return zip(rows.to_pylist(), map(chosen.__getitem__, codes), strict=True)


class ItemGroups(Generic[T]):
    """Cohorts of one State's items, seen under one law and directory.

    Args:
        state: The State whose items they are.
        finder: Tells what a value points to.
        reader: Read the parts.
        make: Makes what all items of a cohort have whose values point to the same States.
    """

    def __init__(self, state: str, finder: AudienceFinder, reader: IndicatorReader, make: Make[T]) -> None:
        self._state = state
        self._reader = reader
        self._values = ValueReader(finder)
        self._make = make
        self._seen: dict[tuple[bytes, bool], ItemGroup[T] | None] = {}

    def find(self, part: ColumnBatch, now_ms: int) -> GroupedRows[T]:
        """Return what was made for the rows; None for those that are to be taken alone, or to be refused.

        Args:
            part: Of a batch.
            now_ms: The instant of the batch, in UTC milliseconds.
        """
        cohorts, numbers = self._find(part, now_ms), self._values.read(part.types, part.values)
        width = len(self._values.evidence) - MISSHAPEN
        pairs = pc.add(pc.multiply(part.codes.cast(pa.int64()), width), pc.subtract(numbers, MISSHAPEN))
        kinds = pairs.dictionary_encode()
        both = [divmod(pair, width) for pair in kinds.dictionary.to_pylist()]
        made = [self._make_once(cohorts[code], number + MISSHAPEN) for code, number in both]
        return GroupedRows(made, kinds.indices)

    def _make_once(self, cohort: ItemGroup[T] | None, number: int) -> T | None:
        """Return what all items of a cohort have whose values point to the same States."""
        if cohort is None or number == MISSHAPEN:
            return None
        evidence = self._values.evidence[number]
        if evidence not in cohort.made:
            cohort.made[evidence] = self._try(cohort, evidence)
        return cohort.made[evidence]

    def _find(self, part: ColumnBatch, now_ms: int) -> list[ItemGroup[T] | None]:
        if len(self._seen) > COHORTS_MAX:
            self._seen.clear()
        strange = [code for code, key in enumerate(part.alike) if key not in self._seen]
        if strange:
            codes = part.codes.to_pylist()
            first = dict(zip(reversed(codes), reversed(range(len(codes))), strict=True))
            records = self._reader.examples(part, [first[code] for code in strange])
            for code, record in zip(strange, records, strict=True):
                self._seen[part.alike[code]] = self._admit(record, now_ms)
        return [self._seen[key] for key in part.alike]

    def _admit(self, record: Mapping[str, Any], now_ms: int) -> ItemGroup[T] | None:
        """Return the cohort of an item; None where what it shares is refused: the reference path says why."""
        try:
            check_shared(record)
        except (InputError, LookupError, TypeError, ValueError):
            return None
        return ItemGroup(record, now_ms) if record["source"]["state"] == self._state else None

    def _try(self, cohort: ItemGroup[T], evidence: tuple[Evidence, ...]) -> T | None:
        try:
            return self._make(cohort.record, cohort.seen_ms, evidence)
        except Exception as error:  # noqa: BLE001 it fails again on the reference path, which says why
            log.debug("a cohort is taken one by one: %s", type(error).__name__)
            return None
