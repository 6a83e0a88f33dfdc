"""Recorded indicators under two laws: alike ones are decided once, and both ways of reading count the same.

By columns goes what is plainly in order (`sharing.columnar.groups`); record by record goes the rest, and what cannot be
rehearsed is told there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.columnar.groups import ItemGroups
from sharing.columnar.indicators import ColumnBatch, IndicatorReader
from sharing.law.rehearse import Pair, Rehearsal
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import Evidence
from sharing.replay.admission import AdmissionStats
from sharing.replay.recorded_batches import RecordedBatch


class BatchRehearsal:
    """Replays at one instant.

    Args:
        rehearsal: Decides, and counts.
        finder: Finds who may be helped.
        intake: What is taken in: of one State.
        now_ms: The instant, in UTC milliseconds.
    """

    def __init__(self, rehearsal: Rehearsal, finder: AudienceFinder, intake: AdmissionStats, now_ms: int) -> None:
        self._rehearsal = rehearsal
        self._finder = finder
        self._intake = intake
        self._now_ms = now_ms
        self._reader = IndicatorReader()
        self._cohorts = ItemGroups(intake.state, finder, self._reader, self._decide)

    def take(self, batch: RecordedBatch) -> None:
        """Replay a batch, in its order."""
        parts = list(batch.parts(self._reader, self._now_ms))
        found = [list(self._cohorts.find(part, self._now_ms).rows()) for part in parts]
        if batch.size and sum(map(len, found)) == batch.size and not any(None in pairs for pairs in found):
            self._count(parts, found)
            return
        known = {
            place: pair
            for part, pairs in zip(parts, found, strict=True)
            for place, pair in zip(part.places, pairs, strict=True)
            if pair is not None
        }
        for number, (place, read) in enumerate(batch.records()):
            pair = known.get(number)
            if pair is not None and isinstance(read, dict):
                self._intake.read += 1
                self._rehearsal.count(pair, read["id"])
                continue
            record = self._intake.consider(batch.source, place, read)
            if record is not None:
                self.take_alone(record)

    def take_alone(self, record: Mapping[str, Any]) -> None:
        """Replay one record that was admitted."""
        self._rehearsal.replay(record, self._finder.find(record), self._now_ms)

    def _count(self, parts: list[ColumnBatch], found: list[list[Pair | None]]) -> None:
        count = self._rehearsal.count
        for part, pairs in zip(parts, found, strict=True):
            self._intake.read += len(pairs)
            for key, pair in zip(part.keys, pairs, strict=True):
                if pair is not None:
                    count(pair, key.decode())

    def _decide(self, record: Mapping[str, Any], now_ms: int, evidence: tuple[Evidence, ...]) -> Pair:
        return self._rehearsal.decide(record, self._finder.consider(record, evidence), now_ms)
