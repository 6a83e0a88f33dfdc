"""Columnar and record-by-record replay give the same results, counts and reports of rejected records."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.columnar import decoding as bulk_decoding
from sharing.columnar import groups
from sharing.columnar.indicators import IndicatorReader
from sharing.columnar.splitting import RecordBlock
from sharing.law.decision_context import DecisionContext
from sharing.law.rehearsal import Rehearsal, RehearsalSummary
from sharing.model.bad_batch import BadBatch
from sharing.model.indicator import Indicator
from sharing.packs.library import adopt_law, find_law, get_pack_path, read_law_file, read_law_texts
from sharing.replay import avro_containers, recorded_containers
from sharing.replay.admission import AdmissionStats
from sharing.replay.batch_rehearsal import BatchReplayer
from sharing.replay.recorded_batch import RecordedBatch
from sharing.replay.recorded_files import read_recorded_files
from sharing.replay.recorded_topic import read_topic_range
from sharing.replay.sealed_records import SealedRecords
from sharing.seal.indicators import IndicatorSealer
from sharing.serialization.codec import get_codec, read_released_schemas
from sharing.serialization.framing import Framing, make_registry_header
from tests.bench.rehearsal import NARROWED_RULE
from tests.bench.workload import make_indicators
from tests.model.indicator_forms import valid_forms
from tests.processors.gate.gate_fixtures import DIRECTORY, EDGE_CHANGES, NOW_MS, Message
from tests.seal.seal_fixtures import make_opening_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CODEC = get_codec("indicator")
GOOD = [CODEC.decode(value) for _, value in make_indicators(400, 0.3)]
HYPOTHESIS_SETTINGS = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@cache
def current_and_amended_law() -> tuple[Any, Any]:
    law = find_law("CH")
    texts = replace(read_law_texts(get_pack_path("CH")), treaties_text=law.treaties.text)
    amended = read_law_file(get_pack_path("CH")).replace(*NARROWED_RULE)
    return law, adopt_law(replace(texts, pack_text=amended).parse_law(), "CH")


def replay(batches: Iterable[RecordedBatch], *, columnar: bool) -> tuple[RehearsalSummary, AdmissionStats]:
    contexts = [DecisionContext.open(law.pack, law.treaties, DIRECTORY, NOW_MS) for law in current_and_amended_law()]
    rehearsal, admission = Rehearsal(contexts[0].disclosure_filter, contexts[1].disclosure_filter), AdmissionStats("CH")
    batch_rehearsal = BatchReplayer(rehearsal, contexts[0].finder, admission, NOW_MS)
    for batch in batches:
        batch_rehearsal.replay_batch(batch if columnar else replace(batch, read_columns=lambda _, __: ()))
    return rehearsal.summarise(), admission


def write_container(path: Path, records: Iterable[Any], schema: Any = CODEC.schema, **options: Any) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, **options)
    return path


def replay_both_ways(path: Path) -> tuple[RehearsalSummary, AdmissionStats]:
    """Replay a file in columnar form and record by record; the results must be equal."""
    columnar, one_by_one = (
        replay(read_recorded_files([path], "CH", lambda _: None), columnar=columnar) for columnar in (True, False)
    )
    assert columnar == one_by_one
    return columnar


@pytest.fixture
def forbid_single_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        avro_containers.ContainerBlock, "iter_records", lambda _: pytest.fail("was read record by record")
    )


def _make_swiss(data: dict[str, Any]) -> dict[str, Any]:
    return Indicator.parse({**data, "source": {**data["source"], "state": "CH"}}).to_record()


_RECORDS = st.lists(
    st.one_of(
        st.sampled_from(GOOD),
        valid_forms().map(_make_swiss),
        st.tuples(st.sampled_from(GOOD), st.sampled_from(EDGE_CHANGES)).map(lambda pair: {**pair[0], **pair[1]}),
        st.sampled_from(GOOD).map(lambda record: {**record, "source": {**record["source"], "state": "DE"}}),
    ),
    max_size=30,
)


@HYPOTHESIS_SETTINGS
@given(records=_RECORDS, sync=st.sampled_from([1, 1_500, 64_000]), batch=st.integers(1, 40))
def test_both_ways_count_and_report_the_same(
    records: list[dict[str, Any]], sync: int, batch: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_container(tmp_path_factory.mktemp("replay") / "c.avro", records, codec="deflate", sync_interval=sync)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded_containers, "_BATCH_RECORDS", batch)
        summary, admission = replay_both_ways(path)
    assert summary.items == admission.admitted == len(records) - admission.rejected


@pytest.mark.usefixtures("forbid_single_records")
@pytest.mark.parametrize("compression", ["null", "deflate"])
def test_valid_records_are_read_in_columnar_form(tmp_path: Path, compression: str) -> None:
    path = write_container(tmp_path / "c.avro", GOOD, codec=compression, sync_interval=5_000)
    summary, admission = replay(read_recorded_files([path], "CH", lambda _: None), columnar=True)
    assert (summary.items, admission.admitted, admission.rejected) == (400, 400, 0)
    assert 0 < summary.altered < 400


def test_invalid_records_are_reported_with_their_place(tmp_path: Path) -> None:
    records = [dict(record) for record in GOOD]
    records[3]["value"] = "canary"
    records[200]["tlp"] = "GOLD"
    records[399]["source"] = {**records[399]["source"], "state": "DE"}
    _, admission = replay_both_ways(write_container(tmp_path / "c.avro", records, sync_interval=5_000))
    assert [entry.location for entry in admission.first_rejected] == ["record 4", "record 201", "record 400"]
    assert admission.admitted == 397
    assert "canary" not in str(admission.first_rejected)


def test_a_file_with_an_earlier_schema_counts_the_same(tmp_path: Path) -> None:
    for name, text in read_released_schemas("indicator").items():
        path = write_container(tmp_path / name, GOOD[:50], json.loads(text))
        assert replay_both_ways(path)[0].items == 50


def test_a_damaged_file_is_replayed_up_to_the_damage(tmp_path: Path) -> None:
    path = write_container(tmp_path / "c.avro", GOOD, sync_interval=2_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    summary, admission = replay_both_ways(path)
    assert 0 < summary.items < 400
    (entry,) = admission.first_rejected
    assert entry.location == f"after record {summary.items}"


def test_both_ways_count_the_same_whichever_byte_is_corrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_containers, "_BATCH_RECORDS", 30)
    path = write_container(tmp_path / "c.avro", GOOD[:60], sync_interval=2_000)
    whole = path.read_bytes()
    header = len(write_container(tmp_path / "empty.avro", []).read_bytes())
    for position in range(header, len(whole), 211):
        for flipped in (0x01, 0x55, 0x80):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ flipped]) + whole[position + 1 :])
            summary, admission = replay_both_ways(path)
            assert summary.items == admission.admitted
            assert admission.admitted + admission.rejected > 0


def encode(records: list[Any]) -> bytes:
    return b"".join(CODEC.encode_unframed(record) for record in records)


def test_blocks_with_surplus_or_missing_bytes_are_not_read_in_columnar_form() -> None:
    reader = IndicatorReader()
    good = RecordBlock(5, encode(GOOD[:5]))
    whole = [good, RecordBlock(3, encode(GOOD[5:8]))]
    (part,) = reader.read_blocks(whole, NOW_MS)
    assert (list(part.positions), [key.decode() for key in part.keys]) == (
        list(range(8)), [record["id"] for record in GOOD[:8]],
    )  # fmt: skip
    for bad in (
        RecordBlock(5, good.body + b"\0"),
        RecordBlock(4, good.body),
        RecordBlock(6, good.body),
        RecordBlock(10**12, good.body),
        RecordBlock(5, good.body[:-1]),
        RecordBlock(1, b""),
    ):
        positions = [list(columns.positions) for columns in reader.read_blocks([good, bad, good], NOW_MS)]
        assert positions == [list(range(5)), list(range(5 + bad.count, 10 + bad.count))]


class FakeTopicRange:
    """Messages in batches, as from the range of a topic."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages
        self.bad_batches: list[BadBatch] = []

    def read_batches(self) -> Iterable[list[Message]]:
        yield self._messages[:150]
        yield self._messages[150:]


@pytest.mark.parametrize("corrupted", [False, True])
def test_a_range_of_a_topic_counts_the_same(corrupted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [Message(CODEC.encode(record), record["id"].encode(), place) for place, record in enumerate(GOOD)]
    if corrupted:
        messages[7] = replace(messages[7], record_key=b"another key")
        messages[222] = replace(messages[222], data=b"junk")
    else:
        monkeypatch.setattr(bulk_decoding.BulkDecoder, "decode", lambda *_: pytest.fail("was read record by record"))
    topic: Any = FakeTopicRange(messages)
    columnar = replay(read_topic_range(topic, "topic", lambda _: None, SealedRecords("CH", None)), columnar=True)
    monkeypatch.undo()
    one_by_one = replay(read_topic_range(topic, "topic", lambda _: None, SealedRecords("CH", None)), columnar=False)
    assert columnar == one_by_one
    assert [entry.location for entry in columnar[1].first_rejected] == (["3@7", "3@222"] if corrupted else [])
    assert columnar[0].items == (398 if corrupted else 400)


@pytest.mark.parametrize("columnar", [True, False])
def test_a_batch_that_no_client_can_read_is_counted_and_named(columnar: bool) -> None:
    topic: Any = FakeTopicRange([Message(CODEC.encode(GOOD[0]), GOOD[0]["id"].encode())])
    topic.bad_batches.append(BadBatch("topic", 2, 7, 11, "_BAD_COMPRESSION"))
    summary, admission = replay(
        read_topic_range(topic, "topic", lambda _: None, SealedRecords("CH", None)), columnar=columnar
    )
    assert (summary.items, admission.rejected) == (1, 1)
    assert admission.first_rejected[0].location == "2@7-11"


@pytest.mark.parametrize("columnar", [True, False])
def test_a_sealed_range_counts_the_same_as_an_unsealed_one(columnar: bool) -> None:
    key = make_opening_key("seal CH")
    sealer = IndicatorSealer("CH", random.Random(1).randbytes)
    messages = [
        Message(
            sealer.seal_indicator(record["id"].encode(), CODEC.encode(record), key.public_key, NOW_MS),
            record["id"].encode(), place,
        )
        for place, record in enumerate(GOOD)
    ]  # fmt: skip
    messages[3] = Message(CODEC.encode(GOOD[3]), GOOD[3]["id"].encode(), 3)  # an unsealed one among them
    messages[5] = replace(messages[5], data=messages[6].data)
    topic: Any = FakeTopicRange(messages)
    keys = {key.public_key.key_id: key}
    summary, admission = replay(
        read_topic_range(topic, "t", lambda _: None, SealedRecords("CH", keys)), columnar=columnar
    )
    assert (summary.items, admission.rejected) == (399, 1)
    assert admission.first_rejected[0].location == "3@5"
    assert "does not open" in admission.first_rejected[0].reason
    unopened = replay(read_topic_range(topic, "t", lambda _: None, SealedRecords("CH", None)), columnar=columnar)
    assert (unopened[0].items, unopened[1].rejected) == (1, 399)
    assert "is sealed to the gate of CH: to open it, set SHARING_KEY_FOLDER" in unopened[1].first_rejected[0].reason
    foreign = replay(read_topic_range(topic, "t", lambda _: None, SealedRecords("CH", {})), columnar=columnar)
    assert "restore it from the backup" in foreign[1].first_rejected[0].reason


@pytest.mark.parametrize("columnar", [True, False])
def test_a_range_with_registry_framing_is_read(columnar: bool) -> None:
    frame = make_registry_header(7)
    messages = [Message(frame + CODEC.encode_unframed(record), record["id"].encode()) for record in GOOD[:50]]
    topic: Any = FakeTopicRange(messages)
    sealed = SealedRecords("CH", None, Framing(known_headers={frame: CODEC.header}))
    result = replay(read_topic_range(topic, "topic", lambda _: None, sealed), columnar=columnar)
    assert (result[0].items, result[1].rejected) == (50, 0)


def test_an_empty_file_has_no_indicators(tmp_path: Path) -> None:
    summary, admission = replay_both_ways(write_container(tmp_path / "c.avro", []))
    assert (summary.items, admission.rejected) == (0, 0)
    assert list(IndicatorReader().read_blocks([], NOW_MS)) == []


def test_groups_that_need_more_memory_than_allowed_are_created_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_container(tmp_path / "indicators.avro", GOOD)
    expected = replay_both_ways(path)
    monkeypatch.setattr(groups, "GROUP_KEY_BYTES_MAX", 1_000)
    assert replay_both_ways(path) == expected
