"""A cluster of real brokers for fault injection: each has a separate disk and is behind a proxy.

Each is broker and controller. Clients connect through one proxy of a broker, and the other brokers through another one,
so that both networks fail independently. The controllers use a third listener, which no fault affects.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # re-exported without `__all__`

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.testing.broker.jvm import make_cluster_id
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import LOOPBACK, find_free_port
from sharing.testing.broker.run_state import read_run
from sharing.testing.broker.server_properties import DATA_FOLDER
from tests.faults.disk import mount_small_disk
from tests.faults.proxy import Proxy

DISK_MB = 512
"""A chapter that takes ten minutes, as on a slow machine, fills half of it."""
DISK_FOLDER = "logs"
REQUEST_TIMEOUT_S = 5.0

_CLIENTS, _BROKERS, _CONTROLLERS = _LISTENERS = ("PLAINTEXT", "INTERNAL", "CONTROLLER")
_JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",  # faster start; a campaign lasts only minutes
    # Log the end of each transaction, to explain a violation.
    *(f"-Dorg.slf4j.simpleLogger.log.{package}kafka.coordinator.transaction=info" for package in ("", "org.apache.")),
)
_SINGLE_BROKER_PROPERTIES = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "20000"}
"""Longer than the default: a single broker writes no markers for transactions that it aborts before it has started."""


class BrokerNode:
    """One broker.

    Attributes:
        number: Id in the cluster, from 1.
        broker: The broker process.
        proxy: Proxy between the broker and the clients.
        peer_proxy: Proxy through which the other brokers connect to it; not used by a single broker.
        disk: Its file system, or None if none can be mounted.
    """

    def __init__(self, number: int, broker: KafkaBroker, proxy: Proxy, peer_proxy: Proxy, disk: Path | None) -> None:
        self.number: Final = number
        self.broker: Final = broker
        self.proxy: Final = proxy
        self.peer_proxy: Final = peer_proxy
        self.disk: Final = disk
        self._data = disk / DISK_FOLDER if disk else broker.folder / DATA_FOLDER
        self._log_archive = broker.folder.with_name(f"{broker.folder.name}-archive.log")

    def start(self) -> None:
        """Start the broker if it is not running. After a crash on a full disk a second attempt may be needed."""
        self._archive_log()
        try:
            self.broker.start()
        except InfrastructureError:
            self.broker.stop()
            self.broker.start()

    def find_pid(self) -> int | None:
        """Return the process id if it runs."""
        run = read_run(self.broker.folder)
        process = run.find_process() if run else None
        return process.pid if process else None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal if it runs."""
        pid = self.find_pid()
        if pid is not None:
            os.kill(pid, number)

    def kill(self) -> None:
        """Kill the broker."""
        self.send_signal(signal.SIGKILL)
        self.broker.stop()

    def read_logs(self) -> str:
        """Return the logs of all its runs."""
        logs = (self._log_archive, self.broker.log)
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs if log.exists())

    def copy_data(self, folder: Path) -> None:
        """Copy the data on its disk, to be inspected with `kafka-dump-log.sh`."""
        shutil.copytree(self._data, folder, dirs_exist_ok=True)

    def delete_data(self) -> None:
        """Delete the data on its disk; the broker must not be running."""
        shutil.rmtree(self._data)

    def _archive_log(self) -> None:
        """Append the log to the archive; the broker itself keeps only the logs of its last two runs."""
        if self.broker.log.exists():
            with self._log_archive.open("ab") as archive:
                archive.write(self.broker.log.read_bytes())


class BrokerCluster:
    """A running cluster: started on entry and ended on exit.

    Every partition has a replica on each broker, and needs a majority of them.

    Args:
        folder: Folder for all files; must exist.
        size: Number of brokers.

    Attributes:
        nodes: The brokers.
        majority: Number of brokers that form a majority, and that must have a record before it is confirmed.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.nodes: tuple[BrokerNode, ...] = ()
        self.size: Final = size
        self.majority: Final = size // 2 + 1
        self._folder = folder
        self._ports = _choose_ports(size)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._make_nodes()
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers for clients: the proxies."""
        return ",".join(f"{LOOPBACK}:{node.proxy.port}" for node in self.nodes)

    def start(self) -> None:
        """Start every broker that is not running, in parallel: none of them answers before a majority runs."""
        _run_in_parallel([node.start for node in self.nodes])

    def is_in_sync(self) -> bool:
        """Return whether each broker reports that all replicas of every partition are in sync."""
        return all(self._reports_in_sync(node) for node in self.nodes)

    def count_elections(self) -> int:
        """Return the number of leader elections, over all partitions, since the topics were created."""
        admin = make_admin(self.bootstrap)
        topics = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        ends = {TopicPartition(name, number): end for name in topics for number in topics[name].partitions}
        offsets = admin.list_offsets(ends, request_timeout=REQUEST_TIMEOUT_S)
        return sum(offset.result().leader_epoch or 0 for offset in offsets.values())

    def read_logs(self) -> str:
        """Return the logs of all runs of all brokers, one broker after another."""
        return "".join(node.read_logs() for node in self.nodes)

    def copy_data(self, folder: Path) -> None:
        """Copy the data on the disks, each into a folder named by the broker's number."""
        for node in self.nodes:
            node.copy_data(folder / str(node.number))

    def _reports_in_sync(self, node: BrokerNode) -> bool:
        listener = f"{LOOPBACK}:{self._ports[node.number][_BROKERS]}"  # not through a proxy
        try:
            topics = make_admin(listener, {"log_level": 0}).list_topics(timeout=REQUEST_TIMEOUT_S).topics
        except KafkaException:
            return False
        partitions = [partition for topic in topics.values() for partition in topic.partitions.values()]
        return all(partition.leader >= 0 and len(partition.isrs) == self.size for partition in partitions)

    def _make_nodes(self) -> None:
        cluster_id = make_cluster_id()
        disks: dict[int, Path | None] = {}
        proxies: dict[int, Proxy] = {}
        peer_proxies: dict[int, Proxy] = {}
        for number, ports in self._ports.items():
            disks[number] = self._stack.enter_context(mount_small_disk(self._folder / f"disk-{number}", DISK_MB))
            for chosen, listener in ((proxies, _CLIENTS), (peer_proxies, _BROKERS)):
                chosen[number] = self._stack.enter_context(Proxy())
                chosen[number].target = ports[listener]
        for number, ports in self._ports.items():
            disk, proxy, peer_proxy = disks[number], proxies[number], peer_proxies[number]
            peer_port = peer_proxy.port if self.size > 1 else ports[_BROKERS]
            advertised = {_CLIENTS: f"{LOOPBACK}:{proxy.port}", _BROKERS: f"{LOOPBACK}:{peer_port}"}
            properties = self._make_properties(number, advertised)
            if disk:
                properties["log.dirs"] = str(disk / DISK_FOLDER)
            broker = KafkaBroker(
                self._folder / f"kafka-{number}",
                ports[_CLIENTS],
                properties=properties,
                java_options=_JAVA_OPTIONS,
                cluster_id=cluster_id,
            )
            self.nodes += (BrokerNode(number, broker, proxy, peer_proxy, disk),)
        self._stack.callback(lambda: _run_in_parallel([node.kill for node in self.nodes]))

    def _make_properties(self, number: int, advertised: Mapping[str, str]) -> dict[str, str]:
        ports, replicas, majority = self._ports[number], str(self.size), str(self.majority)
        return {
            **({} if self.size > 1 else _SINGLE_BROKER_PROPERTIES),
            "node.id": str(number),
            "controller.quorum.voters": ",".join(
                f"{voter}@{LOOPBACK}:{voter_ports[_CONTROLLERS]}" for voter, voter_ports in self._ports.items()
            ),
            "listeners": ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()),
            "advertised.listeners": ",".join(f"{name}://{address}" for name, address in advertised.items()),
            "inter.broker.listener.name": _BROKERS,
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ports),
            "default.replication.factor": replicas,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "share.coordinator.state.topic.replication.factor": replicas,
            "min.insync.replicas": majority,
            "transaction.state.log.min.isr": majority,
            "share.coordinator.state.topic.min.isr": majority,
            # A restarted broker becomes a leader again soon, so that faults always affect a leader.
            "leader.imbalance.check.interval.seconds": "5",
        }


def _run_in_parallel(functions: Iterable[Callable[[], None]]) -> None:
    """Call all functions, each in a separate thread; raise the exception of the first one that failed."""
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(function) for function in functions]:
            future.result()


def _choose_ports(size: int) -> Mapping[int, dict[str, int]]:
    """Return a free port for each listener of each broker, by number."""
    chosen: set[int] = set()
    while len(chosen) < size * len(_LISTENERS):
        chosen.add(find_free_port())
    ports = iter(chosen)
    return {number: {name: next(ports) for name in _LISTENERS} for number in range(1, size + 1)}
