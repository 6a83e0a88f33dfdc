"""Item groups: results that items with the same shared fields share.

A result that depends only on an item's shared fields and its nexus evidence is computed once per group and evidence.

The items of a group share every field except the item fields (`sharing.columnar.indicators.ITEM_FIELDS`). Of these,
three things affect a decision: the value, through the States it points to; whether the retention has expired; and
whether an emergency names an officer and a reason. The latter two are part of the group key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from sharing.columnar.column_batch import ColumnBatch, GroupKey
from sharing.columnar.indicators import IndicatorReader, encode_pairs
from sharing.columnar.values import INVALID, ValueReader
from sharing.errors import InputError
from sharing.model.indicator_record import check_shared_fields
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import NexusEvidence

log = logging.getLogger(__name__)

T = TypeVar("T")

ResultFactory = Callable[[Mapping[str, Any], int, tuple[NexusEvidence, ...]], T | None]
"""Computes the result for an item group and nexus evidence.

Args:
    sample: One item of the group. The factory may read only the item's shared fields, its retention, and its effective
        urgency.
    now_ms: The processing time at which the retention is evaluated, in UTC milliseconds.
    evidence: The nexus evidence.

Returns None if these items must take the record path.
"""

ITEM_GROUPS_MAX = 20_000
"""Maximum number of groups (about 100 MB). When it is exceeded, all groups are dropped."""

GROUP_KEY_BYTES_MAX = 3_000_000
"""Maximum length of the keys of all groups together, for groups with long fields. More groups are created later.

The samples of the groups need ten to thirty times as much memory as their keys.
"""


@dataclass(frozen=True, slots=True)
class ItemGroup(Generic[T]):
    """Items that share every field except the item fields.

    Attributes:
        sample: One of the items. Its item fields say nothing about the other items.
        first_seen_ms: The processing time of the batch with the first item, in UTC milliseconds. Whether the retention
            had expired at this time is the same for every item in the group.
        results: Results by nexus evidence; None where items must take the record path.
    """

    sample: Mapping[str, Any]
    first_seen_ms: int
    results: dict[tuple[NexusEvidence, ...], T | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowResults(Generic[T]):
    """The results for the first rows of a column batch, often for all of them.

    Attributes:
        results: Result of each kind of row. Several kinds may share one. None where rows must take the record path.
        result_codes: For each row, the index of its result.
    """

    results: Sequence[T | None]
    result_codes: pa.Array

    def __len__(self) -> int:
        return len(self.result_codes)

    def slice(self, start: int, stop: int) -> RowResults[T]:
        """Return the results of the rows from one up to another, which is excluded."""
        return RowResults(self.results, self.result_codes[start:stop])

    def leave_out(self, rows: Sequence[int]) -> RowResults[T]:
        """Return the results without those of some rows, which must take the record path."""
        if not rows:
            return self
        codes = self.result_codes.to_pylist()
        for row in rows:
            codes[row] = len(self.results)
        return RowResults([*self.results, None], pa.array(codes, self.result_codes.type))

    def get_result(self, row: int) -> T | None:
        """Return the result of a row."""
        code: int = self.result_codes[row].as_py()
        return self.results[code]

    def list_rows_without_result(self) -> list[int]:
        """Return the rows without a result, in order."""
        codes = [code for code, result in enumerate(self.results) if result is None]
        if not codes:
            return []
        missing = pc.is_in(self.result_codes, pa.array(codes, self.result_codes.type))
        return list(pc.indices_nonzero(missing).to_pylist())

    def iter_results(self) -> Iterator[T | None]:
        """Yield the result of each row."""
        return map(self.results.__getitem__, self.result_codes.to_pylist())

    def count_by_result(self) -> Iterator[tuple[T | None, int]]:
        """Yield results with their number of rows. The same result may occur several times."""
        codes, counts = (column.to_pylist() for column in pc.value_counts(self.result_codes).flatten())
        return zip(map(self.results.__getitem__, codes), counts, strict=True)

    def select_rows(self, predicate: Callable[[T], bool]) -> Iterator[tuple[int, T]]:
        """Yield, in order, the rows whose result satisfies a predicate, with their results."""
        selected = {
            code: result for code, result in enumerate(self.results) if result is not None and predicate(result)
        }
        rows = pc.indices_nonzero(pc.is_in(self.result_codes, pa.array(list(selected), self.result_codes.type)))
        codes = self.result_codes.take(rows).to_pylist()
        return zip(rows.to_pylist(), map(selected.__getitem__, codes), strict=True)


class ItemGroups(Generic[T]):
    """The item groups of one State, under one law and directory.

    Args:
        state: The State of the items.
        finder: Derives the nexus evidence from values.
        reader: The reader that built the column batches.
        make_result: Computes the result for a group and nexus evidence.
        weigh: Returns the approximate memory of a result, in bytes.
        weight_max: Approximate limit of the memory for results, in bytes. When it is exceeded, all results are
            dropped.
    """

    def __init__(
        self,
        state: str,
        finder: AudienceFinder,
        reader: IndicatorReader,
        make_result: ResultFactory[T],
        weigh: Callable[[T], int] = lambda _: 0,
        weight_max: int = 0,
    ) -> None:
        self._state = state
        self._reader = reader
        self._values = ValueReader(finder)
        self._make_result = make_result
        self._weigh = weigh
        self._weight_max = weight_max
        self._weight = 0
        self._key_bytes = 0
        self._groups: dict[GroupKey, ItemGroup[T] | None] = {}

    def resolve_rows(self, batch: ColumnBatch, now_ms: int) -> RowResults[T]:
        """Return the results for the rows; None for rows that must take the record path.

        Results for the remaining rows are left out as soon as new results exceed the memory limit. There is a result
        for at least one row.

        Args:
            batch: The rows.
            now_ms: The processing time of the batch, in UTC milliseconds.
        """
        groups = self._find_groups(batch, now_ms)
        evidence_codes = self._values.resolve_evidence(batch.types, batch.values)
        shifted_codes = pc.subtract(evidence_codes, INVALID)  # codes start at `INVALID`, which is negative
        pairs, pair_codes = encode_pairs(batch.group_codes, shifted_codes, len(self._values.evidence) - INVALID)
        results: list[T | None] = []
        weight_before = self._weight
        for group_code, evidence in pairs:  # in the order of their first rows
            if results and (self._weight - weight_before > self._weight_max or group_code not in groups):
                return RowResults(results, pair_codes[: pc.index(pair_codes, len(results)).as_py()])
            results.append(self._get_result(groups[group_code], evidence + INVALID))
        return RowResults(results, pair_codes)

    def iter_results(self, batch: ColumnBatch, now_ms: int) -> Iterator[T | None]:
        """Yield the result of each row, however much memory results and groups need.

        Args:
            batch: The rows.
            now_ms: The processing time of the batch, in UTC milliseconds.
        """
        count = len(batch.positions)
        done = 0
        while done < count:
            results = self.resolve_rows(batch.slice(done, count), now_ms)
            yield from results.iter_results()
            done += len(results)

    def _get_result(self, group: ItemGroup[T] | None, evidence_code: int) -> T | None:
        """Return the result for a group and nexus evidence. It is computed once."""
        if group is None or evidence_code == INVALID:
            return None
        evidence = self._values.evidence[evidence_code]
        if evidence not in group.results:
            result = group.results[evidence] = self._compute_result(group, evidence)
            self._weight += 0 if result is None else self._weigh(result)
        return group.results[evidence]

    def _find_groups(self, batch: ColumnBatch, now_ms: int) -> dict[int, ItemGroup[T] | None]:
        """Return the groups of a batch by their codes; None where shared fields are rejected.

        Missing ones are created in the order of the rows; those that exceed the memory limit are left out.
        """
        self._create_groups(batch, now_ms)
        known = self._groups
        return {code: known[key] for code, key in enumerate(batch.group_keys) if key in known}

    def _create_groups(self, batch: ColumnBatch, now_ms: int) -> None:
        """Create the missing groups of a batch, in the order of its rows."""
        if len(self._groups) > ITEM_GROUPS_MAX or self._key_bytes > GROUP_KEY_BYTES_MAX:
            self._groups.clear()
            self._weight = self._key_bytes = 0
        elif self._weight > self._weight_max:
            self._drop_results()
        missing_codes = [code for code, key in enumerate(batch.group_keys) if key not in self._groups]
        if missing_codes:
            codes = batch.group_codes.to_pylist()
            # The last write wins, so each code keeps its first row. A slice of a batch may have no row of a code.
            first_rows = dict(zip(reversed(codes), reversed(range(len(codes))), strict=True))
            new_codes = self._limit_codes(batch, sorted(first_rows.keys() & missing_codes, key=first_rows.__getitem__))
            records = self._reader.to_records(batch, [first_rows[code] for code in new_codes])
            for code, record in zip(new_codes, records, strict=True):
                self._groups[batch.group_keys[code]] = self._create_group(record, now_ms)

    def _limit_codes(self, batch: ColumnBatch, codes: Sequence[int]) -> list[int]:
        """Return the first of these codes of new groups, as far as the keys have room; at least one."""
        limited: list[int] = []
        for code in codes:
            if limited and self._key_bytes > GROUP_KEY_BYTES_MAX:
                break
            limited.append(code)
            self._key_bytes += len(batch.group_keys[code][0])
        return limited

    def _drop_results(self) -> None:
        """Drop all results, but keep the groups, whose samples are small."""
        for group in self._groups.values():
            if group is not None:
                group.results.clear()
        self._weight = 0

    def _create_group(self, record: Mapping[str, Any], now_ms: int) -> ItemGroup[T] | None:
        """Return the group of an item; None where its shared fields are rejected. The record path reports why."""
        try:
            check_shared_fields(record)
        except (InputError, LookupError, TypeError, ValueError):
            return None
        return ItemGroup(record, now_ms) if record["source"]["state"] == self._state else None

    def _compute_result(self, group: ItemGroup[T], evidence: tuple[NexusEvidence, ...]) -> T | None:
        try:
            return self._make_result(group.sample, group.first_seen_ms, evidence)
        except Exception as error:  # noqa: BLE001 it fails again on the record path, which reports why
            log.debug("the items of a group take the record path: %s", type(error).__name__)
            return None
