"""The items of a campaign, decided by the law of each State without Kafka."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from sharing.cli.shared.directory_source import read_directory
from sharing.law.decision_context import DecisionContext
from sharing.packs.library import find_law
from tests.faults.schedule import STATES
from tests.faults.workload import VARIANTS, find_variant, make_item

NUMBERS = range(64)
OUTCOMES = {
    "CH": {"DISCLOSE", "OFFER", "WITHHOLD"},
    "DE": {"DISCLOSE", "HOLD", "WITHHOLD"},
    "NL": {"DISCLOSE", "HOLD", "WITHHOLD"},
}
"""What a campaign must have from each State: without notices it would not show whether notices survive its faults."""


def test_each_variant_occurs_as_first_version_and_as_correction() -> None:
    counts = Counter((make_item(1, "CH", number).version, find_variant(number)) for number in NUMBERS)
    assert set(counts) == {(version, variant) for version in (1, 2) for variant in range(len(VARIANTS))}


@pytest.mark.parametrize("state", STATES)
def test_each_law_has_its_outcomes(state: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    law = find_law(state)
    context = DecisionContext.open(law.pack, law.treaties, read_directory(None, None), now_ms)
    verdicts = [context.decide(make_item(1, state, number).to_record(), now_ms) for number in NUMBERS]
    assert {str(recipient.outcome) for verdict in verdicts for recipient in verdict.recipients} == OUTCOMES[state]
