"""A decision context: the law of one day, one version of the directory, and everything cached under them.

A context ends when the UTC day ends, when the directory changes, or when one of its entries expires. The next context
starts with empty caches.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.decision import Decision, Verdict
from sharing.model.directory import Directory
from sharing.model.indicator_record import WireRecord
from sharing.model.times import to_milliseconds, to_utc_day
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.interests import InterestIndex
from sharing.relevance.nexus import GeoLookup, no_geo_lookup


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The law and the relevance data that decisions are made with.

    Attributes:
        directory: The snapshot of the directory.
        from_ms, until_ms: The period in which the context is valid, in UTC milliseconds; `until_ms` is excluded.
        disclosure_filter: The disclosure filter.
        finder: Finds the States that an indicator may help.
    """

    directory: Directory
    from_ms: int
    until_ms: int
    disclosure_filter: DisclosureFilter
    finder: AudienceFinder

    @classmethod
    def open(
        cls, pack: Pack, treaties: TreatyTable, directory: Directory, now_ms: int, locate: GeoLookup = no_geo_lookup
    ) -> DecisionContext:
        """Return the context for a time in UTC milliseconds."""
        day = to_utc_day(now_ms)
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
        expiries = (
            to_milliseconds(entry.valid_until)
            for entry in directory.get_valid_entries(now_ms).values()
            if entry.valid_until is not None
        )
        return cls(
            directory=directory,
            from_ms=to_milliseconds(dt.datetime.combine(day, dt.time(), dt.UTC)),
            until_ms=min([to_milliseconds(midnight), *expiries]),
            disclosure_filter=DisclosureFilter(pack, treaties, day, directory.get_authorities(now_ms)),
            finder=AudienceFinder(InterestIndex.build(directory.get_interests(now_ms)), locate),
        )

    def decide(self, record: WireRecord, now_ms: int) -> Verdict:
        """Return the verdict on an indicator's record at a time within the context's period."""
        return self.disclosure_filter.decide(record, self.finder.find_audience(record), now_ms)

    def build_decision(self, record: WireRecord, now_ms: int) -> Decision:
        """Return the complete decision on an indicator's record."""
        return Decision(
            indicator_id=record["id"],
            version=record["version"],
            decided_at=now_ms,
            state=self.disclosure_filter.pack.state,
            pack=self.disclosure_filter.pack.reference,
            directory_version=self.directory.version,
            recipients=self.decide(record, now_ms).recipients,
        )

    def is_valid_for(self, directory: Directory, now_ms: int) -> bool:
        """Return whether the context is valid for this directory at this time."""
        return self.directory is directory and self.from_ms <= now_ms < self.until_ms
