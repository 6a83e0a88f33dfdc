"""Predicts the gate's decisions locally, for `sharing publish` and its option `--dry-run`.

It uses the gate's law engine with the law pack installed here. Only the gate's own decision is binding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sharing.cli.shared.instants import read_clock
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import Law
from sharing.relevance.nexus import GeoLookup, no_geo_lookup
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from sharing.cli.publish.item_spool import SpooledItem


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

    Attributes:
        result: The outcomes.
    """

    def __init__(self, law: Law, directory: Directory, locate: GeoLookup = no_geo_lookup) -> None:
        self._now_ms = read_clock()
        self._context = DecisionContext.open(law.pack, law.treaties, directory, self._now_ms, locate)
        self._codec = get_codec("indicator")
        self.result = DryRunResult()

    def add(self, spooled: SpooledItem) -> None:
        """Decide on an item, and count the outcomes."""
        record = self._codec.decode(self._codec.header + spooled.item.data)
        verdict = self._context.decide(record, self._now_ms)
        self.result.indicators[verdict.outcome] += 1
        for recipient in verdict.recipients:
            self.result.recipients[recipient.state][recipient.outcome] += 1
            self.result.reasons[(recipient.state, recipient.outcome, recipient.explanation)] += 1
