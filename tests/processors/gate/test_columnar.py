"""The columnar path and the record path write the same bytes in the same order for any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.gate.gate import BatchResult, Gate, is_conserved
from processors.gate.record_path import RecordPath
from sharing.audit.block import read_entry_id
from sharing.columnar import decoding, indicators
from sharing.columnar.indicators import ITEM_FIELDS, IndicatorReader
from sharing.columnar.splitting import SplitColumns, split_bodies
from sharing.law.facts import FACTS
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import AuditLogName, NoticeLane, Outcome
from sharing.packs.library import find_law, load_shipped_treaties
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing, make_registry_header
from tests.bench.workload import make_indicators
from tests.model.indicator_forms import valid_forms
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    EDGE_CHANGES,
    INVALID_MESSAGES,
    LAW,
    MESSAGES,
    NEVER_COLUMNAR,
    NOW_MS,
    TOPIC,
    Message,
    decode_output,
    indicator_form,
    make_message,
)

SWISS = find_law("CH").pack

SETTINGS = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def _columnar_decoding_of_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)


def encode_record(record: Any) -> Message:
    """Return the message of a record, which may be invalid."""
    return Message(get_codec("indicator").encode(record), record["id"].encode("utf-8", "replace"))


def encode_swiss_form(form: dict[str, Any]) -> Message:
    """Return the message of a form, as if Switzerland had published it."""
    return encode_record(Indicator.parse({**form, "source": {**form["source"], "state": "CH"}}).to_record())


def group_by_topic(result: BatchResult) -> dict[str, list[Any]]:
    """Return the outputs of each topic, in order, from the single records."""
    by_topic: dict[str, list[Any]] = {}
    for topic, *record in result.output_records:
        by_topic.setdefault(topic, []).append(record)
    return by_topic


def group_outgoing_by_topic(result: BatchResult) -> dict[str, list[Any]]:
    """Return the outputs of each topic, in order, as the log of decisions and the loop get them."""
    by_topic: dict[str, list[Any]] = {}
    for partition, decisions in result.outputs.group_decisions().items():
        for decision in decisions:
            key = read_entry_id(decision, AuditLogName.DECISIONS).encode()
            by_topic.setdefault("national.ch.decisions", []).append([key, decision, None, partition])
    for output in result.outputs.iter_other_outputs():
        by_topic.setdefault(output.topic, []).append(list(output[1:]))
    return by_topic


EDGE_MESSAGES = st.sampled_from(EDGE_CHANGES).map(
    lambda changes: encode_record({**Indicator.parse(indicator_form(7)).to_record(), **changes})
)
BATCHES = st.lists(st.one_of(MESSAGES, valid_forms().map(encode_swiss_form), EDGE_MESSAGES), max_size=24).map(
    lambda batch: [replace(message, record_offset=offset) for offset, message in enumerate(batch)]
)


@pytest.mark.parametrize("pack", [LAW, SWISS], ids=["invented law", "Swiss law"])
@SETTINGS
@given(batch=BATCHES)
def test_both_paths_write_the_same_outputs(pack: Any, batch: list[Message]) -> None:
    columnar_gate = Gate(pack, load_shipped_treaties(), columnar_min=1)
    record_gate = Gate(pack, load_shipped_treaties(), columnar_min=NEVER_COLUMNAR)
    for now_ms in (NOW_MS, NOW_MS + 1):  # the second time, everything is cached
        columnar, reference = (gate.process_batch(batch, DIRECTORY, now_ms) for gate in (columnar_gate, record_gate))
        assert columnar.output_records == reference.output_records
        assert (
            group_by_topic(columnar)
            == group_by_topic(reference)
            == group_outgoing_by_topic(columnar)
            == group_outgoing_by_topic(reference)
        )
        assert (columnar.outcomes, columnar.deliveries, columnar.quarantined, columnar.written) == (
            reference.outcomes, reference.deliveries, reference.quarantined, reference.written,
        )  # fmt: skip
        assert is_conserved(batch, columnar)


def test_valid_records_take_the_columnar_path(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(SWISS, load_shipped_treaties())
    batch = [Message(value, key) for key, value in make_indicators(200, 0.3)]
    reference = Gate(SWISS, load_shipped_treaties(), columnar_min=NEVER_COLUMNAR).process_batch(
        batch, DIRECTORY, NOW_MS
    )
    monkeypatch.setattr(gate._reader.decoder, "decode_one", lambda _: pytest.fail("a valid record was decoded alone"))
    assert gate.process_batch(batch, DIRECTORY, NOW_MS).output_records == reference.output_records


def test_a_large_batch_is_decoded_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding needs many times the memory of its records. The slices are columns, and change no output."""
    batch = [make_message(number, summary="s" * number) for number in range(1, 59)]
    whole = Gate(LAW, load_shipped_treaties(), columnar_min=1).process_batch(batch, DIRECTORY, NOW_MS)
    sizes: list[int] = []

    def split_counted(bodies: Sequence[bytes]) -> SplitColumns:
        sizes.append(len(bodies))
        return split_bodies(bodies)

    monkeypatch.setattr(indicators, "split_bodies", split_counted)
    monkeypatch.setattr(indicators, "SLICE_BYTES_MAX", 3_000)
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=1)
    monkeypatch.setattr(RecordPath, "process_record", lambda *_, **__: pytest.fail("a valid record was decided alone"))
    assert gate.process_batch(batch, DIRECTORY, NOW_MS).output_records == whole.output_records
    assert (sum(sizes), max(sizes) < 20) == (len(batch), True)


def test_an_invalid_record_does_not_take_others_off_the_columnar_path(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [make_message(number) for number in range(1, 60)]
    for position, name in {3: "malformed", 20: "left over", 41: "value", 57: "no key"}.items():
        batch[position] = INVALID_MESSAGES[name][0]
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=1)
    decoded_alone: list[bytes | None] = []

    def record_decode(value: bytes | None) -> Any:
        decoded_alone.append(value)
        return decode_one(value)

    decode_one = gate._reader.decoder.decode_one
    monkeypatch.setattr(gate._reader.decoder, "decode_one", record_decode)
    result = gate.process_batch(batch, DIRECTORY, NOW_MS)
    assert result.quarantined.total() == 4
    assert len(set(decoded_alone)) < 10  # the four, and neighbours that halving leaves with one of them
    assert (
        result.output_records
        == Gate(LAW, load_shipped_treaties(), columnar_min=NEVER_COLUMNAR)
        .process_batch(batch, DIRECTORY, NOW_MS)
        .output_records
    )


def test_facts_depend_only_on_shared_fields_and_retention() -> None:
    """Otherwise an item could share a verdict that holds only for another item."""
    record = Indicator.parse(indicator_form(1)).to_record()
    for path, value in {
        ("id",): "x", ("value",): "x", ("summary",): "x", ("source", "officer"): "x", ("source", "case"): "x",
        ("urgency_reason",): "x", ("observed_at",): None, ("review_at",): None,
    }.items():  # fmt: skip
        assert path in ITEM_FIELDS
        changed = {**record, path[0]: {**record[path[0]], path[1]: value} if path[1:] else value}
        for fact in FACTS.values():
            if fact.read_raw is not None:
                assert fact.read_raw(record, NOW_MS) == fact.read_raw(changed, NOW_MS), fact.name
    assert set(ITEM_FIELDS) == {("retain_until",), ("id",), ("value",), ("summary",), ("source", "officer"),
                        ("source", "case"), ("urgency_reason",), ("observed_at",), ("review_at",)}  # fmt: skip


@pytest.mark.parametrize(
    ("urgency", "officer", "reason", "is_substantiated"),
    [
        ("EMERGENCY", "o", "r", True),
        ("EMERGENCY", None, "r", False),
        ("EMERGENCY", "o", None, False),
        ("EMERGENCY", None, None, False),
        ("URGENT", "o", "r", False),
    ],
)
def test_a_substantiated_emergency_is_a_group_of_its_own(
    urgency: str, officer: str | None, reason: str | None, is_substantiated: bool
) -> None:
    """Otherwise an emergency without a reason could share the decision on one that has a reason."""
    source = {"state": "CH", "agency": "Police", "officer": officer, "authority": "POLICE"}
    messages = [
        make_message(number, urgency=urgency, urgency_reason=reason and f"{reason}{number}", source=source)
        for number in range(20)
    ]
    (batch,) = IndicatorReader().read_batch([each.value() for each in messages], [each.key() for each in messages], 0)
    ((_, _, flag),) = batch.group_keys
    assert flag is is_substantiated


def test_invalid_text_is_left_to_the_reference_path() -> None:
    valid = make_message(1)
    assert valid.data is not None
    invalid = replace(valid, data=valid.data.replace(b"a summary", b"a\xff\xfeummary"))
    result = Gate(LAW, load_shipped_treaties(), columnar_min=1).process_batch(
        [valid, invalid, valid], DIRECTORY, NOW_MS
    )
    assert result.quarantined == {"MALFORMED": 1}


def test_items_with_equal_shared_fields_are_one_group() -> None:
    keys, values = zip(*make_indicators(300, 1.0), strict=True)
    (column_batch,) = IndicatorReader().read_batch(values, keys, NOW_MS)
    assert len(column_batch.group_codes) == 300
    assert len(column_batch.group_keys) < 300


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_a_topic_of_one_agency_accepts_only_its_records(columnar_min: int) -> None:
    """The cluster lets only that agency write to the topic, so no record can pretend to be from another one."""
    gate = Gate(LAW, load_shipped_treaties(), agency_by_topic={TOPIC: "Police"}, columnar_min=columnar_min)
    other = make_message(
        2, source={"state": "CH", "agency": "Customs", "officer": "o", "authority": "POLICE", "case": "c"}
    )
    result = gate.process_batch([make_message(1), other, make_message(3)], DIRECTORY, NOW_MS)
    assert result.outcomes.total() == 2
    assert result.quarantined == {"FIELD_SOURCE_AGENCY": 1}
    other_gate = Gate(
        LAW,
        load_shipped_treaties(),
        agency_by_topic={"national.ch.indicators.customs": "Customs"},
        columnar_min=columnar_min,
    )
    assert other_gate.process_batch([make_message(1), other], DIRECTORY, NOW_MS).quarantined == {
        "FIELD_SOURCE_AGENCY": 2
    }


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_an_expired_item_is_withheld_even_if_it_is_alike_to_one_that_is_not(columnar_min: int) -> None:
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
    kept = "2026-03-01T12:00:01Z"  # one second after the processing time of the first batch
    batch = [make_message(1, retain_until=kept), make_message(2, retain_until="2026-03-01T12:00:00Z")]
    for reverse in (False, True):
        result = gate.process_batch(batch[::-1] if reverse else batch, DIRECTORY, NOW_MS)
        notified = [output.key for output in result.output_records if output.topic == "exchange.us.notices"]
        assert notified == [batch[0].key()]
    assert gate.process_batch(batch, DIRECTORY, NOW_MS + 1_000).outcomes == {Outcome.WITHHOLD: 2}


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
@pytest.mark.parametrize("refused", ["malformed", "wrong key", "value"])
def test_latency_and_trace_belong_to_the_item_itself_after_a_refused_record(refused: str, columnar_min: int) -> None:
    """Rows are counted without the records that take the record path, positions with them."""
    refused_message = INVALID_MESSAGES[refused][0]
    items = [make_message(number) for number in range(1, 8)]
    batch = [
        replace(
            message,
            published_at=NOW_MS - number,
            record_headers=(("traceparent", f"00-{number:032x}-{number:016x}-01".encode()),),
        )
        for number, message in enumerate([refused_message, *items[:3], refused_message, *items[3:]], 1)
    ]
    accepted = [2, 3, 4, 6, 7, 8, 9]
    result = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min).process_batch(batch, DIRECTORY, NOW_MS)
    assert sorted(result.published[NoticeLane.ORDINARY]) == sorted(NOW_MS - number for number in accepted)
    traces = {
        output.key: str(dict(output.headers or ())["traceparent"])[3:35]
        for output in result.output_records
        if output.topic == "exchange.us.notices"
    }
    assert traces == {batch[number - 1].key(): f"{number:032x}" for number in accepted}


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_a_draft_contains_the_record_without_the_frame_of_a_registry(columnar_min: int) -> None:
    """A later reader may have no registry."""
    codec, frame = get_codec("indicator"), make_registry_header(7)
    gate = Gate(LAW, load_shipped_treaties(), framing=Framing({}, {frame: codec.header}), columnar_min=columnar_min)
    plain = make_message(1)
    framed = replace(plain, data=frame + (plain.data or b"")[len(codec.header) :])
    result = gate.process_batch([framed, make_message(2)], DIRECTORY, NOW_MS)
    drafts = [decode_output(output) for output in result.output_records if output.topic == "national.ch.drafts"]
    assert drafts[0]["content"] == plain.data
