"""A cluster of real brokers that faults can be done to, one by one: each on a disk and behind a proxy of its own.

Each is broker and controller in one. Clients, and they alone, are sent to the proxies; among themselves the brokers
have a listener that no fault of the network touches.
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
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # re-exported without saying so

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.testing.broker.jvm import make_cluster_id
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import LOOPBACK, free_port
from sharing.testing.broker.run_state import read_run
from sharing.testing.broker.server_properties import DATA_FOLDER
from tests.faults.disk import small_disk
from tests.faults.proxy import Proxy

DISK_MB = 256
DISK_FOLDER = "logs"
ASK_S = 5.0

_CLIENTS, _BROKERS, _CONTROLLERS = _LISTENERS = ("PLAINTEXT", "INTERNAL", "CONTROLLER")
_JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",  # starts sooner, and a campaign lasts minutes
    # So that the log says what became of each transaction, when one was broken.
    *(f"-Dorg.slf4j.simpleLogger.log.{package}kafka.coordinator.transaction=info" for package in ("", "org.apache.")),
)
_ALONE = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "20000"}
"""More than the default: what the only broker aborts while it starts, before it takes connections, gets no markers."""


class Node:
    """One broker.

    Attributes:
        number: Its id in the cluster, from 1.
        broker: Its process.
        proxy: Between it and the clients.
        disk: Its file system, or None where none can be mounted.
    """

    def __init__(self, number: int, broker: KafkaBroker, proxy: Proxy, disk: Path | None) -> None:
        self.number: Final = number
        self.broker: Final = broker
        self.proxy: Final = proxy
        self.disk: Final = disk
        self._data = disk / DISK_FOLDER if disk else broker.folder / DATA_FOLDER
        self._lives = broker.folder.with_name(f"{broker.folder.name}-lives.log")

    def start(self) -> None:
        """Start it, or see that it runs. After a crash on a full disk it may take a second time."""
        self._keep_log()
        try:
            self.broker.start()
        except InfrastructureError:
            self.broker.stop()
            self.broker.start()

    def pid(self) -> int | None:
        """Return its process id, if it lives."""
        run = read_run(self.broker.folder)
        process = run.find() if run else None
        return process.pid if process else None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, number)

    def end(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        self.broker.stop()

    def said(self) -> str:
        """Return what it said in all its lives."""
        logs = (self._lives, self.broker.log)
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs if log.exists())

    def keep_data(self, folder: Path) -> None:
        """Copy what lies on its disk, for `kafka-dump-log.sh` and whoever looks into it."""
        shutil.copytree(self._data, folder, dirs_exist_ok=True)

    def lose_data(self) -> None:
        """Remove what lies on its disk; it must have ended."""
        shutil.rmtree(self._data)

    def _keep_log(self) -> None:
        """Keep what it has said: of two of its lives it keeps that itself."""
        if self.broker.log.exists():
            with self._lives.open("ab") as lives:
                lives.write(self.broker.log.read_bytes())


class Cluster:
    """Started on entry; on exit all are ended. Every partition has a replica on each broker, and needs most of them.

    Args:
        folder: Of everything it writes; must exist.
        size: How many brokers.

    Attributes:
        nodes: The brokers.
        most: How many make a majority: as many must have what is confirmed.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.nodes: tuple[Node, ...] = ()
        self.size: Final = size
        self.most: Final = size // 2 + 1
        self._folder = folder
        self._ports = _draw_ports(size)
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
        """Where clients connect: the proxies."""
        return ",".join(f"{LOOPBACK}:{node.proxy.port}" for node in self.nodes)

    def start(self) -> None:
        """Start every broker that does not run, all at once: alone none of them answers."""
        _do_at_once([node.start for node in self.nodes])

    def in_sync(self) -> bool:
        """Whether each broker says that all replicas of every partition are in sync."""
        return all(self._says_in_sync(node) for node in self.nodes)

    def elections(self) -> int:
        """Return how often a leader was elected, over all partitions, since there were any."""
        admin = make_admin(self.bootstrap)
        topics = admin.list_topics(timeout=ASK_S).topics
        end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        ends = {TopicPartition(name, each): end for name in topics for each in topics[name].partitions}
        found = admin.list_offsets(ends, request_timeout=ASK_S)
        return sum(each.result().leader_epoch or 0 for each in found.values())

    def said(self) -> str:
        """Return what the brokers said in all their lives, one broker after the other."""
        return "".join(node.said() for node in self.nodes)

    def keep_data(self, folder: Path) -> None:
        """Copy what lies on the disks, each into a folder with the broker's number."""
        for node in self.nodes:
            node.keep_data(folder / str(node.number))

    def _says_in_sync(self, node: Node) -> bool:
        own = f"{LOOPBACK}:{self._ports[node.number][_BROKERS]}"  # never broken
        try:
            topics = make_admin(own, {"log_level": 0}).list_topics(timeout=ASK_S).topics
        except KafkaException:
            return False
        partitions = [partition for topic in topics.values() for partition in topic.partitions.values()]
        return all(each.leader >= 0 and len(each.isrs) == self.size for each in partitions)

    def _make_nodes(self) -> None:
        cluster_id = make_cluster_id()
        disks: dict[int, Path | None] = {}
        proxies: dict[int, Proxy] = {}
        for number, ports in self._ports.items():
            disks[number] = self._stack.enter_context(small_disk(self._folder / f"disk-{number}", DISK_MB))
            proxies[number] = self._stack.enter_context(Proxy())
            proxies[number].target = ports[_CLIENTS]
        for number, ports in self._ports.items():
            disk, proxy = disks[number], proxies[number]
            properties = self._properties(number, f"{LOOPBACK}:{proxy.port}")
            if disk:
                properties["log.dirs"] = str(disk / DISK_FOLDER)
            broker = KafkaBroker(
                self._folder / f"kafka-{number}",
                ports[_CLIENTS],
                properties=properties,
                java_options=_JAVA_OPTIONS,
                cluster_id=cluster_id,
            )
            self.nodes += (Node(number, broker, proxy, disk),)
        self._stack.callback(lambda: _do_at_once([node.end for node in self.nodes]))

    def _properties(self, number: int, advertised: str) -> dict[str, str]:
        ports, copies, most = self._ports[number], str(self.size), str(self.most)
        return {
            **({} if self.size > 1 else _ALONE),
            "node.id": str(number),
            "controller.quorum.voters": ",".join(
                f"{each}@{LOOPBACK}:{its[_CONTROLLERS]}" for each, its in self._ports.items()
            ),
            "listeners": ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()),
            "advertised.listeners": f"{_CLIENTS}://{advertised},{_BROKERS}://{LOOPBACK}:{ports[_BROKERS]}",
            "inter.broker.listener.name": _BROKERS,
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ports),
            "default.replication.factor": copies,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "share.coordinator.state.topic.replication.factor": copies,
            "min.insync.replicas": most,
            "transaction.state.log.min.isr": most,
            "share.coordinator.state.topic.min.isr": most,
            # Who was away leads again soon, so that each of them leads something when it is its turn.
            "leader.imbalance.check.interval.seconds": "5",
        }


def _do_at_once(work: Iterable[Callable[[], None]]) -> None:
    """Do all of it, each in a thread of its own; raise what the first that failed raises."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(each) for each in work]:
            done.result()


def _draw_ports(size: int) -> Mapping[int, dict[str, int]]:
    """Return a free port for each listener of each broker, by number."""
    drawn: set[int] = set()
    while len(drawn) < size * len(_LISTENERS):
        drawn.add(free_port())
    ports = iter(drawn)
    return {number: {name: next(ports) for name in _LISTENERS} for number in range(1, size + 1)}
