"""How each kind of fault is injected and repaired."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from tests.faults.broker_injections import (
    apply_quota,
    cut_off_broker,
    fill_broker_disk,
    freeze_broker,
    kill_broker,
    lose_broker_disk,
    lose_two_brokers,
    stop_broker,
)
from tests.faults.bus import BROKER, NETWORK, Bus
from tests.faults.children import ChildProcess
from tests.faults.log_injections import (
    bomb_directory,
    bomb_gate,
    bomb_subscriber,
    create_topic_again,
    cut_log,
    hold_transaction,
    lose_offsets,
)
from tests.faults.proxy import Proxy
from tests.faults.schedule import Fault, FaultKind
from tests.faults.sealed.injections import inject_sealed_fault
from tests.faults.sealed.kinds import SealedFaultKind
from tests.faults.workload import make_marker, make_poison

ALL_SHARE = 0.5
REFUSE_S = 240.0
DAYS_BEHIND_MAX = 30.0
WRONG_CLOCK = "the clock is wrong"


def inject_fault(bus: Bus, fault: Fault) -> None:
    """Inject a fault. Lasting faults are repaired when their duration is over (`Bus.supervise_for`)."""
    if isinstance(fault.kind, SealedFaultKind):
        inject_sealed_fault(bus, fault)
    else:
        _INJECTIONS[FaultKind(fault.kind)](bus, fault)


def _kill_gate(bus: Bus, fault: Fault) -> None:
    bus.repair(f"gate {fault.state}")
    bus.gates[fault.state].kill()
    bus.gates[fault.state].start()


def _stop_gate(bus: Bus, fault: Fault) -> None:
    bus.repair(f"gate {fault.state}")
    bus.stop_child(bus.gates[fault.state])
    bus.gates[fault.state].start()


def _freeze_gate(bus: Bus, fault: Fault) -> None:
    """Freeze the first worker for about its session timeout, while a second worker is running or starting."""
    _add_worker(bus, fault, then=Bus.stop_child)
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
    _add_worker(bus, fault, then=Bus.stop_child)


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


def _set_clock_back(bus: Bus, fault: Fault) -> None:
    """Set the clock of a State's gate back until it has refused to decide, and for a while after."""
    for target in (BROKER, NETWORK, f"gate {fault.state}"):
        bus.repair(target)  # so that the gate receives records
    refusals = bus.read_gate_logs(fault.state).count(WRONG_CLOCK)
    days = random.Random(fault.seed).uniform(-DAYS_BEHIND_MAX, -0.01)
    _set_clock(bus, fault.state, days)
    bus.wait_until(
        lambda: bus.read_gate_logs(fault.state).count(WRONG_CLOCK) > refusals,
        f"the gate of {fault.state}, whose clock is {-days:.2f} days behind, refuses to decide",
        REFUSE_S,
    )
    bus.repair_later(fault.duration_s, f"gate {fault.state}", partial(_set_clock, bus, fault.state, 0.0))


def _set_clock(bus: Bus, state: str, days: float) -> None:
    file = bus.get_clock_file(state)
    new = file.with_suffix(".new")
    new.write_text(str(days))
    new.replace(file)  # at once: the gate may be reading it


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
    bus.repair(NETWORK)
    for proxy in _choose_proxies(bus, fault):
        disturb(proxy)
        bus.repair_later(fault.duration_s, NETWORK, proxy.repair)


def _publish_poison(bus: Bus, fault: Fault) -> None:
    for target in (BROKER, NETWORK):
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
    FaultKind.BROKER_KILLED: kill_broker,
    FaultKind.BROKER_RESTARTED: stop_broker,
    FaultKind.BROKER_FROZEN: freeze_broker,
    FaultKind.NET_RESET: _reset_connections,
    FaultKind.NET_REFUSED: _refuse_connections,
    FaultKind.NET_STALLED: _stall_connections,
    FaultKind.NET_DEAF: _drop_replies,
    FaultKind.NET_SLOW: _slow_connections,
    FaultKind.DISK_FULL: fill_broker_disk,
    FaultKind.DISK_QUOTA: apply_quota,
    FaultKind.DISK_LOST: lose_broker_disk,
    FaultKind.POISON: _publish_poison,
    FaultKind.BOMB_INPUT: bomb_gate,
    FaultKind.BOMB_NOTICES: bomb_subscriber,
    FaultKind.BOMB_DIRECTORY: bomb_directory,
    FaultKind.TRANSACTION_HELD: hold_transaction,
    FaultKind.OFFSETS_GONE: lose_offsets,
    FaultKind.LOG_CUT: cut_log,
    FaultKind.TOPIC_AGAIN_FROZEN: partial(create_topic_again, frozen=True),
    FaultKind.TOPIC_AGAIN_STOPPED: partial(create_topic_again, frozen=False),
    FaultKind.CLOCK_BEHIND: _set_clock_back,
    FaultKind.BROKERS_LOST: lose_two_brokers,
    FaultKind.BROKER_CUT_OFF: cut_off_broker,
}
