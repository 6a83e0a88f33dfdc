"""A worker process over a real Kafka gets its checkpoints time-stamped, and does not wait for a service that lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharing.audit.checkpoint_verifier import CheckpointPolicy
from sharing.audit.time_stamp import read_roots
from sharing.kafka import audit_reader
from sharing.kafka.audit_reader import AuditSource, LogSelection, verify_logs
from tests.audit.local_tsa import LocalTsa
from tests.secure.secure_bus import SecureBus
from tests.secure.secure_states import read_now
from tests.secure.test_witnesses import publish, read_checkpoints, stopped

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]


def count_stamps(bus: SecureBus) -> int:
    return sum(each.time_stamp is not None for record in read_checkpoints(bus, "CH") for each in record.earlier)


def read_metric(bus: SecureBus, name: str) -> float:
    lines = bus.fetch_page("CH", "metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


def test_checkpoints_are_time_stamped_and_the_log_waits_for_no_service(secure_bus: SecureBus, tmp_path: Path) -> None:
    bus, service = secure_bus, LocalTsa(tmp_path)
    service.is_broken = True
    own = bus.workers["CH"]
    with service.serve() as url, stopped(bus, "CH", kills=False):
        settings = {"time_stamp_url": url, "time_stamp_roots": str(service.root_file), "time_stamp_interval_ms": "0"}
        with bus.make_worker("CH", **settings) as worker:
            bus.workers["CH"] = worker
            try:
                worker.wait_until(lambda: bus.is_ready("CH"), poll_s=0.2)
                before = len(read_checkpoints(bus, "CH"))
                publish(bus, "stamped 1", "stamped 2")
                worker.wait_until(lambda: len(read_checkpoints(bus, "CH")) > before, poll_s=0.2)
                refused = 'sharing_audit_time_stamps_total{result="INVALID"}'
                worker.wait_until(lambda: read_metric(bus, refused) > 0, poll_s=0.2)
                assert count_stamps(bus) == 0
                service.is_broken = False
                worker.wait_until(lambda: count_stamps(bus) > 0, poll_s=0.2)
                assert read_metric(bus, 'sharing_audit_time_stamps_total{result="WRITTEN"}') > 0
            finally:
                bus.workers["CH"] = own
    keys = {state: bus.states[state].read_lasting_keys() for state in ("CH", "DE")}
    roots = read_roots(service.root_file.read_bytes())
    policy = CheckpointPolicy(keys["CH"], {"DE": keys["DE"]}, read_now(), 1, roots)
    source = AuditSource(bus.bootstrap, "stamps-check")
    known = audit_reader.read_checkpoints(source, "CH", policy)
    reports = verify_logs(source, LogSelection("CH"), known, read_now(), required=1)
    assert [report.findings for report in reports if report.findings] == []
    assert any(report.stamped_blocks > 0 for report in reports)
