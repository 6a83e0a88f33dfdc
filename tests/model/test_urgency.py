"""The urgency that counts: an emergency needs a named officer and a reason."""

from __future__ import annotations

from itertools import product

import pytest

from sharing.law.facts import FACTS
from sharing.model.urgency import get_effective_urgency, states_emergency
from sharing.model.vocabulary import Urgency


@pytest.mark.parametrize(
    ("urgency", "officer", "reason"), list(product(Urgency, [None, "", "o-1"], [None, "", "a child is missing"]))
)
def test_only_a_substantiated_emergency_counts_as_one(
    urgency: Urgency, officer: str | None, reason: str | None
) -> None:
    record = {"urgency": str(urgency), "source": {"officer": officer}, "urgency_reason": reason}
    is_empty = not officer or not reason
    expected = "ORDINARY" if urgency is Urgency.EMERGENCY and is_empty else str(urgency)
    assert get_effective_urgency(record) == expected
    assert states_emergency(record) is (urgency is Urgency.EMERGENCY)
    read = FACTS["urgency"].read_raw
    assert read is not None
    assert read(record, 0) == expected
