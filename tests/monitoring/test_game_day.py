"""Game day: six real faults on a running system; for each the right alert fires within its time, and no other."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from itertools import count

import pytest

from tests.faults.gate_process import load
from tests.monitoring.monitored_gate import LOOK_S, PATIENCE_S, Firing, Stage, expire_pack, make_record, write_packs
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka

QUIET: Firing = frozenset()


def watch(stage: Stage, expected: Firing, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Wait until all that is expected has fired; whatever else fires before that is a failure.

    Args:
        stage: The running system.
        expected: Alert and State.
        meanwhile: What goes on.
    """
    deadline = time.monotonic() + PATIENCE_S
    began = time.monotonic()
    fired = QUIET
    while fired != expected:
        assert time.monotonic() < deadline, f"silent: {sorted(expected - fired)}"
        time.sleep(LOOK_S)
        meanwhile()
        firing = stage.prometheus.firing()
        assert firing <= expected, f"fired as well: {sorted(firing - expected)}"
        for alert, state in sorted(firing - fired):
            print(f"{alert} {state}: after {time.monotonic() - began:.1f} s")
        fired |= firing


def test_a_broker_that_is_gone(stage: Stage) -> None:
    wait_until(lambda: stage.prometheus.query("sharing_pack_info") != [], "the gate is scraped", PATIENCE_S)
    wait_until(lambda: stage.prometheus.firing() == QUIET, "all is well", PATIENCE_S)
    stage.broker.kill()
    watch(stage, frozenset({("SharingBrokerAway", "CH")}))
    stage.broker.restart()
    wait_until(lambda: stage.prometheus.firing() == QUIET, "all is well again", PATIENCE_S)
    wait_until(stage.well.is_ready, "the gate goes on by itself", PATIENCE_S)


def test_five_faults_at_once(stage: Stage) -> None:
    """Each in the gate of another State, while that of CH stays well: nobody is alarmed for another's fault."""
    expired = write_packs(stage.folder / "expired")
    expire_pack(expired, "JP")
    stuck = stage.make_gate("DE")
    slow = stage.make_gate("NL", batch_records_max="1")
    withholding = stage.make_gate("JP", packs=str(expired))
    broken = stage.make_gate("FR", (sys.executable, "-m", "tests.monitoring.broken_worker"))
    flooded = stage.make_gate("US")
    stage.start(stuck, slow, withholding, broken, flooded)
    broker = stage.broker.bootstrap
    stuck.signal(signal.SIGSTOP)
    load(broker, "FR", [make_record("FR", "forgotten")])
    numbers = count()

    def go_on() -> None:
        if not broken.runs():
            broken.start()  # as its supervisor would
        load(broker, "NL", [make_record("NL", f"burst {next(numbers)}") for _ in range(300)])
        load(broker, "US", [(str(number).encode(), b"not an indicator") for number in range(50)])
        load(broker, "CH", [make_record("CH", f"calm {next(numbers)}")])

    expected = {
        ("SharingWorkerStuck", "DE"),
        ("SharingLagGrowing", "NL"),
        ("SharingPackExpired", "JP"),
        ("SharingConservationBroken", "FR"),
        ("SharingQuarantineFlood", "US"),
    }
    watch(stage, frozenset(expected), go_on)
    assert "each accounted for once" in broken.worker.log.read_text()
    stage.end(stuck, slow, withholding, broken, flooded)
    for gate in (stuck, slow, withholding, broken, flooded):
        stage.prometheus.forget(gate.state)
    wait_until(lambda: stage.prometheus.firing() == QUIET, "with the gates their alerts are gone", PATIENCE_S)
