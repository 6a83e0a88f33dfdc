"""The engine's decisions on single items under one law, which are used to check the searches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import RuleResult
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.decision import RecipientDecision
from sharing.model.indicator_record import WireRecord
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance.audience import Audience


class ExplainedDecision(NamedTuple):
    """A decision, with the rules that hold or are undecided."""

    decision: RecipientDecision
    results: Sequence[RuleResult]


class EngineDecisions:
    """Decides single items under one law.

    Args:
        pack: The law.
        treaties: Its treaty table.
    """

    def __init__(self, pack: Pack, treaties: TreatyTable) -> None:
        self._pack = pack
        self._treaties = treaties
        self._filters: dict[tuple[dt.date, str, str | None], DisclosureFilter] = {}

    def decide(
        self, record: WireRecord, state: str, day: dt.date, authority: str | None, *, named: bool
    ) -> ExplainedDecision:
        """Decide an item at noon of a day.

        Args:
            record: The item.
            state: The recipient.
            day: The day, in UTC.
            authority: Kind of the receiving authority: NONE if none is competent, None if the State has no entry.
            named: Whether the agency names the recipient as concerned.
        """
        key = (day, state, authority)
        law = self._filters.get(key)
        if law is None:
            law = DisclosureFilter(self._pack, self._treaties, day, list_sole_authorities({state: authority}))
            self._filters[key] = law
        now_ms = to_milliseconds(dt.datetime.combine(day, dt.time(12), dt.UTC))
        reason = Reason(RelevanceKind.NEXUS_STATED if named else RelevanceKind.NEXUS_DERIVED, "example")
        verdict = law.decide(record, Audience([(state, (reason,))]), now_ms)
        decision = next(one for one in verdict.recipients if one.state == state)
        facts = law.read_item_facts(record, now_ms)
        profile = law.profile_recipient(state, facts, named=named)
        return ExplainedDecision(decision, law.evaluate_rules(facts, profile.facts))
