"""Batches are counted when they are committed, and tracked while they are open."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from processors.exactly_once.batch import Batch
from processors.gate.gate import BatchResult, Gate
from processors.health.batch_observer import REJECTIONS_LOGGED_MAX, BatchObserver, count_batch
from processors.health.consumer_status import ConsumerStatus
from sharing.model.vocabulary import NoticeLane, Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.telemetry import decision_metrics
from sharing.telemetry.tracing import BatchTracer
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    EMERGENCY,
    HELD,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    TOPIC,
    WITHHELD,
    Message,
    make_message,
)
from tests.processors.health.health_fixtures import SampleGrowth, make_batch, make_observer


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR], ids=["columnar", "record by record"])
def test_the_result_of_a_batch_is_counted(columnar_min: int) -> None:
    batch = [
        make_message(1),
        make_message(2, urgency="URGENT"),
        make_message(3, **OFFERED),
        make_message(4, **HELD),
        make_message(5, **WITHHELD),
        Message(b"", b"k"),
    ]
    result = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min).process_batch(batch, DIRECTORY, NOW_MS)
    growth = SampleGrowth()
    count_batch(result, NOW_MS / 1000 + 0.045)
    assert growth.get("sharing_indicators_accounted_total") == 6
    assert growth.get("sharing_indicators_quarantined_total") == 1
    for outcome, items in result.outcomes.items():
        assert growth.get("sharing_indicators_total", outcome=outcome) == items
        drafts = 0 if outcome is Outcome.WITHHOLD else items
        assert growth.get("sharing_drafts_total", outcome=outcome) == drafts
    decisions = sum(growth.get("sharing_recipient_decisions_total", outcome=outcome) for outcome in Outcome)
    assert decisions == result.deliveries.total() > 0
    for effect in ("PERMIT", "REDACT", "APPROVAL"):
        assert growth.get("sharing_recipient_effects_total", effect=effect) > 0
    for lane in ("ordinary", "urgent"):
        assert growth.get("sharing_notice_latency_seconds_count", lane=lane) == 1
        assert growth.get("sharing_notice_latency_seconds_bucket", lane=lane, le="0.04") == 0
        assert growth.get("sharing_notice_latency_seconds_bucket", lane=lane, le="0.05") == 1
        assert growth.get("sharing_notice_latency_seconds_sum", lane=lane) == pytest.approx(0.045, abs=1e-6)


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR], ids=["columnar", "record by record"])
def test_emergencies_are_counted_by_agency(columnar_min: int) -> None:
    agency = f"Agency {columnar_min}"
    source = {"state": "CH", "agency": agency, "officer": "o-1", "authority": "POLICE"}
    batch = [
        make_message(1, source=source, **EMERGENCY),
        make_message(2, source=source, **{**EMERGENCY, **WITHHELD}),
        make_message(3, source=source, urgency="EMERGENCY"),
        make_message(4, source={**source, "officer": None}, **EMERGENCY),
        make_message(5, source=source, urgency="URGENT"),
        make_message(6, **EMERGENCY),
    ]
    growth = SampleGrowth()
    result = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min).process_batch(batch, DIRECTORY, NOW_MS)
    count_batch(result, NOW_MS / 1000)
    assert growth.get("sharing_emergencies_stated_total", agency=agency) == 4
    assert growth.get("sharing_emergencies_as_ordinary_total", agency=agency) == 2
    assert growth.get("sharing_emergencies_stated_total", agency="Police") == 1
    assert growth.get("sharing_emergencies_as_ordinary_total", agency="Police") == 0


def test_only_so_many_agencies_have_series_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_metrics, "_labelled_agencies", set())
    names = [f"agency {number}" for number in range(decision_metrics.AGENCIES_MAX + 10)]
    labels = [decision_metrics.label_agency(name) for name in names]
    assert labels == [*names[: decision_metrics.AGENCIES_MAX], *[decision_metrics.OTHER_AGENCIES] * 10]
    assert decision_metrics.label_agency(names[0]) == names[0]


def test_both_paths_have_equal_counts() -> None:
    batch = [make_message(number, **(OFFERED if number % 2 else HELD)) for number in range(1, 40)]
    columnar, reference = (
        Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min).process_batch(batch, DIRECTORY, NOW_MS)
        for columnar_min in (1, NEVER_COLUMNAR)
    )
    assert columnar.effects == reference.effects
    assert columnar.drafts == reference.drafts
    assert columnar.published == reference.published
    assert columnar.deliveries == reference.deliveries


def test_each_record_from_the_future_is_counted_and_no_latency_is_negative() -> None:
    growth = SampleGrowth()
    later, earlier, unknown = NOW_MS, NOW_MS - 5_000, 0
    published = {NoticeLane.URGENT: [later, later, earlier, unknown], NoticeLane.ORDINARY: [later, earlier]}
    count_batch(BatchResult(published=published), NOW_MS / 1000 - 3)
    assert growth.get("sharing_clock_skewed_total") == 3
    assert growth.get("sharing_notice_latency_seconds_sum", lane="urgent") == pytest.approx(2)
    assert growth.get("sharing_notice_latency_seconds_sum", lane="ordinary") == pytest.approx(2)


JUNK = [Message(b"", b"k", number) for number in range(REJECTIONS_LOGGED_MAX + 3)]
INVALID, INVALID_ID = (
    make_message(1, source={"state": "DE", "agency": MARKER, "authority": "POLICE"}),
    str(UUID(int=1, version=4)),
)


def settle_batch(messages: list[Message], *, committed: bool) -> BatchResult:
    """Settle a batch of these records, which is decided in chunks of one record."""
    gate, total = Gate(LAW, load_shipped_treaties(), columnar_min=NEVER_COLUMNAR), BatchResult()
    for message in messages:
        total.add_counts(gate.process_batch([message], DIRECTORY, NOW_MS))
    make_observer().start_batch(Batch(messages, NOW_MS, {}), total)(committed)
    return total


def test_quarantined_records_are_logged_by_ids_and_cause(caplog: pytest.LogCaptureFixture) -> None:
    settle_batch([make_message(2), INVALID, JUNK[7]], committed=True)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", f"quarantined {TOPIC}[3] offset 1: FIELD_SOURCE_STATE, indicator {INVALID_ID}"),
        ("WARNING", f"quarantined {TOPIC}[3] offset 7: EMPTY, indicator unknown"),
    ]
    assert MARKER not in caplog.text


def test_the_log_lines_of_a_batch_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    settle_batch([*JUNK, INVALID], committed=True)
    assert len(caplog.messages) == REJECTIONS_LOGGED_MAX + 1
    assert caplog.messages[-1] == "quarantined 4 more records of the same batch: EMPTY 3, FIELD_SOURCE_STATE 1"


def test_quarantined_records_of_an_aborted_batch_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    settle_batch([*JUNK, INVALID], committed=False)
    assert caplog.messages == []


@pytest.mark.parametrize("committed", [True, False])
def test_a_tracer_that_fails_does_not_stop_the_gate(*, committed: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The batch is settled and counted by then."""

    class BrokenTracer(BatchTracer):
        is_enabled = True

        def record_batch(self, *_: Any, **__: Any) -> None:
            raise RuntimeError(MARKER)

    growth = SampleGrowth()
    BatchObserver(ConsumerStatus(), BrokenTracer(None, "x"), lambda: None).start_batch(make_batch(), BatchResult())(
        committed
    )
    assert growth.get("sharing_indicators_read_total") == committed
    assert caplog.messages == ["the span of a batch could not be recorded (RuntimeError)"]


def test_a_batch_is_open_until_it_is_settled() -> None:
    observer = make_observer()
    assert observer.open_seconds() == 0
    first, second = (observer.start_batch(make_batch(), BatchResult()) for _ in range(2))
    first(True)
    assert observer.open_seconds() > 0
    growth = SampleGrowth()
    second(False)
    assert observer.open_seconds() == 0
    assert growth.get("sharing_transaction_aborts_total") == 1
    assert growth.get("sharing_indicators_read_total") == 0
    assert observer.aborted_at is not None
    observer.start_batch(make_batch(), BatchResult())(True)
    assert observer.aborted_at is None


def test_each_start_of_a_batch_is_tracked_by_itself() -> None:
    """Even when the same batch object is started twice."""
    observer, batch = make_observer(), make_batch()
    first, second = (observer.start_batch(batch, BatchResult()) for _ in range(2))
    first(False)
    assert observer.open_seconds() > 0
    second(True)
    assert observer.open_seconds() == 0


def test_indicators_with_a_failed_rule_are_counted() -> None:
    observer = make_observer()
    growth = SampleGrowth()
    for _ in range(2):
        observer.start_batch(make_batch(), BatchResult(rule_errors=Counter({"r.1": 3})))(True)
    observer.start_batch(make_batch(), BatchResult(rule_errors=Counter({"r.1": 3})))(False)
    assert growth.get("sharing_rule_errors_total", rule="r.1") == 6
