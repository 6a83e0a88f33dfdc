"""Replays batches of recorded indicators under two laws. Each law decides once for all indicators with the same facts.

Records that are clearly valid are processed in columnar form (`sharing.columnar.groups`). All others take the record
path, and those that cannot be replayed are reported. Both paths give the same counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.columnar.column_batch import ColumnBatch
from sharing.columnar.groups import ItemGroups
from sharing.columnar.indicators import IndicatorReader
from sharing.law.rehearsal import Rehearsal, VerdictPair
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import NexusEvidence
from sharing.replay.admission import AdmissionStats
from sharing.replay.recorded_batch import RecordedBatch


class BatchReplayer:
    """Replays recorded indicators of one State as of one time.

    Args:
        rehearsal: Decides under both laws and counts the results.
        finder: Finds the recipients to consider.
        admission: Counts the admitted and the rejected records.
        now_ms: The time of all decisions, in UTC milliseconds.
    """

    def __init__(self, rehearsal: Rehearsal, finder: AudienceFinder, admission: AdmissionStats, now_ms: int) -> None:
        self._rehearsal = rehearsal
        self._finder = finder
        self._admission = admission
        self._now_ms = now_ms
        self._reader = IndicatorReader()
        self._item_groups = ItemGroups(admission.state, finder, self._reader, self._decide)

    def replay_batch(self, batch: RecordedBatch) -> None:
        """Replay a batch, in order."""
        column_batches = list(batch.read_columns(self._reader, self._now_ms))
        verdicts = [list(self._item_groups.iter_results(columns, self._now_ms)) for columns in column_batches]
        if _are_all_records_decided(batch, verdicts):
            # The fast path: no record of the batch has to be decoded.
            self._count_columns(column_batches, verdicts)
            return
        pairs_by_position = {
            position: pair
            for columns, pairs in zip(column_batches, verdicts, strict=True)
            for position, pair in zip(columns.positions, pairs, strict=True)
            if pair is not None
        }
        for position, (location, result) in enumerate(batch.iter_records()):
            pair = pairs_by_position.get(position)
            if pair is not None and isinstance(result, dict):
                self._admission.count_admitted(1)
                self._rehearsal.count_pair(pair, result["id"])
                continue
            record = self._admission.admit_or_count(batch.source, location, result)
            if record is not None:
                self.replay_record(record)

    def replay_record(self, record: Mapping[str, Any]) -> None:
        """Replay one admitted record."""
        self._rehearsal.replay_item(record, self._finder.find_audience(record), self._now_ms)

    def _count_columns(self, column_batches: list[ColumnBatch], verdicts: list[list[VerdictPair | None]]) -> None:
        count_pair = self._rehearsal.count_pair
        for columns, pairs in zip(column_batches, verdicts, strict=True):
            self._admission.count_admitted(len(pairs))
            for key, pair in zip(columns.keys, pairs, strict=True):
                if pair is not None:
                    count_pair(pair, key.decode())

    def _decide(self, record: Mapping[str, Any], now_ms: int, evidence: tuple[NexusEvidence, ...]) -> VerdictPair:
        return self._rehearsal.decide_pair(record, self._finder.find_audience_with(record, evidence), now_ms)


def _are_all_records_decided(batch: RecordedBatch, verdicts: list[list[VerdictPair | None]]) -> bool:
    """Return whether the columnar path decided on every record. A batch of unknown size has size 0."""
    is_complete = batch.size > 0 and sum(map(len, verdicts)) == batch.size
    return is_complete and not any(None in pairs for pairs in verdicts)
