"""Game day: six real faults on a running system. For each, the right alert fires in time, and no other alert."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from itertools import count

import pytest

from tests.faults.gate_process import load_records
from tests.monitoring.monitored_system import (
    POLL_INTERVAL_S,
    TIMEOUT_S,
    FiringAlerts,
    MonitoredSystem,
    expire_pack,
    make_record,
    write_packs,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka

QUIET: FiringAlerts = frozenset()
LASTING_S = 20.0
"""For how long an alert that is not expected may fire."""


def await_alerts(system: MonitoredSystem, expected: FiringAlerts, keep_busy: Callable[[], None] = lambda: None) -> None:
    """Wait until all expected alerts have fired; fail if any other alert fires meanwhile and stays.

    A machine that stalls for some seconds does so for minutes on the compressed time scale: an alert about that is
    right, and resolved soon after.

    Args:
        system: The running system.
        expected: The alerts, each with its State.
        keep_busy: Called at every poll, to keep load and faults going.
    """
    deadline = time.monotonic() + TIMEOUT_S
    started = time.monotonic()
    fired, others_since = QUIET, dict[tuple[str, str], float]()
    while fired != expected or others_since:
        assert time.monotonic() < deadline, f"did not fire: {sorted(expected - fired)}"
        time.sleep(POLL_INTERVAL_S)
        keep_busy()
        firing = system.prometheus.firing_alerts()
        others_since = {each: others_since.get(each, time.monotonic()) for each in firing - expected}
        lasting = [each for each, since in others_since.items() if time.monotonic() - since > LASTING_S]
        assert not lasting, f"unexpected alerts: {sorted(lasting)}"
        for alert, state in sorted(firing & expected - fired):
            print(f"{alert} {state}: after {time.monotonic() - started:.1f} s")
        fired |= firing & expected


def test_a_broker_is_killed(system: MonitoredSystem) -> None:
    wait_until(lambda: system.prometheus.query("sharing_pack_info") != [], "the gate is scraped", TIMEOUT_S)
    wait_until(lambda: system.prometheus.firing_alerts() == QUIET, "no alert is firing", TIMEOUT_S)
    system.broker.kill()
    await_alerts(system, frozenset({("SharingBrokerUnreachable", "CH")}))
    system.broker.restart()
    wait_until(lambda: system.prometheus.firing_alerts() == QUIET, "no alert is firing any more", TIMEOUT_S)
    wait_until(system.healthy_gate.is_ready, "the gate recovers by itself", TIMEOUT_S)


def test_five_faults_at_once(system: MonitoredSystem) -> None:
    """Each fault is in another State's gate. The gate of CH stays healthy, and no alert fires for it."""
    expired = write_packs(system.folder / "expired")
    expire_pack(expired, "JP")
    stuck = system.make_gate("DE")
    slow = system.make_gate("NL", batch_records_max="1")
    withholding = system.make_gate("JP", packs=str(expired))
    faulty = system.make_gate("FR", (sys.executable, "-m", "tests.monitoring.faulty_gate"))
    flooded = system.make_gate("US")
    system.start_gates(stuck, slow, withholding, faulty, flooded)
    broker = system.broker.bootstrap
    stuck.send_signal(signal.SIGSTOP)
    load_records(broker, "FR", [make_record("FR", "forgotten")])
    numbers = count()

    def continue_load() -> None:
        if not faulty.is_running():
            faulty.start()  # as its supervisor would
        load_records(broker, "NL", [make_record("NL", f"burst {next(numbers)}") for _ in range(300)])
        load_records(broker, "US", [(str(number).encode(), b"not an indicator") for number in range(50)])
        load_records(broker, "CH", [make_record("CH", f"calm {next(numbers)}")])

    expected = {
        ("SharingWorkerStuck", "DE"),
        ("SharingLagGrowing", "NL"),
        ("SharingPackExpired", "JP"),
        ("SharingConservationBroken", "FR"),
        ("SharingQuarantineFlood", "US"),
    }
    await_alerts(system, frozenset(expected), continue_load)
    assert "a batch is not conserved" in faulty.worker.log.read_text()
    system.kill_gates(stuck, slow, withholding, faulty, flooded)
    for gate in (stuck, slow, withholding, faulty, flooded):
        system.prometheus.delete_series(gate.state)
    wait_until(
        lambda: system.prometheus.firing_alerts() == QUIET, "the alerts of the removed gates are resolved", TIMEOUT_S
    )
