"""Predicts the gate's decisions locally, for `sharing publish` and its option `--dry-run`.

It uses the gate's law engine with the law pack installed here. Only the gate's own decision is binding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sharing.cli.shared.instants import read_clock
from sharing.interop.import_results import LocatedIndicator
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import Law
from sharing.relevance.nexus import GeoLookup, no_geo_lookup


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


def decide_locally(
    law: Law, directory: Directory, indicators: Iterable[LocatedIndicator], locate: GeoLookup = no_geo_lookup
) -> DryRunResult:
    """Decide on indicators as of now, and count the outcomes.

    Args:
        law: Law of the providing State.
        directory: Directory of the receiving States.
        indicators: The indicators, as read from files.
        locate: Returns the country of an IP address.
    """
    now_ms = read_clock()
    context = DecisionContext.open(law.pack, law.treaties, directory, now_ms, locate)
    result = DryRunResult()
    for located in indicators:
        verdict = context.decide(located.indicator.to_record(), now_ms)
        result.indicators[verdict.outcome] += 1
        for recipient in verdict.recipients:
            result.recipients[recipient.state][recipient.outcome] += 1
            result.reasons[(recipient.state, recipient.outcome, recipient.explanation)] += 1
    return result
