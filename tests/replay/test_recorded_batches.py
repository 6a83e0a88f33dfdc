"""Recorded indicators: of each format the same records; what cannot be read is counted and told, and nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from sharing.errors import InfrastructureError, InputError
from sharing.interop.formats import LINE_BYTES_MAX
from sharing.model.indicator import Indicator
from sharing.replay.admission import TOLD_MAX, AdmissionStats
from sharing.replay.containers import Recorder
from sharing.replay.recorded_batches import admit_each, read_files, size_of
from sharing.serialization.codec import codec_of, released_texts
from tests.bench.workload import make_indicators

if TYPE_CHECKING:
    from pathlib import Path

CODEC = codec_of("indicator")
RECORDS = [CODEC.decode(value) for _, value in make_indicators(300, 0.3)]


def lines_of(records: list[dict[str, Any]]) -> str:
    wire = ("observed_at", "review_at", "retain_until")
    assert not any(record[name] for record in records for name in wire)
    return "".join(json.dumps(record) + "\n" for record in records)


def read(*paths: Path, state: str = "CH") -> tuple[list[Mapping[str, Any]], AdmissionStats, list[int]]:
    intake = AdmissionStats(state)
    told: list[int] = []
    found = list(admit_each(read_files(paths, state, told.append), intake))
    return found, intake, told


def write_container(path: Path, records: list[dict[str, Any]], schema: Any = CODEC.schema, **more: Any) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, **more)
    return path


def test_containers_and_lines_give_the_same_records(tmp_path: Path) -> None:
    container = write_container(tmp_path / "any name", RECORDS, codec="deflate")
    lines = tmp_path / "lines.avro"  # what it is, its bytes tell
    lines.write_text("\ufeff" + lines_of(RECORDS), encoding="utf-8")
    from_container, intake, told = read(container)
    assert from_container == RECORDS
    assert (intake.read, intake.unread) == (300, 0)
    assert told[-1] == size_of([container])
    from_lines, intake, _ = read(lines)
    assert [Indicator.read(dict(one)).to_wire() for one in from_lines] == from_lines
    assert lines_of(json.loads(json.dumps(from_lines))) == lines_of(RECORDS)


def test_several_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    first = write_container(tmp_path / "a.avro", RECORDS[:100])
    second = tmp_path / "b.jsonl"
    second.write_text(lines_of(RECORDS[100:]))
    found, intake, told = read(first, second)
    assert [record["id"] for record in found] == [record["id"] for record in RECORDS]
    assert intake.read == 300
    assert told == sorted(told)
    assert told[-1] == size_of([first, second])


def test_a_recording_holds_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "recording.avro"
    with Recorder(path) as recorder:
        assert list(recorder.record(iter(RECORDS))) == RECORDS
    assert read(path)[0] == RECORDS
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("rb") as file:
        schema: Any = fastavro.reader(file).writer_schema
        assert schema["name"] == "sharing.v1.Indicator"


def test_a_recording_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "recording.avro"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"recording\.avro: is there already; name a new file"):
        Recorder(path)
    assert path.read_text() == "precious"
    with pytest.raises(InputError, match="cannot be made"):
        Recorder(tmp_path / "nowhere" / "recording.avro")


def test_half_a_recording_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "recording.avro"

    def break_off() -> None:
        with Recorder(path) as recorder:
            list(recorder.record(RECORDS))
            assert path.exists()
            raise InfrastructureError("the broker has gone")

    with pytest.raises(InfrastructureError, match="has gone"):
        break_off()
    assert not path.exists()


def test_every_released_schema_is_read(tmp_path: Path) -> None:
    for name, text in released_texts("indicator").items():
        path = write_container(tmp_path / name, RECORDS[:3], json.loads(text))
        assert read(path)[0] == RECORDS[:3]


CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f'{{"type": "domain-name", "value": "{CANARY}.example.org"', "is not valid JSON"),
        (f'["{CANARY}"]', "is not a JSON object"),
        (f'{{"type": "domain-name", "value": "{CANARY}.example.org", "frm": "X"}}', "frm: unknown field"),
        (f'{{"type": "domain-name", "value": "{CANARY}.example.org", "value": "b.example.org"}}', "twice"),
        (f'{{"type": "ipv4-addr", "value": "{CANARY}"}}', "value"),
        (f'{{"type": "domain-name", "value": "{CANARY}.org", "source": {{"state": "DE"}}}}', "source.state: is not CH"),
        (f'{{"value": "{CANARY}{"x" * LINE_BYTES_MAX}"}}', "is longer than"),
        (f'{{"value": "{CANARY}\udcff"}}', "is not UTF-8 text"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_without_its_content(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "lines.jsonl"
    text = f"\n{lines_of(RECORDS[:1])}{line}\n{lines_of(RECORDS[1:2])}"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    found, intake, _ = read(path)
    assert [record["id"] for record in found] == [record["id"] for record in RECORDS[:2]]
    assert (intake.read, intake.unread) == (2, 1)
    (entry,) = intake.told
    assert entry.place == "line 3"
    assert reason in entry.reason
    assert CANARY not in entry.reason


def test_a_line_without_an_id_has_the_one_under_which_it_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"type": "domain-name", "value": "a.example.org"}\n' * 2)
    ids = [record["id"] for record in read(path)[0]]
    assert len(set(ids)) == 2
    assert ids == [record["id"] for record in read(path)[0]]


def test_of_many_unreadable_lines_some_are_told_and_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("{\n" * 50)
    _, intake, _ = read(path)
    assert (intake.read, intake.unread, len(intake.told)) == (0, 50, TOLD_MAX)


def test_a_record_that_the_gate_would_refuse_is_told(tmp_path: Path) -> None:
    spoilt = {**RECORDS[1], "value": CANARY, "type": "ipv4-addr"}
    other = {**RECORDS[2], "source": {**RECORDS[2]["source"], "state": "DE"}}
    found, intake, _ = read(write_container(tmp_path / "c.avro", [RECORDS[0], spoilt, other, RECORDS[3]]))
    assert found == [RECORDS[0], RECORDS[3]]
    assert [entry.place for entry in intake.told] == ["record 2", "record 3"]
    assert "not in the normal form" in intake.told[0].reason
    assert CANARY not in str(intake.told)


def test_a_damaged_container_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_container(tmp_path / "c.avro", RECORDS, sync_interval=2_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    found, intake, _ = read(path)
    assert 0 < len(found) < 300
    assert found == RECORDS[: len(found)]
    (entry,) = intake.told
    assert entry.place == f"after record {len(found)}"
    assert "the rest of the file is damaged" in entry.reason


def test_bytes_of_every_kind_end_in_records_or_reasons(tmp_path: Path) -> None:
    stream = io.BytesIO()
    fastavro.writer(stream, CODEC.schema, RECORDS[:40], sync_interval=1_000)
    whole = stream.getvalue()
    path = tmp_path / "c.avro"
    for position in range(4, len(whole), 97):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        intake = AdmissionStats("CH")
        with suppress(InputError):  # all else is a defect
            found = list(admit_each(read_files([path], "CH", lambda _: None), intake))
            assert len(found) == intake.read
            assert intake.read + intake.unread > 0


def test_a_container_of_something_else_is_refused(tmp_path: Path) -> None:
    for name in ("directory_entry", "quarantine"):
        path = write_container(tmp_path / name, [], codec_of(name).schema)
        with pytest.raises(InputError, match=name):
            read(path)
    (tmp_path / "c.avro").write_bytes(b"Obj\x01garbage")
    with pytest.raises(InputError, match="is no readable Avro container"):
        read(tmp_path / "c.avro")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        size_of([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="is no regular file"):
        size_of([tmp_path])
