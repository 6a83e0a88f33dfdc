"""The gate with invalid records and packs, a wrong clock and a full disk: one clear message, no loss, no disclosure."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from sharing.clients.publisher import Publisher
from sharing.errors import NotDeliveredError
from sharing.testing.broker.kafka import KafkaBroker
from tests.bench.workload import make_indicators
from tests.faults.checker import find_violations
from tests.faults.disk import fill_disk, mount_small_disk
from tests.faults.gate_process import STATES, GateProcess, load_records, prepare_topics
from tests.faults.records import read_records
from tests.faults.workload import make_poison

MARKER = "marker-that-must-not-leak"


@pytest.mark.kafka
def test_invalid_records_are_quarantined_with_their_cause_and_stop_nothing(
    fresh_kafka: KafkaBroker, tmp_path: Path
) -> None:
    prepare_topics(fresh_kafka.bootstrap)
    invalid = list(make_poison("CH", MARKER))
    valid = list(make_indicators(200, 0.5))
    mixed = [record for pair in zip(valid, [record for _, record in invalid] * 20, strict=False) for record in pair]
    published = load_records(fresh_kafka.bootstrap, "CH", mixed)
    with GateProcess(fresh_kafka.bootstrap, "CH", tmp_path) as gate:
        gate.wait_until(lambda: _count_accounted(fresh_kafka.bootstrap) >= published, poll_s=0.5)
        assert gate.stop() == 0, gate.read_log_tail()
        assert MARKER not in gate.log.read_text()
    records = read_records(fresh_kafka.bootstrap, ["CH"], STATES, indicators=False)["CH"]
    assert len(records.decisions) == len(valid)
    assert {entry.data["cause"] for entry in records.quarantined} == {cause for cause, _ in invalid}
    for record in [entry.data for entry in records.quarantined]:
        assert MARKER not in record["message"]
        assert bool(record["record"]) is not (record["cause"] in {"OVERSIZED", "EMPTY"})
    assert records.list_notices("NL"), "valid records are processed"


def _count_accounted(bootstrap: str) -> int:
    records = read_records(bootstrap, ["CH"], (), indicators=False)["CH"]
    return len(records.decisions) + len(records.quarantined)


def test_no_broker_at_the_start_stops_the_worker_with_one_message(tmp_path: Path) -> None:
    with GateProcess("127.0.0.1:9", "CH", tmp_path, start_timeout_ms="2000") as gate:
        assert gate.process is not None
        assert gate.process.wait(240) == 3
        critical = [line for line in gate.log.read_text().splitlines() if '"level": "critical"' in line]
        assert len(critical) == 1, gate.read_log_tail()
        assert "127.0.0.1:9" in critical[0]
        assert "Traceback" not in gate.log.read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("consolidated_at:", "consolidatd_at:", "ch.yaml:"),
        ("consolidated_at: 2026-01-01", "consolidated_at: 2199-01-01", "which is in the future"),
        ("secrecy_domain: false", "secrecy_domian: false", "did you mean 'secrecy_domain'"),
        ("id: ch.imac-67a-3\n", "id: ch.imac-67a-1\n", "is defined twice for the same days"),
        ("rules:", "rules: []\nrulez:", "rulez"),
    ],
)
def test_a_gate_refuses_an_invalid_pack_with_one_message(old: str, new: str, message: str, tmp_path: Path) -> None:
    with as_file(files("sharing.packs") / "shipped" / "ch.yaml") as shipped:
        text = shipped.read_text()
    assert old in text
    (tmp_path / "ch.yaml").write_text(text.replace(old, new, 1))
    with GateProcess("127.0.0.1:9", "CH", tmp_path, packs=str(tmp_path)) as gate:
        assert gate.process is not None
        assert gate.process.wait(240) == 2
        log = gate.log.read_text().strip()
    assert message in log
    assert log.startswith("error: ")
    assert all(line.startswith("ch.yaml:") for line in log.splitlines()[1:])  # one line for each further fault


@pytest.mark.kafka
def test_a_full_disk_loses_no_confirmed_record(kafka: KafkaBroker, tmp_path: Path) -> None:
    del kafka  # skips the test if this machine cannot run a broker
    with mount_small_disk(tmp_path / "disk", 40) as disk:
        if disk is None:
            pytest.skip("mounting a small file system is not permitted here")
        _fill_and_continue(disk, tmp_path)


def _fill_and_continue(disk: Path, tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "kafka", properties={"log.dirs": str(disk / "logs")}) as broker:
        prepare_topics(broker.bootstrap, partitions=1)
        confirmed = load_records(broker.bootstrap, "CH", make_indicators(2_000, 0.1))
        ballast = fill_disk(disk)
        refused = _publish_until_refused(broker.bootstrap)
        assert refused, "the broker confirmed records for which it has no space"
        ballast.unlink()
        broker.stop()
        broker.start()
        with GateProcess(broker.bootstrap, "CH", tmp_path) as gate:
            gate.wait_until(lambda: _count_accounted(broker.bootstrap) >= confirmed, poll_s=0.5)
            assert gate.stop() == 0, gate.read_log_tail()
        records = read_records(broker.bootstrap, ["CH"], STATES)["CH"]
        assert len(records.indicators) >= confirmed
        assert find_violations("CH", records) == []


def _publish_until_refused(bootstrap: str) -> tuple[str, ...]:
    """Publish until records are refused; return the ids that were not confirmed."""
    publisher = Publisher(bootstrap, "CH", "agency", timeout_s=8)
    for number in range(2_000):
        publisher.publish({"type": "mutex", "value": f"m{number}", "summary": "x" * 2_000})
    with pytest.raises(NotDeliveredError, match="same ids") as refusal:
        publisher.flush()
    return refusal.value.ids
