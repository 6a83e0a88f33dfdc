"""Predicts the gate's decisions locally, for `sharing publish` and its option `--dry-run`.

It uses the gate's law engine with the law pack installed here. Only the gate's own decision is binding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sharing.cli.shared.instants import read_clock
from sharing.law.decision_context import DecisionContext
from sharing.model.bounded_cache import BoundedCache
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import Law
from sharing.relevance.nexus import GeoLookup, no_geo_lookup
from sharing.serialization.encoded_indicator import decode_own_fields, decode_shared_fields, read_type_and_value

if TYPE_CHECKING:
    from sharing.model.decision import Verdict
    from sharing.relevance.nexus import NexusEvidence
    from sharing.serialization.encoded_indicator import EncodedIndicator

_KNOWN_MAX: Final = 16_384
_KNOWN_BYTES_MAX: Final = 8_000_000
"""Limits of the verdicts that are remembered, in entries and in bytes of their keys."""


@dataclass(slots=True)
class DryRunResult:
    """Predicted outcomes of some indicators, counted.

    Attributes:
        indicators: Number of indicators by overall outcome.
        recipients: Number of indicators by receiving State and outcome.
        reasons: Number of indicators by receiving State, outcome and reason.
    """

    indicators: Counter[Outcome] = field(default_factory=Counter)
    recipients: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[tuple[str, Outcome, str]] = field(default_factory=Counter)


class Predictor:
    """Decides on items as of now, and counts the outcomes.

    Args:
        law: Law of the providing State.
        directory: Directory of the receiving States.
        locate: Returns the country of an IP address.
    """

    def __init__(self, law: Law, directory: Directory, locate: GeoLookup = no_geo_lookup) -> None:
        self._now_ms = read_clock()
        self._context = DecisionContext.open(law.pack, law.treaties, directory, self._now_ms, locate)
        self._known: BoundedCache[tuple[str, tuple[NexusEvidence, ...], bytes, bytes], Verdict] = BoundedCache(
            _KNOWN_MAX, _KNOWN_BYTES_MAX, lambda key, _: len(key[2]) + len(key[3])
        )
        self._verdicts: Counter[Verdict] = Counter()

    def add(self, item: EncodedIndicator) -> None:
        """Decide on an item, and count its verdict."""
        type_name, value = read_type_and_value(item)
        derive = self._context.finder.find_nexus_function(type_name)
        derived = () if derive is None else derive(value)
        data = item.data
        # Nothing else of an item affects a decision: not its id, summary and time of observation, and its value only by
        # the States that it points to.
        key = (type_name, derived, data[item.shared_start : item.shared_end], data[item.review_start :])
        verdict = self._known.get(key) or self._known.put(key, self._decide(item, derived))
        self._verdicts[verdict] += 1

    def _decide(self, item: EncodedIndicator, derived: tuple[NexusEvidence, ...]) -> Verdict:
        record = decode_shared_fields(item) | decode_own_fields(item)
        facts = self._context.disclosure_filter.reader.read_raw_facts(record, self._now_ms)
        return self._context.decide_facts(facts, self._context.finder.find_audience_with(record, derived))

    @property
    def result(self) -> DryRunResult:
        """The outcomes."""
        result = DryRunResult()
        for verdict, count in self._verdicts.items():
            result.indicators[verdict.outcome] += count
            for recipient in verdict.recipients:
                result.recipients[recipient.state][recipient.outcome] += count
                result.reasons[(recipient.state, recipient.outcome, recipient.explanation)] += count
        return result
