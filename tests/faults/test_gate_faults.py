"""The gate under bad records, packs, clock, broker and disk: one clear message, nothing lost, nothing disclosed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from sharing.broker.kafka import KafkaBroker
from sharing.errors import NotDeliveredError
from sharing.ids import content_id
from sharing.model.indicator import Indicator
from sharing.publisher import Publisher
from sharing.wire import RECORD_BYTES_MAX, codec
from tests.bench.workload import make_indicators
from tests.faults.checker import find_violations, read_records
from tests.faults.stage import STATES, GateProcess, Progress, load, prepare

pytestmark = pytest.mark.timeout(180)

MARKER = "marker-that-must-not-leak"


def _framed(name: str, **changes: object) -> tuple[bytes, bytes]:
    item = Indicator.read(
        {
            "id": content_id(name),
            "type": "domain-name",
            "value": "bad.example.nl",
            "summary": MARKER,
            "source": {"state": "CH", "agency": MARKER, "authority": "POLICE"},
            "offence": {"codes": ["ILLEGAL_ACCESS"]},
        }
    )
    record = {**item.to_wire(), **changes}
    return item.id.encode(), codec("indicator").encode(record)


def _poison() -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield bad records, each with the cause under which it is to be quarantined."""
    key, good = _framed("good")
    source = {"state": "DE", "agency": MARKER, "officer": None, "authority": "POLICE", "case": None}
    yield "NOT_AVRO", (key, f"not avro {MARKER}".encode())
    yield "EMPTY", (key, b"")
    yield "UNKNOWN_SCHEMA", (key, good[:2] + b"\x00" * 8 + good[10:])
    yield "REGISTRY_FRAMING", (key, b"\x00\x00\x00\x00\x01" + good[10:])
    yield "MALFORMED", (key, good[:-3])
    yield "MALFORMED", (key, good + b"\x00")
    yield "OVERSIZED", (key, good + MARKER.encode() * (RECORD_BYTES_MAX // len(MARKER)))
    yield "FIELD_SOURCE_STATE", _framed("foreign", source=source)
    yield "FIELD_ID", (b"another key", good)
    yield "FIELD_VALUE", _framed("shape", value=f"{MARKER} with spaces")
    yield "FIELD_TYPE", _framed("type", type="domain-nam")
    yield "FIELD_VERSION", _framed("version", version=0)
    yield "FIELD_FINDINGS", _framed("finding", findings={"own_task_nead": "YES"})


@pytest.mark.kafka
def test_poison_is_quarantined_with_its_reason_and_stops_nothing(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare(fresh_kafka.bootstrap)
    poison = list(_poison())
    good = list(make_indicators(200, 0.5))
    mixed = [record for pair in zip(good, [record for _, record in poison] * 20, strict=False) for record in pair]
    published = load(fresh_kafka.bootstrap, "CH", mixed)
    with GateProcess(fresh_kafka.bootstrap, "CH", tmp_path) as gate:
        gate.wait_until(lambda: _accounted(fresh_kafka.bootstrap) >= published, every_s=0.5)
        assert gate.stop() == 0, gate.text()
        assert MARKER not in gate.log.read_text()
    records = read_records(fresh_kafka.bootstrap, "CH", STATES, indicators=False)
    assert len(records.decisions) == len(good)
    assert {record["cause"] for record in records.quarantined} == {cause for cause, _ in poison}
    for record in records.quarantined:
        assert MARKER not in record["message"]
        assert bool(record["record"]) is not (record["cause"] in {"OVERSIZED", "EMPTY"})
    assert records.received["NL"], "the good ones go on"


def _accounted(bootstrap: str) -> int:
    records = read_records(bootstrap, "CH", (), indicators=False)
    return len(records.decisions) + len(records.quarantined)


@pytest.mark.kafka
def test_a_broker_that_goes_and_comes_back_costs_nothing(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare(fresh_kafka.bootstrap)
    published = load(fresh_kafka.bootstrap, "CH", make_indicators(8_000, 0.1))
    progress = Progress(fresh_kafka.bootstrap, "CH")
    with GateProcess(fresh_kafka.bootstrap, "CH", tmp_path, batch_records_max="100") as gate:
        gate.wait_until(lambda: progress.offsets() > 500)
        fresh_kafka.kill()
        fresh_kafka.restart()
        gate.wait_until(lambda: _accounted(fresh_kafka.bootstrap) >= published, every_s=0.5)
        assert gate.stop() == 0, gate.text()
    progress.close()
    assert find_violations("CH", read_records(fresh_kafka.bootstrap, "CH", STATES)) == []


def test_no_broker_at_the_start_ends_the_worker_with_one_sentence(tmp_path: Path) -> None:
    with GateProcess("127.0.0.1:9", "CH", tmp_path, start_timeout_ms="2000") as gate:
        assert gate.process is not None
        assert gate.process.wait(60) == 3
        critical = [line for line in gate.log.read_text().splitlines() if "CRITICAL" in line]
        assert len(critical) == 1, gate.text()
        assert "127.0.0.1:9" in critical[0]
        assert "Traceback" not in gate.log.read_text()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("consolidated_at:", "consolidatd_at:", "ch.yaml:"),
        ("consolidated_at: 2026-01-01", "consolidated_at: 2199-01-01", "the clock says"),
        ("secrecy_domain: false", "secrecy_domian: false", "did you mean 'secrecy_domain'"),
        ("id: ch.imac-67a-3\n", "id: ch.imac-67a-1\n", "stands twice on the same days"),
        ("rules:", "rules: []\nrulez:", "rulez"),
    ],
)
def test_a_gate_refuses_an_unsound_pack_with_one_sentence(old: str, new: str, says: str, tmp_path: Path) -> None:
    with as_file(files("sharing.law") / "packs" / "ch.yaml") as shipped:
        text = shipped.read_text()
    assert old in text
    (tmp_path / "ch.yaml").write_text(text.replace(old, new, 1))
    with GateProcess("127.0.0.1:9", "CH", tmp_path, packs=str(tmp_path)) as gate:
        assert gate.process is not None
        assert gate.process.wait(60) == 2
        said = gate.log.read_text().strip()
    assert says in said
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB; mounting one needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small file system needs root")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], check=False)
    if made.returncode != 0:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.kafka
def test_a_full_disk_loses_nothing_that_was_confirmed(small_disk: Path, tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path / "kafka", properties={"log.dirs": str(small_disk / "logs")})
    broker.start()
    try:
        prepare(broker.bootstrap, partitions=1)
        confirmed = load(broker.bootstrap, "CH", make_indicators(2_000, 0.1))
        ballast = small_disk / "ballast"
        free = shutil.disk_usage(small_disk).free
        with ballast.open("wb") as file:
            file.write(b"\0" * (free - 64 * 1024))
        refused = _publish_until_refused(broker.bootstrap)
        assert refused, "the broker confirmed what it has no room for"
        ballast.unlink()
        broker.stop()
        broker.start()
        with GateProcess(broker.bootstrap, "CH", tmp_path) as gate:
            gate.wait_until(lambda: _accounted(broker.bootstrap) >= confirmed, every_s=0.5)
            assert gate.stop() == 0, gate.text()
        records = read_records(broker.bootstrap, "CH", STATES)
        assert len(records.indicators) >= confirmed
        assert find_violations("CH", records) == []
    finally:
        broker.stop()


def _publish_until_refused(bootstrap: str) -> tuple[str, ...]:
    """Return the ids that were not confirmed."""
    publisher = Publisher(bootstrap, "CH", "agency", timeout_s=8)
    for number in range(2_000):
        publisher.publish({"type": "mutex", "value": f"m{number}", "summary": "x" * 2_000})
    with pytest.raises(NotDeliveredError, match="same ids") as refusal:
        publisher.flush()
    return refusal.value.ids
