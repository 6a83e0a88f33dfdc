"""Every record of a batch is accounted for once, and the outputs are those that the outcomes require."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.exactly_once.batch import OutputRecord
from processors.gate.batch_result import is_balanced
from processors.gate.columnar_writer import ColumnarWriter
from processors.gate.gate import BatchResult, Gate, is_conserved
from processors.gate.input_records import InputRecords
from processors.gate.outcome_tally import StatedEmergency
from processors.gate.record_writer import RecordWriter
from processors.gate.rejection import RejectedRecord
from sharing.columnar import decoding
from sharing.model.vocabulary import NoticeLane, Outcome
from sharing.packs.library import load_shipped_treaties
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    HELD,
    HYPOTHESIS_SETTINGS,
    INVALID_MESSAGES,
    LAW,
    MESSAGES,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    WITHHELD,
    Message,
    decode_by_topic,
    make_message,
    process_messages,
)


@HYPOTHESIS_SETTINGS
@given(st.lists(MESSAGES, max_size=40))
def test_every_record_of_any_batch_is_accounted_for_once(batch: list[Message]) -> None:
    result = Gate(LAW, load_shipped_treaties()).process_batch(batch, DIRECTORY, NOW_MS)
    assert is_conserved(batch, result)
    by_topic = decode_by_topic(result)
    decisions = by_topic.get("national.ch.decisions", [])
    assert len(decisions) == result.outcomes.total()
    assert len(by_topic.get("national.ch.quarantine", [])) == result.quarantined.total()
    deliveries = Counter(recipient["outcome"] for decision in decisions for recipient in decision["recipients"])
    assert deliveries == Counter({str(outcome): count for outcome, count in result.deliveries.items()})
    for suffix, outcome in ((("notices", "urgent"), "DISCLOSE"), (("offers",), "OFFER")):
        written = sum(len(records) for topic, records in by_topic.items() if topic.rpartition(".")[2] in suffix)
        assert written == deliveries[outcome]
    # Every indicator has a draft, except a first version that is withheld from all.
    assert len(by_topic.get("national.ch.drafts", [])) <= len(decisions)
    for output in result.output_records:
        assert output.topic.startswith(("national.ch.", "exchange."))
        assert not output.topic.startswith("exchange.ch.")


@HYPOTHESIS_SETTINGS
@given(st.lists(MESSAGES, min_size=1, max_size=40), st.integers(1, 40))
def test_a_batch_has_the_same_outputs_as_its_parts_and_its_single_records(batch: list[Message], size: int) -> None:
    whole = Gate(LAW, load_shipped_treaties()).process_batch(batch, DIRECTORY, NOW_MS)
    gate = Gate(LAW, load_shipped_treaties())
    parts = [gate.process_batch(batch[start : start + size], DIRECTORY, NOW_MS) for start in range(0, len(batch), size)]
    assert [output for part in parts for output in part.output_records] == whole.output_records
    single = [
        output
        for message in batch[:4]
        for output in Gate(LAW, load_shipped_treaties()).process_batch([message], DIRECTORY, NOW_MS).output_records
    ]
    assert whole.output_records[: len(single)] == single
    total = BatchResult()
    for part in parts:
        total.add_counts(part)
    assert (total.outcomes, total.deliveries, total.quarantined, total.written) == (
        whole.outcomes, whole.deliveries, whole.quarantined, whole.written,
    )  # fmt: skip
    assert gate.process_batch(batch, DIRECTORY, NOW_MS).output_records == whole.output_records


def test_an_empty_batch_has_no_outputs() -> None:
    assert process_messages().output_records == []


def test_a_missing_record_is_detected() -> None:
    batch = [make_message(1), make_message(2)]
    assert not is_conserved(batch, process_messages(make_message(1)))


BATCH = [
    make_message(1),
    make_message(2, urgency="URGENT"),
    make_message(3, **OFFERED),
    make_message(4, **HELD),
    make_message(5, **WITHHELD),
    make_message(6, action="WITHDRAW", version=2, reason="r"),
    INVALID_MESSAGES["malformed"][0],
]
PATHS = pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR], ids=["columnar", "record by record"])


@pytest.fixture
def _columnar_decoding_of_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)


def decide(columnar_min: int) -> BatchResult:
    return Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min).process_batch(BATCH, DIRECTORY, NOW_MS)


@pytest.mark.usefixtures("_columnar_decoding_of_small_batches")
@PATHS
def test_written_outputs_are_counted_by_kind(columnar_min: int) -> None:
    result = decide(columnar_min)
    assert result.written == {"decisions": 6, "notices": 1, "urgent": 1, "offers": 2, "drafts": 5, "quarantine": 1}
    assert is_conserved(BATCH, result)


@pytest.mark.usefixtures("_columnar_decoding_of_small_batches")
@PATHS
@pytest.mark.parametrize("kind", ["decisions", "notices", "urgent", "offers", "drafts", "quarantine"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_outputs_is_detected(kind: str, change: int, columnar_min: int) -> None:
    result = decide(columnar_min)
    result.written[kind] += change
    assert not is_conserved(BATCH, result)


def test_an_output_to_an_unexpected_topic_is_detected() -> None:
    result = decide(NEVER_COLUMNAR)
    result.written["indicators"] += 1
    assert not is_conserved(BATCH, result)


@pytest.mark.usefixtures("_columnar_decoding_of_small_batches")
@PATHS
def test_the_count_is_that_of_the_outputs_themselves(columnar_min: int) -> None:
    """A count that is kept beside the outputs could agree with the outcomes while an output is lost."""
    outputs = decide(columnar_min).outputs
    before = outputs.count_by_topic_kind()
    outputs.decisions[0] = None
    for position, records in outputs.other_outputs.items():
        outputs.other_outputs[position] = records[1:]
    lost = {"decisions": 1, "notices": 1, "urgent": 1, "offers": 1, "drafts": 2, "quarantine": 1}
    assert before - outputs.count_by_topic_kind() == lost


@pytest.mark.parametrize("outcome", [Outcome.DISCLOSE, Outcome.OFFER, Outcome.HOLD])
def test_an_open_indicator_without_a_draft_is_detected(outcome: Outcome) -> None:
    """Even where its draft is missing from the counts as well as from the outputs."""
    result = decide(NEVER_COLUMNAR)
    result.drafts[outcome] -= 1
    result.written["drafts"] -= 1
    assert not is_conserved(BATCH, result)


@pytest.mark.usefixtures("_columnar_decoding_of_small_batches")
@pytest.mark.parametrize(
    "topic", ["exchange.us.notices", "exchange.us.urgent", "exchange.fr.offers", "national.ch.drafts"]
)
@PATHS
def test_a_lost_output_is_detected(topic: str, columnar_min: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_topic(records: list[OutputRecord]) -> list[OutputRecord]:
        return [record for record in records if record.topic != topic]

    build_outputs, build_other_outputs = RecordWriter.build_outputs, ColumnarWriter.build_other_outputs

    def lose_output(self: RecordWriter, *arguments: Any) -> list[OutputRecord]:
        return without_topic(build_outputs(self, *arguments))

    def lose_columnar_output(self: ColumnarWriter, *arguments: Any) -> Iterator[tuple[int, Any, list[OutputRecord]]]:
        for row, plan, records in build_other_outputs(self, *arguments):
            yield row, plan, without_topic(records)

    monkeypatch.setattr(RecordWriter, "build_outputs", lose_output)
    monkeypatch.setattr(ColumnarWriter, "build_other_outputs", lose_columnar_output)
    result = decide(columnar_min)
    assert (result.outcomes.total(), result.quarantined.total()) == (6, 1)
    assert not is_conserved(BATCH, result)


def fill(number: int) -> BatchResult:
    """Return a result with something in every field."""
    return BatchResult(
        written=Counter({"decisions": number}),
        outcomes=Counter({Outcome.HOLD: number}),
        deliveries=Counter({Outcome.OFFER: number}),
        quarantined=Counter({"EMPTY": number}),
        effects=Counter({"PERMIT": number}),
        drafts=Counter({Outcome.DISCLOSE: number}),
        required_drafts=Counter({Outcome.DISCLOSE: number}),
        sent=Counter({"notices": number}),
        rule_errors=Counter({"ch.permit": number}),
        emergencies=Counter({StatedEmergency("Police", is_substantiated=True): number}),
        published={NoticeLane.URGENT: [number], NoticeLane.ORDINARY: [number] * (number % 2)},
        rejections=[RejectedRecord("topic", 0, number, "EMPTY", None)],
    )


def test_the_totals_of_parts_have_every_field_of_a_result() -> None:
    total = BatchResult()
    for number in (1, 2):
        total.add_counts(fill(number))
    for each in fields(BatchResult):
        if each.name not in ("outputs", "published", "rejections"):
            assert getattr(total, each.name) == Counter(dict.fromkeys(getattr(fill(1), each.name), 3)), each.name
        assert each.name == "outputs" or getattr(fill(1), each.name), "fill every field"
    assert total.published == {NoticeLane.URGENT: [1, 2], NoticeLane.ORDINARY: [1]}
    assert [record.offset for record in total.rejections] == [1, 2]


@pytest.mark.usefixtures("_columnar_decoding_of_small_batches")
@PATHS
def test_a_decision_and_a_quarantine_record_cannot_replace_each_other(columnar_min: int) -> None:
    """The counts would still be balanced."""
    outputs = decide(columnar_min).outputs
    assert outputs.account_for_each_record()
    decided, quarantined = 0, 6
    outputs.decisions[quarantined], outputs.decisions[decided] = outputs.decisions[decided], None
    assert not outputs.account_for_each_record()


def count_output_bytes(result: BatchResult) -> int:
    return sum(len(output.value or b"") for output in result.output_records)


@pytest.mark.usefixtures("_columnar_decoding_of_small_batches")
@PATHS
@pytest.mark.parametrize("part_bytes_max", [1, 2_500, 6_000])
def test_a_part_ends_where_its_outputs_exceed_the_limit(columnar_min: int, part_bytes_max: int) -> None:
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min, part_bytes_max=part_bytes_max)
    parts = list(gate.process_parts(InputRecords.read(BATCH), DIRECTORY, NOW_MS, None))
    assert len(parts) > 1
    assert all(part.outputs.account_for_each_record() and is_balanced(part) for part in parts)
    assert BatchResult.join(parts).output_records == decide(columnar_min).output_records
    single = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
    largest = max(count_output_bytes(single.process_batch([message], DIRECTORY, NOW_MS)) for message in BATCH)
    # Both paths stop at the limit, each after the record that exceeds it.
    assert max(map(count_output_bytes, parts)) <= 2 * (part_bytes_max + largest)
