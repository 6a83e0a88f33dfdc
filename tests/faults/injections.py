"""How each kind of fault is injected and repaired."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import partial

from tests.faults.bus import INFRASTRUCTURE_EXIT_CODE, Bus
from tests.faults.children import ChildProcess
from tests.faults.cluster import BrokerNode
from tests.faults.disk import fill_disk, forbid_writes
from tests.faults.proxy import Proxy
from tests.faults.schedule import Fault, FaultKind
from tests.faults.workload import make_marker, make_poison

STOP_S = 5.0
SYNC_S = 60.0
ALL_SHARE = 0.5
IN_SYNC = "all replicas are in sync"

_BROKER, _NETWORK = "broker", "net"


def inject_fault(bus: Bus, fault: Fault) -> None:
    """Inject a fault. Lasting faults are repaired when their duration is over (`Bus.supervise_for`)."""
    _INJECTIONS[fault.kind](bus, fault)


def _kill_gate(bus: Bus, fault: Fault) -> None:
    bus.repair(f"gate {fault.state}")
    bus.gates[fault.state].kill()
    bus.gates[fault.state].start()


def _stop_gate(bus: Bus, fault: Fault) -> None:
    bus.repair(f"gate {fault.state}")
    _stop_child(bus, bus.gates[fault.state])
    bus.gates[fault.state].start()


def _freeze_gate(bus: Bus, fault: Fault) -> None:
    """Freeze the first worker for about its session timeout, while a second worker is running or starting."""
    _add_worker(bus, fault, then=_stop_child)
    gate = bus.gates[fault.state]
    gate.freeze()
    bus.repair_later(fault.duration_s, f"gate {fault.state}", gate.resume)


def _replace_gate(bus: Bus, fault: Fault) -> None:
    """Freeze a gate, start another one with the same ids, and resume the first: one of them must end."""
    bus.repair(f"gate {fault.state}")
    frozen = bus.gates[fault.state]
    frozen.freeze()
    bus.replaced_gates.append(frozen)
    replacement = bus.make_gate(fault.state, "0", f"-replacement{len(bus.replaced_gates)}")
    bus.gates[fault.state] = replacement
    replacement.start()
    bus.repair_later(fault.duration_s, f"gate {fault.state}", frozen.resume)


def _add_and_stop_worker(bus: Bus, fault: Fault) -> None:
    _add_worker(bus, fault, then=_stop_child)


def _add_and_kill_worker(bus: Bus, fault: Fault) -> None:
    _add_worker(bus, fault, then=lambda _, worker: worker.kill())


def _add_worker(bus: Bus, fault: Fault, then: Callable[[Bus, ChildProcess], None]) -> None:
    bus.repair(f"gate {fault.state}")
    worker = bus.extra_workers.get(fault.state)
    if worker is None:
        worker = bus.extra_workers[fault.state] = bus.make_gate(fault.state, "1")
    if not worker.is_alive():
        worker.start()
    # After the first worker is resumed, if it is frozen: both run for a while.
    bus.repair_later(fault.duration_s + fault.pause_s, f"gate {fault.state}", partial(then, bus, worker))


def _stop_child(bus: Bus, child: ChildProcess) -> None:
    """Stop a process gracefully. An unavailable broker may prevent a clean exit, as may a start in progress."""
    code = child.stop() if child.is_alive() else 0
    if code not in {0, INFRASTRUCTURE_EXIT_CODE, -signal.SIGTERM}:
        bus.failures.append(f"{child.name} ended on SIGTERM with code {code}: {child.read_log_tail()[-800:]}")


def _kill_client(role: str, bus: Bus, fault: Fault) -> None:
    child: ChildProcess = getattr(bus, role)[fault.state]
    bus.repair(child.name)
    child.kill()
    child.start()


def _freeze_client(role: str, bus: Bus, fault: Fault) -> None:
    child: ChildProcess = getattr(bus, role)[fault.state]
    bus.repair(child.name)
    child.freeze()
    bus.repair_later(fault.duration_s, child.name, child.resume)


def _choose_broker(bus: Bus, fault: Fault) -> BrokerNode:
    """Return the broker for a fault, once the previous one is back and all replicas are in sync: one at a time."""
    bus.repair(_BROKER)
    bus.wait_until(bus.cluster.is_in_sync, IN_SYNC, SYNC_S)
    return random.Random(fault.seed).choice(bus.cluster.nodes)


def _kill_broker(bus: Bus, fault: Fault) -> None:
    _restart_broker(bus, _choose_broker(bus, fault))


def _stop_broker(bus: Bus, fault: Fault) -> None:
    """Stop a broker gracefully; kill it if that takes too long."""
    node = _choose_broker(bus, fault)
    node.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while node.find_pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    _restart_broker(bus, node)


def _freeze_broker(bus: Bus, fault: Fault) -> None:
    node = _choose_broker(bus, fault)
    node.send_signal(signal.SIGSTOP)
    bus.repair_later(fault.duration_s, _BROKER, partial(node.send_signal, signal.SIGCONT))


def _fill_broker_disk(bus: Bus, fault: Fault) -> None:
    """Fill the disk, so that the broker stops itself; later free the space and restart the broker."""
    node = _choose_broker(bus, fault)
    if node.disk is None:
        _forbid_broker_writes(bus, fault, node)
        return
    ballast = fill_disk(node.disk)

    def free_and_restart() -> None:
        ballast.unlink()
        _restart_broker(bus, node)

    bus.repair_later(fault.duration_s, _BROKER, free_and_restart)


def _apply_quota(bus: Bus, fault: Fault) -> None:
    _forbid_broker_writes(bus, fault, _choose_broker(bus, fault))


def _forbid_broker_writes(bus: Bus, fault: Fault, node: BrokerNode) -> None:
    pid = node.find_pid()
    if pid is not None:
        forbid_writes(pid)
    bus.repair_later(fault.duration_s, _BROKER, partial(_restart_broker, bus, node))


def _lose_broker_disk(bus: Bus, fault: Fault) -> None:
    """Lose a disk with all its data: the broker restarts with an empty disk and replicates from the others."""
    node = _choose_broker(bus, fault)
    node.kill()
    node.delete_data()
    bus.start_broker(node)


def _restart_broker(bus: Bus, node: BrokerNode) -> None:
    node.kill()
    bus.start_broker(node)


def _reset_connections(bus: Bus, fault: Fault) -> None:
    for proxy in _choose_proxies(bus, fault):
        proxy.reset_connections(fault.seed, 0.5 if fault.seed % 2 else 1.0)


def _refuse_connections(bus: Bus, fault: Fault) -> None:
    _disturb_network(bus, fault, Proxy.refuse_connections)


def _stall_connections(bus: Bus, fault: Fault) -> None:
    _disturb_network(bus, fault, Proxy.stall)


def _drop_replies(bus: Bus, fault: Fault) -> None:
    _disturb_network(bus, fault, Proxy.drop_replies)


def _slow_connections(bus: Bus, fault: Fault) -> None:
    _disturb_network(bus, fault, lambda proxy: proxy.delay(0.02 + fault.seed % 100 / 1_000))


def _choose_proxies(bus: Bus, fault: Fault) -> list[Proxy]:
    """Return the proxy of one broker or, half of the time, those of all brokers."""
    rng = random.Random(fault.seed)
    proxies = [node.proxy for node in bus.cluster.nodes]
    return proxies if rng.random() < ALL_SHARE else [rng.choice(proxies)]


def _disturb_network(bus: Bus, fault: Fault, disturb: Callable[[Proxy], None]) -> None:
    bus.repair(_NETWORK)
    for proxy in _choose_proxies(bus, fault):
        disturb(proxy)
        bus.repair_later(fault.duration_s, _NETWORK, proxy.repair)


def _publish_poison(bus: Bus, fault: Fault) -> None:
    for target in (_BROKER, _NETWORK):
        bus.repair(target)  # so that the records arrive
    marker = make_marker(bus.seed, f"poison for {fault.state}", fault.seed)
    bus.publish_poison(fault.state, make_poison(fault.state, marker))


_INJECTIONS: dict[FaultKind, Callable[[Bus, Fault], None]] = {
    FaultKind.GATE_KILLED: _kill_gate,
    FaultKind.GATE_ENDED: _stop_gate,
    FaultKind.GATE_FROZEN: _freeze_gate,
    FaultKind.GATE_REPLACED: _replace_gate,
    FaultKind.WORKER_ADDED: _add_and_stop_worker,
    FaultKind.WORKER_LOST: _add_and_kill_worker,
    FaultKind.AGENCY_KILLED: partial(_kill_client, "agencies"),
    FaultKind.AGENCY_FROZEN: partial(_freeze_client, "agencies"),
    FaultKind.PARTNER_KILLED: partial(_kill_client, "partners"),
    FaultKind.PARTNER_FROZEN: partial(_freeze_client, "partners"),
    FaultKind.BROKER_KILLED: _kill_broker,
    FaultKind.BROKER_RESTARTED: _stop_broker,
    FaultKind.BROKER_FROZEN: _freeze_broker,
    FaultKind.NET_RESET: _reset_connections,
    FaultKind.NET_REFUSED: _refuse_connections,
    FaultKind.NET_STALLED: _stall_connections,
    FaultKind.NET_DEAF: _drop_replies,
    FaultKind.NET_SLOW: _slow_connections,
    FaultKind.DISK_FULL: _fill_broker_disk,
    FaultKind.DISK_QUOTA: _apply_quota,
    FaultKind.DISK_LOST: _lose_broker_disk,
    FaultKind.POISON: _publish_poison,
}
