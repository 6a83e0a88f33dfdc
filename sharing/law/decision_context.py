"""A sitting of the gate: one day's law, one version of the directory, and all that is remembered under them.

When the UTC day ends, the directory moves on, or one of its entries expires, a new sitting begins with nothing
remembered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass, field

from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.decision import Decision, Verdict
from sharing.model.directory import Directory
from sharing.model.record import WireRecord
from sharing.model.times import to_milliseconds, utc_day
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.interests import InterestIndex
from sharing.relevance.nexus import GeoLookup, no_lookup

KEPT_ENTRIES_MAX = 50_000
"""What a writer may keep; more means that hardly an item is like another."""


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """Law, relevance and what was written under them.

    Attributes:
        directory: The snapshot it sits with.
        from_ms, until_ms: Instants between which it serves, in UTC milliseconds; the second is not included.
        law: The disclosure filter.
        finder: Finds who may be helped.
        kept: What a writer keeps for as long as the sitting lasts.
    """

    directory: Directory
    from_ms: int
    until_ms: int
    law: DisclosureFilter
    finder: AudienceFinder
    kept: dict[Hashable, bytes] = field(default_factory=dict)

    @classmethod
    def open(
        cls, pack: Pack, treaties: TreatyTable, directory: Directory, now_ms: int, locate: GeoLookup = no_lookup
    ) -> DecisionContext:
        """Begin a sitting at an instant in UTC milliseconds."""
        day = utc_day(now_ms)
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
        expiries = (
            to_milliseconds(entry.valid_until)
            for entry in directory.valid_at(now_ms).values()
            if entry.valid_until is not None
        )
        return cls(
            directory=directory,
            from_ms=to_milliseconds(dt.datetime.combine(day, dt.time(), dt.UTC)),
            until_ms=min([to_milliseconds(midnight), *expiries]),
            law=DisclosureFilter(pack, treaties, day, directory.authorities(now_ms)),
            finder=AudienceFinder(InterestIndex.build(directory.interests(now_ms)), locate),
        )

    def evict(self) -> None:
        """Let go of what was kept when it has grown too much; it is made again where it is needed."""
        if len(self.kept) > KEPT_ENTRIES_MAX:
            self.kept.clear()

    def decide(self, record: WireRecord, now_ms: int) -> Verdict:
        """Return what the law says of an indicator's record at an instant that the sitting serves."""
        return self.law.decide(record, self.finder.find(record), now_ms)

    def decision(self, record: WireRecord, now_ms: int) -> Decision:
        """Return the whole decision on an indicator's record."""
        return Decision(
            indicator_id=record["id"],
            version=record["version"],
            decided_at=now_ms,
            state=self.law.pack.state,
            pack=self.law.pack.reference,
            directory_version=self.directory.version,
            recipients=self.decide(record, now_ms).recipients,
        )

    def is_valid_for(self, directory: Directory, now_ms: int) -> bool:
        """Return whether it still stands for this directory at this instant."""
        return self.directory is directory and self.from_ms <= now_ms < self.until_ms
