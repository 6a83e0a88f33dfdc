"""A property over both paths of a gate with a conversation: columns and single records give the same, byte for byte.

Drafts where facts are missing, corrections that the conversation sends, and amendments between the versions of items.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.columnar import decoding
from sharing.model.vocabulary import AmendmentKind
from tests.processors.gate.amendment_fixtures import ASKING_LAW, ConversingWorker, amend_message, withdraw_message
from tests.processors.gate.gate_fixtures import EMERGENCY, HYPOTHESIS_SETTINGS, NEVER_COLUMNAR, OFFERED, make_message
from tests.processors.gate.test_both_paths import summarise

UNKNOWN: dict[str, Any] = {"form": "UNKNOWN"}
EVIDENCE: dict[str, Any] = {"form": "EVIDENCE", "urgency": None}
CUSTOMS = {"source": {"state": "CH", "agency": "Customs", "officer": "o-2", "authority": "POLICE", "case": "c-2"}}
PUBLISHED: list[dict[str, Any]] = [
    {}, OFFERED, UNKNOWN, {**UNKNOWN, **OFFERED}, {**UNKNOWN, **EMERGENCY}, {**UNKNOWN, "nexus": []},
    {"urgency": "URGENT", **OFFERED}, EVIDENCE, {**EVIDENCE, "urgency_reason": "a child is missing"},
    {**UNKNOWN, **CUSTOMS}, {**UNKNOWN, "nexus": [{"state": state, "reason": "r"} for state in ("DE", "SO", "US")]},
]  # fmt: skip
LATER: list[dict[str, Any]] = [
    {"action": "SUPERSEDE", "version": 2}, {"action": "SUPERSEDE", "version": 2, **UNKNOWN},
    {"action": "WITHDRAW", "version": 3, "reason": "r"}, {"action": "PUBLISH", "version": 2, **EVIDENCE},
    {"action": "WITHDRAW", "version": 2, "reason": "r", **UNKNOWN}, {"action": "PUBLISH", "version": 3},
    {"action": "PUBLISH", "version": 2, **UNKNOWN},
]  # fmt: skip
RECORDS = st.one_of(
    st.builds(
        lambda number, changes: make_message(number, **changes),
        st.integers(1, 20) | st.integers(1, 2),
        st.sampled_from(PUBLISHED) | st.sampled_from(LATER),
    ),
    st.builds(
        lambda number, amendment, kind, changes: amend_message(amendment, number=number, kind=kind, **changes),
        st.integers(1, 3),
        st.integers(0, 3),
        st.sampled_from([AmendmentKind.FACTS, AmendmentKind.CORRECTION]),
        st.sampled_from([*PUBLISHED, {"version": 2}, {"version": 3, **UNKNOWN}]),
    ),
    st.builds(
        lambda number, amendment: withdraw_message(amendment, number=number), st.integers(1, 3), st.integers(1, 3)
    ),
)
BATCHES = st.lists(st.lists(RECORDS, min_size=1, max_size=16), min_size=1, max_size=3)


@pytest.fixture(autouse=True)
def _columnar_decoding_of_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)


@HYPOTHESIS_SETTINGS
@given(BATCHES)
def test_columns_and_single_records_give_the_same_with_a_conversation(batches: list[list[Any]]) -> None:
    columnar, single = (
        ConversingWorker(columnar_min, ASKING_LAW, agencies_not_asked=("Customs",))
        for columnar_min in (1, NEVER_COLUMNAR)
    )
    for batch in batches:
        expected = summarise(single.process_batch(batch))
        assert summarise(columnar.process_batch(batch)) == expected
        assert columnar.changes == single.changes


def test_items_of_a_group_that_differ_in_what_is_asked_leave_the_columnar_path() -> None:
    """Only an item with a reason can be an emergency; both are in one group, because neither states one."""
    reasons = ("a child is missing", None, "a child is missing", None)
    batch = [make_message(number, **EVIDENCE, urgency_reason=reason) for number, reason in enumerate(reasons, 1)]
    result = ConversingWorker(1, ASKING_LAW).process(*batch)
    assert result.drafts.total() == 2
    assert result.outcomes.total() == 4


def test_what_is_asked_stays_on_the_columnar_path(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = ConversingWorker(1, ASKING_LAW)
    monkeypatch.setattr(worker.gate._reader.decoder, "decode_one", lambda _: pytest.fail("was decoded alone"))
    result = worker.process(*(make_message(number, **UNKNOWN) for number in range(1, 6)))
    assert result.drafts.total() == 5
