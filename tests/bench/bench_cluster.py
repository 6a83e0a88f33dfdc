"""Where everything is measured: one real broker, its topics, the sample directory, and processes that work on it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.directory_topic import announce, read_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.broker import admin
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topics import topics_for
from tests.bench.names import PARTITIONS, STATE, STATES

SESSION_S = 6

# A worker that was stopped is forgotten soon; the log is not kept for ever when much passes through.
_BROKER = {"group.min.session.timeout.ms": "1000", "log.retention.check.interval.ms": "5000"}
_WAIT_S = 60.0

GATE = ("-m", "processors")


class Usage(NamedTuple):
    """What a process took: peak resident memory in MB, and its processor time in seconds."""

    rss_mb: float
    cpu_s: float


class Stage:
    """A broker with the topics of six States."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = make_admin(bootstrap)

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Stage]:
        """Start a broker for as long as the block lasts; its files go with it."""
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            KafkaBroker(Path(folder) / "kafka", properties=_BROKER) as broker,
        ):
            yield cls(broker.bootstrap)

    def reset(self, partitions: int = PARTITIONS) -> None:
        """Begin anew: the topics of the six States, empty, with the sample directory announced."""
        self.drop(name for name in self._present() if not name.startswith("__"))
        apply_topics(self.bootstrap, topics_for(STATES, partitions), replication=1)
        for entry in read_entries(*sample_directory()):
            announce(self.bootstrap, entry)

    def create(self, names: Iterable[str], partitions: int = PARTITIONS) -> None:
        """Make topics."""
        admin.create_topics(self.bootstrap, names, partitions, {})

    def drop(self, names: Iterable[str]) -> None:
        """Delete topics, and wait until they are gone."""
        gone = set(names)
        if not gone:
            return
        for deleted in self._admin.delete_topics(list(gone)).values():
            deleted.result(_WAIT_S)
        _await(lambda: not gone & self._present(), f"{len(gone)} topics are still there")

    def configure(self, names: Iterable[str], config: Mapping[str, str]) -> None:
        """Set properties of topics."""
        put = AlterConfigOpType.SET
        entries = [ConfigEntry(name, value, incremental_operation=put) for name, value in config.items()]
        resources = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]
        for done in self._admin.incremental_alter_configs(resources).values():
            done.result(_WAIT_S)

    def load(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Write keys and values, and return how many."""
        # Not compressed: aiokafka, on which Faust stands, reads lz4 only with a library of its own.
        properties = {"linger.ms": 50, "batch.size": 1_000_000}
        producer = make_producer(client_properties(self.bootstrap, properties))
        count = 0
        for key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key)
                    break
                except BufferError:
                    producer.poll(0.1)
            count += 1
        if producer.flush(_WAIT_S):
            raise TimeoutError(f"{topic} was not filled within {_WAIT_S:g} s")
        return count

    def rewind(self, group: str) -> None:
        """Let a group begin at the beginning again; waits until its members are forgotten."""
        _await(lambda: self._is_empty(group), f"group {group} still has members")
        for deleted in self._admin.delete_consumer_groups([group]).values():
            deleted.result(_WAIT_S)

    @contextmanager
    def running(self, arguments: Sequence[str], instance: str = "0") -> Iterator[Worker]:
        """Run a Python process for as long as the block lasts."""
        with self.running_command([sys.executable, *arguments], instance) as worker:
            yield worker

    @contextmanager
    def running_command(
        self, command: Sequence[str], instance: str = "0", environment: Mapping[str, str] | None = None
    ) -> Iterator[Worker]:
        """Run a process for as long as the block lasts."""
        settings = {
            "SHARING_BOOTSTRAP": self.bootstrap,
            "SHARING_STATE": STATE,
            "SHARING_INSTANCE": instance,
            "SHARING_SESSION_TIMEOUT_MS": str(SESSION_S * 1000),
            "SHARING_LOG_LEVEL": "warning",
        }
        # Standard output is dropped: Faust draws there.
        process = subprocess.Popen(
            list(command), env={**os.environ, **settings, **(environment or {})}, stdout=subprocess.DEVNULL
        )
        worker = Worker(process)
        try:
            yield worker
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def _present(self) -> set[str]:
        return set(self._admin.list_topics(timeout=_WAIT_S).topics)

    def _is_empty(self, group: str) -> bool:
        try:
            described = self._admin.describe_consumer_groups([group])[group].result(_WAIT_S)
        except KafkaException:
            return False
        return bool(described.state is ConsumerGroupState.EMPTY)


class Worker:
    """A process that is measured."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._seen = psutil.Process(process.pid)

    def check(self, _: int = 0) -> None:
        """Return while it runs; takes the count that a look brings.

        Raises:
            RuntimeError: It has ended.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"the process ended with {self.process.returncode}: {self.process.args!r}")

    def rss_mb(self) -> float:
        """Return its resident memory now, in MB."""
        return float(self._seen.memory_info().rss / 1e6)

    def usage(self) -> Usage:
        """Return what it took until now."""
        times = self._seen.cpu_times()
        peak_kb = next(
            int(line.split()[1])
            for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
            if line.startswith("VmHWM:")
        )
        return Usage(peak_kb / 1000, float(times.user + times.system))


def _await(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} after {_WAIT_S:g} s")
        time.sleep(0.1)
