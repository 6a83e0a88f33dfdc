"""The columnar path: processes many records at once, in parts whose outputs fit in memory together.

The rows of a batch are decoded and planned as a whole wherever possible, because the fixed cost of a columnar operation
equals that of many rows. But outputs, and plans that few items share, can be a thousand times larger than their records
(a notice for each of 193 States), so rows are planned and written only as far as a limit of bytes allows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from processors.gate.columnar_writer import ColumnarWriter
from processors.gate.input_records import to_column
from processors.gate.item_versions import Standing
from sharing.columnar.groups import RowResults
from sharing.columnar.partitioner import find_misplaced_rows

if TYPE_CHECKING:
    from processors.gate.batch_result import BatchResult
    from processors.gate.input_records import InputRecords
    from processors.gate.item_versions import ItemVersions
    from processors.gate.outcome_tally import OutcomeTally
    from processors.gate.output_plans import OutputPlan
    from processors.gate.session import GateSession
    from sharing.columnar.column_batch import ColumnBatch


class PlannedRows(NamedTuple):
    """Rows with their output plans.

    Attributes:
        batch: The rows.
        plans: Their plans; None for a row that must take the record path.
        counts: The plans, each with its number of rows.
    """

    batch: ColumnBatch
    plans: RowResults[OutputPlan]
    counts: list[tuple[OutputPlan, int]]

    @classmethod
    def with_counts(cls, batch: ColumnBatch, plans: RowResults[OutputPlan]) -> PlannedRows:
        """Return rows with their counts."""
        return cls(batch, plans, [(plan, count) for plan, count in plans.count_by_result() if plan is not None])

    def slice(self, start: int, stop: int) -> PlannedRows:
        """Return the rows from one up to another, which is excluded."""
        return self.with_counts(self.batch.slice(start, stop), self.plans.slice(start, stop))


class ColumnarPath:
    """Plans and writes the rows of one batch, part by part.

    Args:
        session: The law, the directory and their caches.
        records: The records.
        values: Their values in single-object framing.
        batches: The rows, in the order of the records. They are decoded when they are taken.
        versions: The versions of items; None to decide on each record by itself.
        now_ms: The processing time of the batch, in UTC milliseconds.
        part_bytes_max: Approximate limit of the outputs of a part, in bytes.
    """

    def __init__(
        self,
        session: GateSession,
        records: InputRecords,
        values: Sequence[bytes | None],
        batches: Iterable[ColumnBatch],
        versions: ItemVersions | None,
        now_ms: int,
        part_bytes_max: int,
    ) -> None:
        self._session = session
        self._records = records
        self._values = values
        self._batches = iter(batches)
        self._unplanned: deque[ColumnBatch] = deque()
        self._planned: deque[PlannedRows] = deque()
        self._versions = versions
        self._now_ms = now_ms
        self._part_bytes_max = part_bytes_max
        self._value_bytes_max = max(map(len, filter(None, values)), default=0)

    def take_part(self) -> tuple[list[PlannedRows], int]:
        """Return rows for the next part, and the position of the first record after it.

        The outputs of these rows are at most about `part_bytes_max` bytes, unless a single row has more.
        """
        part: list[PlannedRows] = []
        bytes_left = self._part_bytes_max
        while self._plan_more():
            rows = self._planned.popleft()
            count, output_bytes = self._count_rows_within(rows, bytes_left)
            count = max(count, 0 if part else 1)
            if count:
                part.append(rows if count == len(rows.plans) else rows.slice(0, count))
            if count < len(rows.plans):
                self._planned.appendleft(rows.slice(count, len(rows.plans)))
                return part, rows.batch.positions[count]
            bytes_left -= output_bytes
        return part, len(self._records)

    def put_back(self, part: Sequence[PlannedRows], end: int) -> list[PlannedRows]:
        """Return the rows of a part before a position, and keep the others for the next part."""
        counts = [bisect_left(rows.batch.positions, end) for rows in part]
        for rows, count in zip(reversed(part), reversed(counts), strict=True):
            if count < len(rows.plans):
                self._planned.appendleft(rows.slice(count, len(rows.plans)))
        return [rows.slice(0, count) for rows, count in zip(part, counts, strict=True) if count]

    def write_rows(self, rows: PlannedRows, start: int, result: BatchResult) -> None:
        """Write the outputs of rows that have a plan, and count them.

        Args:
            rows: The rows.
            start: Position of the first record of the part.
            result: The result of the part.
        """
        batch, plans, counts = rows
        writer = ColumnarWriter(self._session.tails, self._now_ms)
        positions = batch.positions
        if isinstance(positions, range):
            places: Sequence[int] = range(positions.start - start, positions.stop - start)
        else:
            places = [position - start for position in positions]
        tags_by_code = [None if plan is None else plan.tag for plan in plans.results]
        tags = list(map(tags_by_code.__getitem__, plans.result_codes.to_pylist()))
        result.outputs.set_decisions(places, writer.encode_decisions(batch, plans), tags)
        for row, plan, outputs in writer.build_other_outputs(batch, plans, self._values, self._records):
            result.outputs.other_outputs[places[row]] = outputs
            result.record_published(plan.lane, self._records.messages[positions[row]])
        tallies: Counter[tuple[OutcomeTally, bool]] = Counter()
        for group_plan, item_count in counts:
            tallies[group_plan.tally, group_plan.draft_tail is None] += item_count
        for (tally, closed), item_count in tallies.items():
            result.count_items(tally, item_count, closed=closed)

    def _plan_more(self) -> bool:
        """Plan more rows if none are planned; return whether there are any."""
        while not self._planned:
            batch = self._unplanned.popleft() if self._unplanned else next(self._batches, None)
            if batch is None:
                return False
            if not len(batch.positions):
                continue
            plans = self._session.groups.resolve_rows(batch, self._now_ms)
            count = len(plans)
            if count < len(batch.positions):
                self._unplanned.appendleft(batch.slice(count, len(batch.positions)))
                batch = batch.slice(0, count)
            # In this order: a misplaced record does not count as a version of its item.
            plans = plans.leave_out(self._find_misplaced(batch))
            plans = plans.leave_out(self._find_other_versions(batch, plans))
            self._planned.append(PlannedRows.with_counts(batch, plans))
        return True

    def _find_misplaced(self, batch: ColumnBatch) -> list[int]:
        """Return the rows that are not on the partition of their key."""
        records, positions = self._records, batch.positions
        if records.partition_count <= 1:
            return []
        partitions = to_column(records.partitions)
        if len(positions) < len(partitions):
            partitions = partitions.take(pa.array(positions, pa.int64()))
        return find_misplaced_rows(batch.ids, partitions, records.partition_count)

    def _find_other_versions(self, batch: ColumnBatch, plans: RowResults[OutputPlan]) -> list[int]:
        """Return the rows whose version is not the latest of their item; record the versions of the others.

        Also returns every row whose key occurs in another record of the batch, since these records must stay in order.
        """
        versions = self._versions
        if versions is None:
            return []
        later = pc.greater(batch.versions, 1)
        if versions.are_all_new:
            if not pc.any(later).as_py():
                return []
            suspects = list(pc.indices_nonzero(later).to_pylist())
        else:
            flags = later.to_pylist()
            keys = enumerate(zip(batch.keys, flags, strict=True))
            suspects = [row for row, (key, is_later) in keys if is_later or versions.needs_check(key, 1)]
        return [row for row in suspects if not self._is_latest(batch, plans, row, versions)]

    def _is_latest(self, batch: ColumnBatch, plans: RowResults[OutputPlan], row: int, versions: ItemVersions) -> bool:
        """Return whether a row has, or repeats, the latest version of its item; record the version."""
        key, position = batch.keys[row], batch.positions[row]
        plan, value = plans.get_result(row), self._values[position]
        if plan is None or value is None or key in versions.shared_keys:
            return False
        item = versions.describe(plan.agency, plan.version, plan.action, value)
        standing = versions.record_version(self._records.partitions[position], key, item, value)
        return standing is Standing.LATEST or standing is Standing.REPEATED

    def _count_rows_within(self, rows: PlannedRows, bytes_max: int) -> tuple[int, int]:
        """Return how many rows have outputs of at most this many bytes in total, and the bytes of all rows."""
        plans = rows.plans
        value_bytes_max = self._value_bytes_max
        upper_bound = sum([count * (plan.output_bytes + plan.copies * value_bytes_max) for plan, count in rows.counts])
        if upper_bound <= bytes_max:
            return len(plans), upper_bound
        fixed = [0 if plan is None else plan.output_bytes for plan in plans.results]
        copies = [0 if plan is None else plan.copies for plan in plans.results]
        lengths = [len(self._values[position] or b"") for position in rows.batch.positions]
        copied = pc.multiply(pa.array(copies, pa.int64()).take(plans.result_codes), pa.array(lengths, pa.int64()))
        totals = pc.cumulative_sum(pc.add(pa.array(fixed, pa.int64()).take(plans.result_codes), copied))
        return pc.sum(pc.less_equal(totals, bytes_max)).as_py(), totals[-1].as_py()


def list_uncovered(part: Iterable[PlannedRows], start: int, end: int) -> list[int]:
    """Return the positions from `start` up to `end` for which no row of the part has a plan."""
    uncovered = bytearray(b"\1") * (end - start)
    for batch, plans, _ in part:
        positions = batch.positions
        unplanned = set(plans.list_rows_without_result())
        if isinstance(positions, range) and positions and not unplanned:
            uncovered[positions.start - start : positions.stop - start] = bytes(len(positions))
        else:
            for row, position in enumerate(positions):
                if row not in unplanned:
                    uncovered[position - start] = 0
    return list(compress(range(start, end), uncovered)) if 1 in uncovered else []
