"""The system under measurement: one real broker, its topics, the sample directory, and processes that use them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without `__all__`
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.broker import admin
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topic_kinds import FOREIGN_BATCH_BYTES_MAX
from sharing.topology.topics import list_topics
from tests.bench.names import PARTITIONS, STATE, STATES

SESSION_S = 6

# The group drops a stopped worker soon, and old log segments are deleted while much data passes through.
_BROKER_PROPERTIES = {"group.min.session.timeout.ms": "1000", "log.retention.check.interval.ms": "5000"}
_WAIT_S = 60.0

GATE_ARGUMENTS = ("-m", "processors")


class ResourceUsage(NamedTuple):
    """Resources that a process has used: peak resident memory in MB, and CPU time in seconds."""

    rss_mb: float
    cpu_s: float


class BenchCluster:
    """A broker with the topics of six States."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = make_admin(bootstrap)

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[BenchCluster]:
        """Run a broker for the duration of the block; its files are deleted afterwards."""
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            KafkaBroker(Path(folder) / "kafka", properties=_BROKER_PROPERTIES) as broker,
        ):
            yield cls(broker.bootstrap)

    def reset_topics(self, partitions: int = PARTITIONS) -> None:
        """Recreate the topics of the six States, empty, and announce the sample directory."""
        self.recreate_topics(partitions)
        for entry in parse_entries(*sample_directory()):
            announce_entry(self.bootstrap, entry)

    def recreate_topics(self, partitions: int = PARTITIONS, kept: Container[str] = ()) -> None:
        """Delete all topics but those to keep, and create those of the six States."""
        self.delete_topics(name for name in self._list_topics() if not name.startswith("__") and name not in kept)
        apply_topics(self.bootstrap, list_topics(STATES, partitions), replication=1)

    def create_topics(self, names: Iterable[str], partitions: int = PARTITIONS) -> None:
        """Create topics."""
        admin.create_topics(self.bootstrap, names, partitions, {})

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics, and wait until they are gone."""
        unwanted = set(names)
        if not unwanted:
            return
        for deleted in self._admin.delete_topics(list(unwanted)).values():
            deleted.result(_WAIT_S)
        _wait_until(lambda: not unwanted & self._list_topics(), f"{len(unwanted)} topics still exist")

    def configure_topics(self, names: Iterable[str], config: Mapping[str, str]) -> None:
        """Set configuration properties of topics."""
        operation = AlterConfigOpType.SET
        entries = [ConfigEntry(name, value, incremental_operation=operation) for name, value in config.items()]
        resources = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]
        for altered in self._admin.incremental_alter_configs(resources).values():
            altered.result(_WAIT_S)

    def write_records(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Write keys and values; return their number."""
        # Not compressed: aiokafka, which Faust uses, needs an additional library to read lz4.
        properties = {"linger.ms": 50, "batch.size": FOREIGN_BATCH_BYTES_MAX}
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
            raise TimeoutError(f"the records were not written to {topic} within {_WAIT_S:g} s")
        return count

    def reset_group(self, group: str) -> None:
        """Delete a group, so that it starts at the first records again; first wait until it has no members."""
        _wait_until(lambda: self._is_empty(group), f"group {group} still has members")
        for deleted in self._admin.delete_consumer_groups([group]).values():
            deleted.result(_WAIT_S)

    @contextmanager
    def run_python(
        self, arguments: Sequence[str], instance: str = "0", environment: Mapping[str, str] | None = None
    ) -> Iterator[MeasuredProcess]:
        """Run a Python process for the duration of the block."""
        with self.run_command([sys.executable, *arguments], instance, environment) as worker:
            yield worker

    @contextmanager
    def run_command(
        self, command: Sequence[str], instance: str = "0", environment: Mapping[str, str] | None = None
    ) -> Iterator[MeasuredProcess]:
        """Run a process for the duration of the block."""
        settings = {
            "SHARING_BOOTSTRAP": self.bootstrap,
            "SHARING_STATE": STATE,
            "SHARING_INSTANCE": instance,
            "SHARING_SESSION_TIMEOUT_MS": str(SESSION_S * 1000),
            "SHARING_LOG_LEVEL": "warning",
        }
        # Faust draws on standard output, so it is discarded.
        process = subprocess.Popen(
            list(command), env={**os.environ, **settings, **(environment or {})}, stdout=subprocess.DEVNULL
        )
        worker = MeasuredProcess(process)
        try:
            yield worker
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def _list_topics(self) -> set[str]:
        return set(self._admin.list_topics(timeout=_WAIT_S).topics)

    def _is_empty(self, group: str) -> bool:
        try:
            described = self._admin.describe_consumer_groups([group])[group].result(_WAIT_S)
        except KafkaException:
            return False
        return bool(described.state is ConsumerGroupState.EMPTY)


class MeasuredProcess:
    """A process that is measured."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._measured = psutil.Process(process.pid)

    def check_running(self, _: int = 0) -> None:
        """Check that the process is running. The argument is a record count, so that an observer can call this.

        Raises:
            RuntimeError: The process has ended.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"the process ended with {self.process.returncode}: {self.process.args!r}")

    def measure_rss_mb(self) -> float:
        """Return the current resident memory in MB."""
        return float(self._measured.memory_info().rss / 1e6)

    def measure_usage(self) -> ResourceUsage:
        """Return the resources used so far."""
        times = self._measured.cpu_times()
        peak_kb = next(
            int(line.split()[1])
            for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
            if line.startswith("VmHWM:")
        )
        return ResourceUsage(peak_kb / 1000, float(times.user + times.system))


def _wait_until(is_done: Callable[[], bool], failure: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{failure} after {_WAIT_S:g} s")
        time.sleep(0.1)
