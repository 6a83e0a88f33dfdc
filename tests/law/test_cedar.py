"""Cedar, another policy engine, allows exactly the disclosures that the filter allows."""

from __future__ import annotations

from tests.bench.cedar import RECIPIENTS, compare_decisions


def test_cedar_gives_the_same_answers() -> None:
    counts = compare_decisions(40)
    assert counts["allowed"] + counts["denied"] == 40 * RECIPIENTS
    assert min(counts.values()) > 0
