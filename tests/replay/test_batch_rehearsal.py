"""By columns and record by record the same is rehearsed, counted, and told of what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.columnar import decoding as bulk_decoding
from sharing.columnar.indicators import IndicatorReader, RecordBlock
from sharing.law.decision_context import DecisionContext
from sharing.law.rehearse import Difference, Rehearsal
from sharing.model.indicator import Indicator
from sharing.packs.library import adopt, find_law, pack_place, read_text, read_texts
from sharing.replay import containers, recorded_batches
from sharing.replay.admission import AdmissionStats
from sharing.replay.batch_rehearsal import BatchRehearsal
from sharing.replay.recorded_batches import RecordedBatch, read_files, read_range
from sharing.serialization.codec import codec_of, released_texts
from sharing.serialization.framing import Framing, registry_frame
from tests.bench.rehearsal import NARROWED
from tests.bench.workload import make_indicators
from tests.model.indicator_forms import forms
from tests.processors.gate.test_columns import _CHANGES
from tests.processors.gate.test_gate import DIRECTORY, NOW_MS, Message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CODEC = codec_of("indicator")
GOOD = [CODEC.decode(value) for _, value in make_indicators(400, 0.3)]
QUIET = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@cache
def packs() -> tuple[Any, Any]:
    law = find_law("CH")
    texts = replace(read_texts(pack_place("CH")), treaties=law.treaties.text)
    return law, adopt(replace(texts, pack=read_text(pack_place("CH")).replace(*NARROWED)).read(), "CH")


def replay(batches: Iterable[RecordedBatch], *, columns: bool) -> tuple[Difference, AdmissionStats]:
    laws = [DecisionContext.open(law.pack, law.treaties, DIRECTORY, NOW_MS) for law in packs()]
    rehearsal, intake = Rehearsal(laws[0].law, laws[1].law), AdmissionStats("CH")
    replayed = BatchRehearsal(rehearsal, laws[0].finder, intake, NOW_MS)
    for batch in batches:
        replayed.take(batch if columns else replace(batch, parts=lambda _, __: ()))
    return rehearsal.difference(), intake


def lay(path: Path, records: Iterable[Any], schema: Any = CODEC.schema, **more: Any) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, **more)
    return path


def both(path: Path) -> tuple[Difference, AdmissionStats]:
    """Replay a file both ways, which must be the same."""
    one, other = (replay(read_files([path], "CH", lambda _: None), columns=columns) for columns in (True, False))
    assert one == other
    return one


@pytest.fixture
def no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers.ContainerBlock, "records", lambda _: pytest.fail("was read record by record"))


def _swiss(data: dict[str, Any]) -> dict[str, Any]:
    return Indicator.read({**data, "source": {**data["source"], "state": "CH"}}).to_wire()


_RECORDS = st.lists(
    st.one_of(
        st.sampled_from(GOOD),
        forms().map(_swiss),
        st.tuples(st.sampled_from(GOOD), st.sampled_from(_CHANGES)).map(lambda pair: {**pair[0], **pair[1]}),
        st.sampled_from(GOOD).map(lambda record: {**record, "source": {**record["source"], "state": "DE"}}),
    ),
    max_size=30,
)


@QUIET
@given(records=_RECORDS, sync=st.sampled_from([1, 1_500, 64_000]), batch=st.integers(1, 40))
def test_by_columns_and_one_by_one_the_same_is_counted_and_told(
    records: list[dict[str, Any]], sync: int, batch: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = lay(tmp_path_factory.mktemp("replay") / "c.avro", records, codec="deflate", sync_interval=sync)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded_batches, "_RECORDS_A_BATCH", batch)
        found, intake = both(path)
    assert found.items == intake.read == len(records) - intake.unread


@pytest.mark.usefixtures("no_records")
@pytest.mark.parametrize("compression", ["null", "deflate"])
def test_what_is_in_order_is_read_by_columns(tmp_path: Path, compression: str) -> None:
    path = lay(tmp_path / "c.avro", GOOD, codec=compression, sync_interval=5_000)
    found, intake = replay(read_files([path], "CH", lambda _: None), columns=True)
    assert (found.items, intake.read, intake.unread) == (400, 400, 0)
    assert 0 < found.altered < 400


def test_what_is_unsound_is_told_in_its_place(tmp_path: Path) -> None:
    records = [dict(record) for record in GOOD]
    records[3]["value"] = "canary"
    records[200]["tlp"] = "GOLD"
    records[399]["source"] = {**records[399]["source"], "state": "DE"}
    _, intake = both(lay(tmp_path / "c.avro", records, sync_interval=5_000))
    assert [entry.place for entry in intake.told] == ["record 4", "record 201", "record 400"]
    assert intake.read == 397
    assert "canary" not in str(intake.told)


def test_a_file_of_an_earlier_schema_counts_the_same(tmp_path: Path) -> None:
    for name, text in released_texts("indicator").items():
        path = lay(tmp_path / name, GOOD[:50], json.loads(text))
        assert both(path)[0].items == 50


def test_a_damaged_file_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    path = lay(tmp_path / "c.avro", GOOD, sync_interval=2_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    found, intake = both(path)
    assert 0 < found.items < 400
    (entry,) = intake.told
    assert entry.place == f"after record {found.items}"


def test_whatever_byte_is_spoilt_both_ways_count_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_batches, "_RECORDS_A_BATCH", 30)
    path = lay(tmp_path / "c.avro", GOOD[:60], sync_interval=2_000)
    whole = path.read_bytes()
    header = len(lay(tmp_path / "empty.avro", []).read_bytes())
    for position in range(header, len(whole), 211):
        for flipped in (0x01, 0x55, 0x80):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ flipped]) + whole[position + 1 :])
            found, intake = both(path)
            assert found.items == intake.read
            assert intake.read + intake.unread > 0


def encode(records: list[Any]) -> bytes:
    return b"".join(CODEC.encode_bare(record) for record in records)


def test_blocks_with_something_left_over_or_too_little_are_not_read_by_columns() -> None:
    reader = IndicatorReader()
    good = RecordBlock(5, encode(GOOD[:5]))
    whole = [good, RecordBlock(3, encode(GOOD[5:8]))]
    (part,) = reader.read_blocks(whole, NOW_MS)
    assert (list(part.places), [key.decode() for key in part.keys]) == (
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
        found = [list(one.places) for one in reader.read_blocks([good, bad, good], NOW_MS)]
        assert found == [list(range(5)), list(range(5 + bad.count, 10 + bad.count))]


class Range:
    """Messages as a topic's range gives them."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    def batches(self) -> Iterable[list[Message]]:
        yield self._messages[:150]
        yield self._messages[150:]


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_range_of_a_topic_counts_the_same(spoilt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [Message(CODEC.encode(record), record["id"].encode(), place) for place, record in enumerate(GOOD)]
    if spoilt:
        messages[7] = replace(messages[7], name=b"another key")
        messages[222] = replace(messages[222], data=b"junk")
    else:
        monkeypatch.setattr(bulk_decoding.BulkDecoder, "decode", lambda *_: pytest.fail("was read one by one"))
    topic: Any = Range(messages)
    one = replay(read_range(topic, "topic", lambda _: None), columns=True)
    monkeypatch.undo()
    assert one == replay(read_range(topic, "topic", lambda _: None), columns=False)
    assert [entry.place for entry in one[1].told] == (["3@7", "3@222"] if spoilt else [])
    assert one[0].items == (398 if spoilt else 400)


@pytest.mark.parametrize("columns", [True, False])
def test_a_range_is_read_in_a_registrys_frame(columns: bool) -> None:
    frame = registry_frame(7)
    messages = [Message(frame + CODEC.encode_bare(record), record["id"].encode()) for record in GOOD[:50]]
    topic: Any = Range(messages)
    found = replay(read_range(topic, "topic", lambda _: None, Framing(known={frame: CODEC.header})), columns=columns)
    assert (found[0].items, found[1].unread) == (50, 0)


def test_a_file_of_nothing_is_a_file_of_nothing(tmp_path: Path) -> None:
    found, intake = both(lay(tmp_path / "c.avro", []))
    assert (found.items, intake.unread) == (0, 0)
    assert list(IndicatorReader().read_blocks([], NOW_MS)) == []
