"""Recorded indicators: every format yields the same records; unreadable ones are reported without their content."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from sharing.errors import InfrastructureError, InputError
from sharing.interop.format_detection import LINE_BYTES_MAX
from sharing.model.indicator import Indicator
from sharing.replay.admission import REJECTED_DETAILS_MAX, AdmissionStats
from sharing.replay.avro_containers import ContainerRecorder
from sharing.replay.recorded_batch import admit_records
from sharing.replay.recorded_files import measure_files, read_recorded_files
from sharing.serialization.codec import get_codec, read_released_schemas
from tests.bench.workload import make_indicators

if TYPE_CHECKING:
    from pathlib import Path

CODEC = get_codec("indicator")
RECORDS = [CODEC.decode(value) for _, value in make_indicators(300, 0.3)]


def to_lines(records: list[dict[str, Any]]) -> str:
    times = ("observed_at", "review_at", "retain_until")
    assert not any(record[name] for record in records for name in times)  # datetimes are not JSON
    return "".join(json.dumps(record) + "\n" for record in records)


def read_paths(*paths: Path, state: str = "CH") -> tuple[list[Mapping[str, Any]], AdmissionStats, list[int]]:
    admission = AdmissionStats(state)
    progress: list[int] = []
    records = list(admit_records(read_recorded_files(paths, state, progress.append), admission))
    return records, admission, progress


def write_container(path: Path, records: list[dict[str, Any]], schema: Any = CODEC.schema, **options: Any) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, **options)
    return path


def test_containers_and_lines_give_the_same_records(tmp_path: Path) -> None:
    container = write_container(tmp_path / "any name", RECORDS, codec="deflate")
    lines = tmp_path / "lines.avro"  # the content determines the format, not the name
    lines.write_text("\ufeff" + to_lines(RECORDS), encoding="utf-8")
    from_container, admission, progress = read_paths(container)
    assert from_container == RECORDS
    assert (admission.admitted, admission.rejected) == (300, 0)
    assert progress[-1] == measure_files([container])
    from_lines, admission, _ = read_paths(lines)
    assert [Indicator.parse(dict(record)).to_record() for record in from_lines] == from_lines
    assert to_lines(json.loads(json.dumps(from_lines))) == to_lines(RECORDS)


def test_several_files_are_read_in_order(tmp_path: Path) -> None:
    first = write_container(tmp_path / "a.avro", RECORDS[:100])
    second = tmp_path / "b.jsonl"
    second.write_text(to_lines(RECORDS[100:]))
    records, admission, progress = read_paths(first, second)
    assert [record["id"] for record in records] == [record["id"] for record in RECORDS]
    assert admission.admitted == 300
    assert progress == sorted(progress)
    assert progress[-1] == measure_files([first, second])


def test_a_recording_holds_the_records_that_were_read(tmp_path: Path) -> None:
    path = tmp_path / "recording.avro"
    with ContainerRecorder(path) as recorder:
        assert list(recorder.write_through(iter(RECORDS))) == RECORDS
    assert read_paths(path)[0] == RECORDS
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("rb") as file:
        schema: Any = fastavro.reader(file).writer_schema
        assert schema["name"] == "sharing.v1.Indicator"


def test_a_recording_never_overwrites_a_file(tmp_path: Path) -> None:
    path = tmp_path / "recording.avro"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"recording\.avro: already exists; name a new file"):
        ContainerRecorder(path)
    assert path.read_text() == "precious"
    with pytest.raises(InputError, match="cannot be created"):
        ContainerRecorder(tmp_path / "nowhere" / "recording.avro")


def test_a_partial_recording_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "recording.avro"

    def fail_while_recording() -> None:
        with ContainerRecorder(path) as recorder:
            list(recorder.write_through(RECORDS))
            assert path.exists()
            raise InfrastructureError("the broker is unavailable")

    with pytest.raises(InfrastructureError, match="is unavailable"):
        fail_while_recording()
    assert not path.exists()


def test_every_released_schema_can_be_read(tmp_path: Path) -> None:
    for name, text in read_released_schemas("indicator").items():
        path = write_container(tmp_path / name, RECORDS[:3], json.loads(text))
        assert read_paths(path)[0] == RECORDS[:3]


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
def test_an_unreadable_line_is_reported_without_its_content(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "lines.jsonl"
    text = f"\n{to_lines(RECORDS[:1])}{line}\n{to_lines(RECORDS[1:2])}"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    records, admission, _ = read_paths(path)
    assert [record["id"] for record in records] == [record["id"] for record in RECORDS[:2]]
    assert (admission.admitted, admission.rejected) == (2, 1)
    (entry,) = admission.first_rejected
    assert entry.location == "line 3"
    assert reason in entry.reason
    assert CANARY not in entry.reason


def test_a_line_without_an_id_gets_the_id_that_explain_derives(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"type": "domain-name", "value": "a.example.org"}\n' * 2)
    ids = [record["id"] for record in read_paths(path)[0]]
    assert len(set(ids)) == 2
    assert ids == [record["id"] for record in read_paths(path)[0]]


def test_all_unreadable_lines_are_counted_and_the_first_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("{\n" * 50)
    _, admission, _ = read_paths(path)
    assert (admission.admitted, admission.rejected, len(admission.first_rejected)) == (0, 50, REJECTED_DETAILS_MAX)


def test_a_record_that_the_gate_would_reject_is_reported(tmp_path: Path) -> None:
    invalid = {**RECORDS[1], "value": CANARY, "type": "ipv4-addr"}
    other = {**RECORDS[2], "source": {**RECORDS[2]["source"], "state": "DE"}}
    records, admission, _ = read_paths(write_container(tmp_path / "c.avro", [RECORDS[0], invalid, other, RECORDS[3]]))
    assert records == [RECORDS[0], RECORDS[3]]
    assert [entry.location for entry in admission.first_rejected] == ["record 2", "record 3"]
    assert "must be in the normal form" in admission.first_rejected[0].reason
    assert CANARY not in str(admission.first_rejected)


def test_a_damaged_container_is_read_up_to_the_damage(tmp_path: Path) -> None:
    path = write_container(tmp_path / "c.avro", RECORDS, sync_interval=2_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    records, admission, _ = read_paths(path)
    assert 0 < len(records) < 300
    assert records == RECORDS[: len(records)]
    (entry,) = admission.first_rejected
    assert entry.location == f"after record {len(records)}"
    assert "the rest of the file is damaged" in entry.reason


def test_a_corrupted_byte_never_causes_an_unexpected_error(tmp_path: Path) -> None:
    stream = io.BytesIO()
    fastavro.writer(stream, CODEC.schema, RECORDS[:40], sync_interval=1_000)
    whole = stream.getvalue()
    path = tmp_path / "c.avro"
    for position in range(4, len(whole), 97):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        admission = AdmissionStats("CH")
        with suppress(InputError):  # any other exception is a bug
            records = list(admit_records(read_recorded_files([path], "CH", lambda _: None), admission))
            assert len(records) == admission.admitted
            assert admission.admitted + admission.rejected > 0


def test_a_container_of_other_records_is_refused(tmp_path: Path) -> None:
    for name in ("directory_entry", "quarantine"):
        path = write_container(tmp_path / name, [], get_codec(name).schema)
        with pytest.raises(InputError, match=name):
            read_paths(path)
    (tmp_path / "c.avro").write_bytes(b"Obj\x01garbage")
    with pytest.raises(InputError, match="is not a readable Avro container"):
        read_paths(tmp_path / "c.avro")


def test_a_path_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        measure_files([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="is not a regular file"):
        measure_files([tmp_path])
