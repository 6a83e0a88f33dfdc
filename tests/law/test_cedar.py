"""Cedar, an engine of another make, allows what the filter lets out, and nothing else."""

from __future__ import annotations

from tests.bench.cedar import RECIPIENTS, compare


def test_cedar_gives_the_engines_answers() -> None:
    came = compare(40)
    assert came["allowed"] + came["denied"] == 40 * RECIPIENTS
    assert min(came.values()) > 0
