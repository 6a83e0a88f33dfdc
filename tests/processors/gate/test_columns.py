"""By columns and record by record, the gate writes the same bytes in the same order, whatever comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.exactly_once.batch import OutputRun
from processors.gate.gate import BatchResult, Gate, conserves
from sharing.columnar import decoding as bulk_decoding
from sharing.columnar.indicators import OWN, IndicatorReader
from sharing.law.facts import FACTS
from sharing.model.indicator import Indicator
from sharing.packs.library import find_law, shipped_treaties
from sharing.serialization.codec import codec_of
from tests.bench.workload import make_indicators
from tests.model.indicator_forms import forms
from tests.processors.gate.test_gate import _MESSAGES, BAD, DIRECTORY, LAW, NOW_MS, Message, form, sent

SWISS = find_law("CH").pack
ALONE = 10**9

SETTINGS = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def _columns_for_the_smallest_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_decoding, "ALONE_MAX", 2)


def message(record: Any, place: int = 0) -> Message:
    """Return a record of the wire form as it would come, sound or not."""
    return Message(codec_of("indicator").encode(record), record["id"].encode("utf-8", "replace"), place)


def _swiss(data: dict[str, Any]) -> Message:
    record = Indicator.read({**data, "source": {**data["source"], "state": "CH"}}).to_wire()
    return message(record)


def _by_topic(processed: BatchResult) -> dict[str, list[Any]]:
    """Return what is written to each topic, in its order, each record by itself."""
    found: dict[str, list[Any]] = {}
    for topic, *record in processed.outputs:
        found.setdefault(topic, []).append(record)
    return found


def _by_topic_together(processed: BatchResult) -> dict[str, list[Any]]:
    """Return likewise what a lane is given."""
    found: dict[str, list[Any]] = {}
    for output in processed.written.together():
        if isinstance(output, OutputRun):
            pairs = zip(output.keys, output.values, strict=True)
            found.setdefault(output.topic, []).extend([key, value, None] for key, value in pairs)
        else:
            found.setdefault(output.topic, []).append(list(output[1:]))
    return found


_CHANGES: list[dict[str, Any]] = [
    {"id": "018F3C1E-7B1A-7C3D-8E2F-0123456789AB"},
    {"id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab\n"},
    {"value": "malware.example.org\n"},
    {"summary": ""},
    {"summary": "é" * 8_192},
    {"summary": "é" * 8_193},
    {"reason": ""},
    {"tlp": "GOLD"},
    {"version": 0},
    {"version": 2},
    {"handling": ["H3"]},
    {"source": {"state": "CH", "agency": "", "officer": None, "authority": "POLICE", "case": None}},
    {"source": {"state": "CH", "agency": "a", "officer": "", "authority": "POLICE", "case": None}},
    {"source": {"state": "CH", "agency": "a", "officer": None, "authority": "POLICE", "case": "c" * 513}},
]
_SPOILT = st.sampled_from(_CHANGES).map(lambda changes: message({**Indicator.read(form(7)).to_wire(), **changes}))

_BATCHES = st.lists(st.one_of(_MESSAGES, forms().map(_swiss), _SPOILT), max_size=24).map(
    lambda batch: [replace(one, place=place) for place, one in enumerate(batch)]
)


@pytest.mark.parametrize("pack", [LAW, SWISS], ids=["invented", "Swiss"])
@SETTINGS
@given(batch=_BATCHES)
def test_by_columns_and_one_by_one_the_same_is_written(pack: Any, batch: list[Message]) -> None:
    columns = Gate(pack, shipped_treaties(), columns_min=1)
    alone = Gate(pack, shipped_treaties(), columns_min=ALONE)
    for now_ms in (NOW_MS, NOW_MS + 1):  # the second time everything is remembered
        one, other = columns.process(batch, DIRECTORY, now_ms), alone.process(batch, DIRECTORY, now_ms)
        assert one.outputs == other.outputs
        assert _by_topic(one) == _by_topic(other) == _by_topic_together(one) == _by_topic_together(other)
        assert (one.outcomes, one.deliveries, one.quarantined) == (other.outcomes, other.deliveries, other.quarantined)
        assert conserves(batch, one)


def test_what_is_in_order_is_taken_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(SWISS, shipped_treaties())
    batch = [Message(value, key) for key, value in make_indicators(200, 0.3)]
    expected = Gate(SWISS, shipped_treaties(), columns_min=ALONE).process(batch, DIRECTORY, NOW_MS).outputs
    monkeypatch.setattr(gate._reader.decoder, "decode_alone", lambda _: pytest.fail("a good record was taken alone"))
    assert gate.process(batch, DIRECTORY, NOW_MS).outputs == expected


def test_a_bad_record_is_found_among_good_ones_and_the_rest_stays_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [sent(number) for number in range(1, 60)]
    for place, name in {3: "malformed", 20: "left over", 41: "value", 57: "no key"}.items():
        batch[place] = BAD[name][0]
    gate = Gate(LAW, shipped_treaties(), columns_min=1)
    taken: list[bytes | None] = []

    def decode_alone(value: bytes | None) -> Any:
        taken.append(value)
        return decode(value)

    decode = gate._reader.decoder.decode_alone
    monkeypatch.setattr(gate._reader.decoder, "decode_alone", decode_alone)
    processed = gate.process(batch, DIRECTORY, NOW_MS)
    assert processed.quarantined.total() == 4
    assert len(taken) < 10  # those, and a neighbour that halving leaves with one of them
    assert (
        processed.outputs == Gate(LAW, shipped_treaties(), columns_min=ALONE).process(batch, DIRECTORY, NOW_MS).outputs
    )


def test_a_fact_is_read_of_what_alike_items_share_or_of_their_retention() -> None:
    """Else two items could share a verdict that only one of them was given."""
    record = Indicator.read(form(1)).to_wire()
    for path, other in {
        ("id",): "x", ("value",): "x", ("summary",): "x", ("source", "officer"): "x", ("source", "case"): "x",
        ("observed_at",): None, ("review_at",): None,
    }.items():  # fmt: skip
        assert path in OWN
        changed = {**record, path[0]: {**record[path[0]], path[1]: other} if path[1:] else other}
        for fact in FACTS.values():
            if fact.read is not None:
                assert fact.read(record, NOW_MS) == fact.read(changed, NOW_MS), fact.name
    assert set(OWN) == {("retain_until",), ("id",), ("value",), ("summary",), ("source", "officer"),
                        ("source", "case"), ("observed_at",), ("review_at",)}  # fmt: skip


def test_invalid_text_is_left_to_the_reference_path() -> None:
    good = sent(1)
    assert good.data is not None
    broken = replace(good, data=good.data.replace(b"a summary", b"a\xff\xfeummary"))
    processed = Gate(LAW, shipped_treaties(), columns_min=1).process([good, broken, good], DIRECTORY, NOW_MS)
    assert processed.quarantined == {"MALFORMED": 1}


def test_alike_items_are_one_cohort() -> None:
    batch = [Message(value, key) for key, value in make_indicators(300, 1.0)]
    (part,) = IndicatorReader().read([one.data for one in batch], [one.name for one in batch], NOW_MS)
    assert len(part.codes) == 300
    assert len(part.alike) < 300


@pytest.mark.parametrize("columns_min", [1, ALONE])
def test_what_stands_in_an_agencys_own_topic_is_that_agencys_or_refused(columns_min: int) -> None:
    """The cluster lets one agency alone write there: so a record cannot pretend to be another's."""
    own = Message.topic(sent(1))
    gate = Gate(LAW, shipped_treaties(), agencies={own: "Police"}, columns_min=columns_min)
    other = sent(2, source={"state": "CH", "agency": "Customs", "officer": "o", "authority": "POLICE", "case": "c"})
    processed = gate.process([sent(1), other, sent(3)], DIRECTORY, NOW_MS)
    assert processed.outcomes.total() == 2
    assert processed.quarantined == {"FIELD_SOURCE_AGENCY": 1}
    elsewhere = Gate(
        LAW, shipped_treaties(), agencies={"national.ch.indicators.customs": "Customs"}, columns_min=columns_min
    )
    assert elsewhere.process([sent(1), other], DIRECTORY, NOW_MS).quarantined == {"FIELD_SOURCE_AGENCY": 2}
