"""How each fault is done, and mended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial

from tests.faults.bus import INFRASTRUCTURE, Bus
from tests.faults.children import Child
from tests.faults.disk import fill, forbid_to_write
from tests.faults.schedule import Fault, Kind
from tests.faults.workload import marker, poison

STOP_S = 5.0

_BROKER, _NET = "broker", "net"


def do(bus: Bus, fault: Fault) -> None:
    """Do a fault; what it leaves broken is mended when it is due (`Bus.pass_time`)."""
    _DO[fault.kind](bus, fault)


def _gate_killed(bus: Bus, fault: Fault) -> None:
    bus.mend(f"gate {fault.state}")
    bus.gates[fault.state].kill()
    bus.gates[fault.state].start()


def _gate_ended(bus: Bus, fault: Fault) -> None:
    bus.mend(f"gate {fault.state}")
    _end(bus, bus.gates[fault.state])
    bus.gates[fault.state].start()


def _gate_frozen(bus: Bus, fault: Fault) -> None:
    """Freeze the first worker for longer than its session lasts; a second one is there, or comes."""
    _add_worker(bus, fault, then=_end)
    gate = bus.gates[fault.state]
    gate.freeze()
    bus.mend_later(fault.lasts_s, f"gate {fault.state}", gate.thaw)


def _gate_replaced(bus: Bus, fault: Fault) -> None:
    """Freeze a gate, start another one under the same names, and let the first go on: one of them has to end."""
    bus.mend(f"gate {fault.state}")
    frozen = bus.gates[fault.state]
    frozen.freeze()
    bus.retired.append(frozen)
    heir = bus.make_gate(fault.state, "0", f"-heir{len(bus.retired)}")
    bus.gates[fault.state] = heir
    heir.start()
    bus.mend_later(fault.lasts_s, f"gate {fault.state}", frozen.thaw)


def _worker_added(bus: Bus, fault: Fault) -> None:
    _add_worker(bus, fault, then=_end)


def _worker_lost(bus: Bus, fault: Fault) -> None:
    _add_worker(bus, fault, then=lambda _, worker: worker.kill())


def _add_worker(bus: Bus, fault: Fault, then: Callable[[Bus, Child], None]) -> None:
    bus.mend(f"gate {fault.state}")
    worker = bus.extras.get(fault.state)
    if worker is None:
        worker = bus.extras[fault.state] = bus.make_gate(fault.state, "1")
    if not worker.alive():
        worker.start()
    # Later than the first worker is thawed, where that is frozen: both are there for a while.
    bus.mend_later(fault.lasts_s + fault.then_s, f"gate {fault.state}", partial(then, bus, worker))


def _end(bus: Bus, child: Child) -> None:
    """End a process in good order, if it has come far enough; a broker that is away at this moment may forbid that."""
    code = child.stop() if child.alive() else 0
    if code not in {0, INFRASTRUCTURE, -signal.SIGTERM}:
        bus.complaints.append(f"{child.name} ended on SIGTERM with {code}: {child.text()[-800:]}")


def _kill_other(children: str, bus: Bus, fault: Fault) -> None:
    child: Child = getattr(bus, children)[fault.state]
    bus.mend(child.name)
    child.kill()
    child.start()


def _freeze_other(children: str, bus: Bus, fault: Fault) -> None:
    child: Child = getattr(bus, children)[fault.state]
    bus.mend(child.name)
    child.freeze()
    bus.mend_later(fault.lasts_s, child.name, child.thaw)


def _broker_killed(bus: Bus, _: Fault) -> None:
    bus.mend(_BROKER)
    bus.signal_broker(signal.SIGKILL)
    bus.start_broker()


def _broker_restarted(bus: Bus, _: Fault) -> None:
    """Stop it in good order; it may take long to, and then it is killed."""
    bus.mend(_BROKER)
    bus.signal_broker(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while bus.broker_pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    _start_anew(bus)


def _broker_frozen(bus: Bus, fault: Fault) -> None:
    bus.mend(_BROKER)
    bus.signal_broker(signal.SIGSTOP)
    bus.mend_later(fault.lasts_s, _BROKER, partial(bus.signal_broker, signal.SIGCONT))


def _disk_full(bus: Bus, fault: Fault) -> None:
    """Fill the disk: the broker stops itself. There is room again, and it is started again."""
    if bus.disk is None:
        _disk_quota(bus, fault)
        return
    bus.mend(_BROKER)
    ballast = fill(bus.disk)

    def mend() -> None:
        ballast.unlink()
        _start_anew(bus)

    bus.mend_later(fault.lasts_s, _BROKER, mend)


def _disk_quota(bus: Bus, fault: Fault) -> None:
    bus.mend(_BROKER)
    pid = bus.broker_pid()
    if pid is not None:
        forbid_to_write(pid)
    bus.mend_later(fault.lasts_s, _BROKER, partial(_start_anew, bus))


def _start_anew(bus: Bus) -> None:
    bus.signal_broker(signal.SIGKILL)
    bus.start_broker()


def _net_reset(bus: Bus, fault: Fault) -> None:
    bus.proxy.reset(fault.seed, 0.5 if fault.seed % 2 else 1.0)


def _net_refused(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, bus.proxy.refuse)


def _net_stalled(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, bus.proxy.stall)


def _net_deaf(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, bus.proxy.deafen)


def _net_slow(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, partial(bus.proxy.slow, 0.02 + fault.seed % 100 / 1_000))


def _break_net(bus: Bus, fault: Fault, breaks: Callable[[], None]) -> None:
    bus.mend(_NET)
    breaks()
    bus.mend_later(fault.lasts_s, _NET, bus.proxy.mend)


def _poison(bus: Bus, fault: Fault) -> None:
    for what in (_BROKER, _NET):
        bus.mend(what)  # they are to arrive
    mark = marker(bus.seed, f"poison for {fault.state}", fault.seed)
    bus.feed(fault.state, poison(fault.state, mark))


_DO: dict[Kind, Callable[[Bus, Fault], None]] = {
    Kind.GATE_KILLED: _gate_killed,
    Kind.GATE_ENDED: _gate_ended,
    Kind.GATE_FROZEN: _gate_frozen,
    Kind.GATE_REPLACED: _gate_replaced,
    Kind.WORKER_ADDED: _worker_added,
    Kind.WORKER_LOST: _worker_lost,
    Kind.AGENCY_KILLED: partial(_kill_other, "agencies"),
    Kind.AGENCY_FROZEN: partial(_freeze_other, "agencies"),
    Kind.PARTNER_KILLED: partial(_kill_other, "partners"),
    Kind.PARTNER_FROZEN: partial(_freeze_other, "partners"),
    Kind.BROKER_KILLED: _broker_killed,
    Kind.BROKER_RESTARTED: _broker_restarted,
    Kind.BROKER_FROZEN: _broker_frozen,
    Kind.NET_RESET: _net_reset,
    Kind.NET_REFUSED: _net_refused,
    Kind.NET_STALLED: _net_stalled,
    Kind.NET_DEAF: _net_deaf,
    Kind.NET_SLOW: _net_slow,
    Kind.DISK_FULL: _disk_full,
    Kind.DISK_QUOTA: _disk_quota,
    Kind.POISON: _poison,
}
