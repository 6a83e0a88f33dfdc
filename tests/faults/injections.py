"""How each fault is done, and mended."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import partial

from tests.faults.bus import INFRASTRUCTURE, Bus
from tests.faults.children import Child
from tests.faults.cluster import Node
from tests.faults.disk import fill, forbid_to_write
from tests.faults.proxy import Proxy
from tests.faults.schedule import Fault, Kind
from tests.faults.workload import marker, poison

STOP_S = 5.0
SYNC_S = 60.0
ALL_SHARE = 0.5
IN_SYNC = "all replicas are in sync"

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
    """Freeze the first worker for about as long as its session lasts; a second one is there, or comes."""
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


def _draw_broker(bus: Bus, fault: Fault) -> Node:
    """Return the broker that is to suffer, once the one before is back and every replica in sync: one at a time."""
    bus.mend(_BROKER)
    bus.wait_until(bus.cluster.in_sync, IN_SYNC, SYNC_S)
    return random.Random(fault.seed).choice(bus.cluster.nodes)


def _broker_killed(bus: Bus, fault: Fault) -> None:
    _start_anew(bus, _draw_broker(bus, fault))


def _broker_restarted(bus: Bus, fault: Fault) -> None:
    """Stop it in good order; it may take long to, and then it is killed."""
    node = _draw_broker(bus, fault)
    node.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while node.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    _start_anew(bus, node)


def _broker_frozen(bus: Bus, fault: Fault) -> None:
    node = _draw_broker(bus, fault)
    node.signal(signal.SIGSTOP)
    bus.mend_later(fault.lasts_s, _BROKER, partial(node.signal, signal.SIGCONT))


def _disk_full(bus: Bus, fault: Fault) -> None:
    """Fill the disk: the broker stops itself. There is room again, and it is started again."""
    node = _draw_broker(bus, fault)
    if node.disk is None:
        _reach_quota(bus, fault, node)
        return
    ballast = fill(node.disk)

    def mend() -> None:
        ballast.unlink()
        _start_anew(bus, node)

    bus.mend_later(fault.lasts_s, _BROKER, mend)


def _disk_quota(bus: Bus, fault: Fault) -> None:
    _reach_quota(bus, fault, _draw_broker(bus, fault))


def _reach_quota(bus: Bus, fault: Fault, node: Node) -> None:
    pid = node.pid()
    if pid is not None:
        forbid_to_write(pid)
    bus.mend_later(fault.lasts_s, _BROKER, partial(_start_anew, bus, node))


def _disk_lost(bus: Bus, fault: Fault) -> None:
    """Lose a disk with all that is on it: the broker comes back with an empty one, and has the rest from the others."""
    node = _draw_broker(bus, fault)
    node.end()
    node.lose_data()
    bus.start_broker(node)


def _start_anew(bus: Bus, node: Node) -> None:
    node.end()
    bus.start_broker(node)


def _net_reset(bus: Bus, fault: Fault) -> None:
    for proxy in _draw_proxies(bus, fault):
        proxy.reset(fault.seed, 0.5 if fault.seed % 2 else 1.0)


def _net_refused(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, Proxy.refuse)


def _net_stalled(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, Proxy.stall)


def _net_deaf(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, Proxy.deafen)


def _net_slow(bus: Bus, fault: Fault) -> None:
    _break_net(bus, fault, lambda proxy: proxy.slow(0.02 + fault.seed % 100 / 1_000))


def _draw_proxies(bus: Bus, fault: Fault) -> list[Proxy]:
    """Return the proxy of one broker or, every other time, those of all."""
    draw = random.Random(fault.seed)
    proxies = [node.proxy for node in bus.cluster.nodes]
    return proxies if draw.random() < ALL_SHARE else [draw.choice(proxies)]


def _break_net(bus: Bus, fault: Fault, breaks: Callable[[Proxy], None]) -> None:
    bus.mend(_NET)
    for proxy in _draw_proxies(bus, fault):
        breaks(proxy)
        bus.mend_later(fault.lasts_s, _NET, proxy.mend)


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
    Kind.DISK_LOST: _disk_lost,
    Kind.POISON: _poison,
}
