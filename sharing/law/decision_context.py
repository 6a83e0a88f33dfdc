"""A decision context: the law of one day, one content of the directory, and everything cached under them.

A context ends when the UTC day ends, when the content of the directory's valid entries changes (as when one of them
expires), or when other States have topics. The next context starts with empty caches.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from sharing.law.bus_rules import NO_TOPICS, withhold
from sharing.law.fact_reader import RawFacts
from sharing.law.filter import DisclosureFilter, make_verdict_cache
from sharing.law.pack import Pack
from sharing.law.standing_acceptances import ACCEPTANCE_FACTS, StandingAcceptances
from sharing.law.treaties import TreatyTable
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import Decision, Verdict
from sharing.model.directory import Directory
from sharing.model.indicator_record import WireRecord
from sharing.model.times import to_milliseconds, to_utc_day
from sharing.model.vocabulary import Outcome
from sharing.relevance.audience import Audience, AudienceFinder
from sharing.relevance.interests import InterestIndex
from sharing.relevance.nexus import GeoLookup, no_geo_lookup


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The law and the relevance data that decisions are made with.

    Attributes:
        directory: The snapshot of the directory.
        directory_version: The directory's version in this context.
        from_ms, until_ms: The UTC day of the context, in UTC milliseconds; `until_ms` is excluded.
        disclosure_filter: The disclosure filter.
        finder: Finds the States that an indicator may help.
        acceptances: What other States have accepted beforehand.
    """

    directory: Directory
    directory_version: str
    from_ms: int
    until_ms: int
    disclosure_filter: DisclosureFilter
    finder: AudienceFinder
    acceptances: StandingAcceptances = field(default_factory=lambda: StandingAcceptances({}))
    _deliverable: BoundedCache[Verdict, Verdict] = field(
        default_factory=make_verdict_cache, init=False, repr=False, compare=False
    )
    _accepted: BoundedCache[Verdict, Verdict] = field(
        default_factory=make_verdict_cache, init=False, repr=False, compare=False
    )

    @classmethod
    def open(
        cls, pack: Pack, treaties: TreatyTable, directory: Directory, now_ms: int, locate: GeoLookup = no_geo_lookup
    ) -> DecisionContext:
        """Return the context for a time in UTC milliseconds."""
        day = to_utc_day(now_ms)
        accepted = directory.get_standing_acceptances(pack.state, now_ms)
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
        return cls(
            directory=directory,
            directory_version=directory.get_version(now_ms),
            from_ms=to_milliseconds(dt.datetime.combine(day, dt.time(), dt.UTC)),
            until_ms=to_milliseconds(midnight),
            disclosure_filter=DisclosureFilter(
                pack,
                treaties,
                day,
                directory.get_authorities(now_ms),
                also_read=ACCEPTANCE_FACTS if accepted else frozenset(),
            ),
            finder=AudienceFinder(InterestIndex.build(directory.get_interests(now_ms)), locate),
            acceptances=StandingAcceptances(accepted),
        )

    def decide(self, record: WireRecord, now_ms: int) -> Verdict:
        """Return the verdict on an indicator's record at a time within the context's period."""
        raw_facts = self.disclosure_filter.reader.read_raw_facts(record, now_ms)
        return self.decide_facts(raw_facts, self.finder.find_audience(record))

    def decide_facts(self, raw_facts: RawFacts, audience: Audience) -> Verdict:
        """Decide, as `decide` does, on facts that the disclosure filter's reader has read from a record.

        Nothing is sent to a State without topics on the cluster, no matter what the law says. What a State has accepted
        beforehand is sent to it instead of offered. Items with equal facts and audiences share one verdict.
        """
        verdict = self.disclosure_filter.decide_raw(raw_facts, audience)
        if self.directory.receiving_states is not None:
            verdict = self._deliverable.get(verdict) or self._deliverable.put(
                verdict, self._withhold_undeliverable(verdict)
            )
        if not self.acceptances.by_state or not self.acceptances.concerns(verdict):
            return verdict
        # A verdict belongs to one combination of facts, so it is a key for what depends on them.
        return self._accepted.get(verdict) or self._accepted.put(
            verdict, self.acceptances.apply(verdict, self.disclosure_filter.interpret_facts(raw_facts))
        )

    def build_decision(self, record: WireRecord, now_ms: int) -> Decision:
        """Return the complete decision on an indicator's record."""
        return Decision(
            indicator_id=record["id"],
            version=record["version"],
            decided_at=now_ms,
            state=self.disclosure_filter.pack.state,
            pack=self.disclosure_filter.pack.reference,
            directory_version=self.directory_version,
            recipients=self.decide(record, now_ms).recipients,
        )

    def covers(self, now_ms: int) -> bool:
        """Return whether a time, in UTC milliseconds, is within the context's day."""
        return self.from_ms <= now_ms < self.until_ms

    def is_valid_for(self, directory: Directory, now_ms: int) -> bool:
        """Return whether the context is valid for this directory at this time."""
        return (
            self.covers(now_ms)
            and self.directory_version == directory.get_version(now_ms)
            and self.directory.receiving_states == directory.receiving_states
        )

    def _withhold_undeliverable(self, verdict: Verdict) -> Verdict:
        receiving = self.directory.receiving_states or frozenset()
        undeliverable = {
            recipient.state
            for recipient in verdict.recipients
            if recipient.outcome is not Outcome.WITHHOLD and recipient.state not in receiving
        }
        return withhold(verdict, NO_TOPICS, undeliverable) if undeliverable else verdict
