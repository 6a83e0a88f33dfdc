"""What a chapter of the campaign has found and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from tests.faults.checker import count_outcomes
from tests.faults.contents import TopicContents
from tests.faults.item_agencies import ItemVersion, get_agency, get_item
from tests.faults.violations import Breach, Violation

SKIPPED_MARKERS = "transactions without markers, by the broker"
"""Key in `Findings.counts`."""


@dataclass
class Findings:
    """The result of a chapter.

    Attributes:
        faults: Number of faults of each kind.
        counts: Numbers of accepted indicators, records, notices and so on.
        violations: Each with the round, counted from 1, in which it shows; 0 if that is not known.
        failures: What processes did although they must not.
        not_injected: Faults that could not be injected. They are no violations, and prove nothing.
        torn: Violations, as above, of a State for whose transactions the only broker logged that it left out markers.
            Content that reached the wrong State is never included, nor is any violation with several brokers.
    """

    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    not_injected: list[str] = field(default_factory=list)
    torn: list[tuple[int, Violation]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every guarantee held."""
        return not self.violations and not self.failures


def count_violations(findings: Findings) -> dict[str, int]:
    """Return the number of violations of each kind; `failed` counts failures, `torn` those caused by the broker."""
    kinds = Counter(violation.breach for _, violation in findings.violations)
    return {
        **{str(breach): kinds[breach] for breach in Breach},
        "failed": len(findings.failures),
        "torn": len(findings.torn),
    }


def count_records(
    state: str, records: TopicContents, accepted: AbstractSet[ItemVersion], handled: Counter[str]
) -> Counter[str]:
    """Return how many records of each sort a State has."""
    received = records.list_notices(state)
    valid = [record for record in records.indicators if not record.poison]
    distinct = {(get_agency(record), get_item(record)) for record in valid}
    return Counter(
        {
            "accepted": len(accepted),
            "records": len(records.indicators),
            "deleted with their topic": len(records.deleted),
            "published again": len(valid) - len(distinct),
            "notices": len(received),
            "handled": len(handled),
            "handled again": handled.total() - len(handled),
            **{outcome.lower(): count for outcome, count in count_outcomes(records).items()},
        }
    )
