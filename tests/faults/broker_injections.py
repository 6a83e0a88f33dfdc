"""How faults of brokers are injected: processes, disks, and the network among the brokers."""

from __future__ import annotations

import random
import signal
import time
from functools import partial

from tests.faults.agency import CONFIRM_S, read_numbers
from tests.faults.bus import BROKER, IN_SYNC, SYNC_S, Bus
from tests.faults.cluster import BrokerNode
from tests.faults.disk import fill_disk, forbid_writes
from tests.faults.proxy import Proxy
from tests.faults.schedule import STATES, Fault

STOP_S = 5.0


def _choose_broker(bus: Bus, fault: Fault) -> BrokerNode:
    """Return the broker for a fault, once the previous one is back and all replicas are in sync: one at a time."""
    bus.repair(BROKER)
    bus.wait_until(bus.cluster.is_in_sync, IN_SYNC, SYNC_S)
    return random.Random(fault.seed).choice(bus.cluster.nodes)


def kill_broker(bus: Bus, fault: Fault) -> None:
    _restart_broker(bus, _choose_broker(bus, fault))


def stop_broker(bus: Bus, fault: Fault) -> None:
    """Stop a broker gracefully; kill it if that takes too long."""
    node = _choose_broker(bus, fault)
    node.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while node.find_pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    _restart_broker(bus, node)


def freeze_broker(bus: Bus, fault: Fault) -> None:
    node = _choose_broker(bus, fault)
    node.send_signal(signal.SIGSTOP)
    bus.repair_later(fault.duration_s, BROKER, partial(node.send_signal, signal.SIGCONT))


def fill_broker_disk(bus: Bus, fault: Fault) -> None:
    """Fill the disk, so that the broker stops itself; later free the space and restart the broker."""
    node = _choose_broker(bus, fault)
    if node.disk is None:
        _forbid_broker_writes(bus, fault, node)
        return
    ballast = fill_disk(node.disk)

    def free_and_restart() -> None:
        ballast.unlink()
        _restart_broker(bus, node)

    bus.repair_later(fault.duration_s, BROKER, free_and_restart)


def apply_quota(bus: Bus, fault: Fault) -> None:
    _forbid_broker_writes(bus, fault, _choose_broker(bus, fault))


def _forbid_broker_writes(bus: Bus, fault: Fault, node: BrokerNode) -> None:
    pid = node.find_pid()
    if pid is not None:
        forbid_writes(pid)
    bus.repair_later(fault.duration_s, BROKER, partial(_restart_broker, bus, node))


def lose_broker_disk(bus: Bus, fault: Fault) -> None:
    """Lose a disk with all its data: the broker restarts with an empty disk and replicates from the others."""
    node = _choose_broker(bus, fault)
    node.kill()
    node.delete_data()
    bus.start_broker(node)


def lose_two_brokers(bus: Bus, fault: Fault) -> None:
    """Kill or freeze two brokers at once. Without a majority nothing may be confirmed."""
    bus.wait_until_healthy()
    rng = random.Random(fault.seed)
    lost = rng.sample(bus.cluster.nodes, 2)
    number = rng.choice([signal.SIGKILL, signal.SIGSTOP])
    for node in lost:
        node.send_signal(number)
    bus.supervise_for(CONFIRM_S + 1)  # until the publishers have learned what was confirmed before
    confirmed = _count_confirmed(bus)

    def restore() -> None:
        if _count_confirmed(bus) != confirmed:
            bus.failures.append("indicators were confirmed while two of the brokers were away")
        for node in lost:
            if number is signal.SIGKILL:
                _restart_broker(bus, node)
            else:
                node.send_signal(signal.SIGCONT)

    bus.repair_later(fault.duration_s, BROKER, restore)


def _count_confirmed(bus: Bus) -> int:
    return sum(len(read_numbers(bus.get_journal("agency", state))) for state in STATES)


def cut_off_broker(bus: Bus, fault: Fault) -> None:
    """Let the other brokers not reach a broker, which itself reaches them, the controllers and the clients."""
    node = _choose_broker(bus, fault)
    disturb = random.Random(fault.seed).choice([Proxy.refuse_connections, Proxy.stall, Proxy.drop_replies])
    disturb(node.peer_proxy)
    bus.repair_later(fault.duration_s, BROKER, node.peer_proxy.repair)


def _restart_broker(bus: Bus, node: BrokerNode) -> None:
    node.kill()
    bus.start_broker(node)
